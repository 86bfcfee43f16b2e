// Mount points that the runtime makes where a RUN's mounts go: they are not what the command made, and leave with the mounts.

import type { Step } from '../../sandbox/init-types.ts';
import { IN_SANDBOX } from '../../sandbox/sandbox.ts';
import type { Snapshot } from './snapshot.ts';

/** Removes empty folders and files of the new layer ($1) that no layer below has; arguments: layer, number of paths, paths, layers below. */
const REMOVE = `
files=$1 count=$2; shift 2
paths=
while [ "$count" -gt 0 ]; do paths="$paths$1
"; shift; count=$((count - 1)); done
printf %s "$paths" | while IFS= read -r path; do
  new=$files/$path
  for below; do [ -e "$below/$path" ] && continue 2; done
  [ -L "$new" ] && continue
  [ -d "$new" ] && rmdir "$new"
  [ -f "$new" ] && ! [ -s "$new" ] && rm -f "$new"
done 2>/dev/null
true`;

/** The step that removes them, once nothing is mounted any more; none where there were no mounts. */
export function stubSteps(directory: string, targets: readonly string[], { layers }: Snapshot): Step[] {
  const paths = [...new Set(targets.flatMap(withParents))].sort((a, b) => b.length - a.length);
  if (paths.length === 0 || paths.some((path) => path.includes('\n'))) return [];
  const below = layers.map(({ location }) => `${IN_SANDBOX.dockerRoot}/${location}`);
  const argv = ['sh', '-c', REMOVE, 'stubs', `${directory}/files`, String(paths.length), ...paths, ...below];
  return [{ kind: 'exec', argv }];
}

/** `a/b/c` may have made `a` and `a/b` as well. */
function withParents(target: string): string[] {
  const parts = target.split('/').filter((part) => part !== '' && part !== '.');
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}
