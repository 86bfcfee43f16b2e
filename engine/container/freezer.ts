// The cgroup freezer of a container: all of its processes stand still, or go on.

import { cgroupDir } from './cgroup.ts';
import type { Container } from './container.ts';
import type { ContainerParts } from './parts.ts';

/** Lets a paused container run again, by the freezer. */
export async function thaw(parts: ContainerParts, container: Container): Promise<void> {
  await setFrozen(parts, container, false);
}

/** Freezes or thaws the container's cgroup. */
export async function setFrozen(
  parts: ContainerParts,
  container: Container,
  isFrozen: boolean,
): Promise<void> {
  const directory = cgroupDir(
    parts.sandbox,
    container.id,
    'freezer',
    container.record.hostConfig.CgroupParent,
  );
  const [file, data] =
    parts.sandbox.cgroupVersion === 2
      ? ['cgroup.freeze', isFrozen ? '1' : '0']
      : ['freezer.state', isFrozen ? 'FROZEN' : 'THAWED'];
  await parts.sandbox.init.start([{ kind: 'write', path: `${directory}/${file}`, data, plain: true }]);
}
