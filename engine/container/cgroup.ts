// Where a container's cgroups are in its sandbox, on cgroup v1 and v2.

import { IN_SANDBOX, type Sandbox } from '../sandbox/sandbox.ts';

/** Its directory in one controller's hierarchy; on v2 there is one for all. */
export function cgroupDir(sandbox: Sandbox, id: string, controller: string): string {
  return sandbox.cgroupVersion === 2
    ? `${IN_SANDBOX.cgroup}/docker/${id}`
    : `${IN_SANDBOX.cgroup}/${controller}/docker/${id}`;
}

/** All its directories. */
export function cgroupDirs(sandbox: Sandbox, id: string): string[] {
  if (sandbox.cgroupVersion === 2) return [cgroupDir(sandbox, id, '')];
  return sandbox.cgroupControllers.map((controller) => cgroupDir(sandbox, id, controller));
}
