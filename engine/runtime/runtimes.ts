// The OCI runtimes of a lab host: their names in --runtime, and how they are called.

import { IN_SANDBOX } from '../sandbox/sandbox.ts';

interface Runtime {
  program: 'crun' | 'runc';
  /** options before the verb */
  options: readonly string[];
  /** where it keeps its state */
  root: string;
}

const CRUN: Runtime = {
  program: 'crun',
  options: [`--root=${IN_SANDBOX.crunRoot}`, '--cgroup-manager=cgroupfs'],
  root: IN_SANDBOX.crunRoot,
};
const RUNC_ROOT = '/run/runc';
const RUNC: Runtime = { program: 'runc', options: [`--root=${RUNC_ROOT}`], root: RUNC_ROOT };

/** By name; the long one is how containerd calls runc's shim, which clients may send. */
const RUNTIMES: ReadonlyMap<string, Runtime> = new Map([
  ['crun', CRUN],
  ['runc', RUNC],
  ['io.containerd.runc.v2', RUNC],
]);

/** What runs containers that ask for no runtime: the fastest. */
export const DEFAULT_RUNTIME = 'crun';

/** Names that --runtime takes, and the program of each. */
export function listRuntimes(): { name: string; program: string }[] {
  return [...RUNTIMES].map(([name, { program }]) => ({ name, program }));
}

export function isRuntime(name: string): boolean {
  return RUNTIMES.has(name);
}

/** The command line of a runtime (an unknown name is the default's): `crun --root=… run …`. */
export function runtimeCommand(name: string, ...args: string[]): string[] {
  const { program, options } = RUNTIMES.get(name) ?? CRUN;
  return [program, ...options, ...args];
}

/** Where the runtime keeps what it knows of a container. */
export function runtimeState(name: string, id: string): string {
  return `${(RUNTIMES.get(name) ?? CRUN).root}/${id}`;
}
