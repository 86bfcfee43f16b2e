// Where a container's cgroups are in its sandbox, on cgroup v1 and v2.

import { IN_SANDBOX, type Sandbox } from '../sandbox/sandbox.ts';

/** Its path from the root of the lab host's cgroups; `parent` is --cgroup-parent's. */
export function cgroupPath(id: string, parent = ''): string {
  return `/${parent.replace(/^\/+|\/+$/g, '') || 'docker'}/${id}`;
}

/** Its directory in one controller's hierarchy; on v2 there is one for all. */
export function cgroupDir(sandbox: Sandbox, id: string, controller: string, parent = ''): string {
  const hierarchy = sandbox.cgroupVersion === 2 ? '' : `/${controller}`;
  return `${IN_SANDBOX.cgroup}${hierarchy}${cgroupPath(id, parent)}`;
}

/** All its directories. */
export function cgroupDirs(sandbox: Sandbox, id: string, parent = ''): string[] {
  if (sandbox.cgroupVersion === 2) return [cgroupDir(sandbox, id, '', parent)];
  return sandbox.cgroupControllers.map((controller) => cgroupDir(sandbox, id, controller, parent));
}
