// At the engine's start: what builds of an engine before this one left at work is ended and taken away.

import { capture } from '../../container/capture.ts';
import { cgroupDirs } from '../../container/cgroup.ts';
import { pathExists } from '../../container/lab-files.ts';
import type { ContainerParts } from '../../container/parts.ts';
import { IN_SANDBOX } from '../../sandbox/sandbox.ts';
import { RUN_KEY } from './run.ts';
import { BUILD_ROOT, BUILD_RUN, buildDirectories } from './snapshot.ts';

const SIGKILL = 9;
/** Mounts below a folder, the deepest first; then containers' leftovers of steps, which are named by their layer. */
const CLEAN = `
for mount in $(awk -v base="$1/" 'index($2, base) == 1 { print $2 }' /proc/self/mounts | sort -r); do umount -l "$mount"; done
for id in $2; do
  for bundle in "$3"/bundles/$id*; do
    [ -d "$bundle" ] || continue
    name=\${bundle##*/}
    rm -rf "$bundle" "$4/$name"
    umount -l "$3/netns/$(printf %.12s "$name")"; rm -f "$3/netns/$(printf %.12s "$name")"
    echo "$name"
  done
done 2>/dev/null
true`;

/**
 * Afterwards no step runs, and only kept layers are there. A sandbox that has built nothing costs one request and no process.
 *
 * @param kept ids of layers that records know
 * @param onDisk ids of the layers that lie there
 */
export async function reconcileSteps(
  parts: ContainerParts,
  kept: ReadonlySet<string>,
  onDisk: ReadonlySet<string>,
): Promise<void> {
  const { init } = parts.sandbox;
  const keys = init.processes().flatMap(({ key }) => (key.startsWith(RUN_KEY) ? [key] : []));
  const ids = keys.map((key) => key.slice(RUN_KEY.length));
  for (const key of keys) {
    await init.signal(key, SIGKILL).catch(() => undefined);
    await init.waitExit(key, AbortSignal.timeout(5000)).catch(() => undefined);
  }
  const containers = (await pathExists(init, BUILD_RUN)) ? await cleanUp(parts, ids) : [];
  await init.start([
    ...containers.flatMap((id) =>
      cgroupDirs(parts.sandbox, id).map((path) => ({ kind: 'rmcgroup', path }) as const),
    ),
    { kind: 'rmtree', path: BUILD_RUN },
    ...[...onDisk]
      .filter((id) => !kept.has(id))
      .map((id) => ({ kind: 'rmtree', path: `${IN_SANDBOX.dockerRoot}/${BUILD_ROOT}/${id}` }) as const),
    ...buildDirectories.map((path) => ({ kind: 'mkdir', path, mode: 0o711 }) as const),
  ]);
  for (const key of keys) await init.forget(key).catch(() => undefined);
}

/** Unmounts what steps had mounted; gives the ids of their containers. */
async function cleanUp({ sandbox: { init } }: ContainerParts, ids: readonly string[]): Promise<string[]> {
  const argv = ['sh', '-c', CLEAN, 'clean', BUILD_RUN, ids.join(' '), IN_SANDBOX.run, IN_SANDBOX.crunRoot];
  const { stdout } = await capture(init, argv);
  return stdout.split('\n').filter((line) => /^[0-9a-f]{64}$/.test(line));
}

/** Ids of the layers that builds made and no image has, as they lie there. */
export async function layersOnDisk({ sandbox: { init } }: ContainerParts): Promise<string[]> {
  const root = `${IN_SANDBOX.dockerRoot}/${BUILD_ROOT}`;
  if (!(await pathExists(init, root))) return [];
  const { stdout } = await capture(init, ['ls', root]);
  return stdout.split('\n').filter((name) => /^[0-9a-f]{12}$/.test(name));
}
