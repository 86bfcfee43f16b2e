// -v and HostConfig.Binds: `source:destination[:mode]`, parsed and checked in Docker's words.

import path from 'node:path';
import { InvalidParameter } from '../errors.ts';
import { PLAIN } from './mount-point.ts';
import { checkDestination, cleanTarget, PROPAGATIONS, type RequestedMount } from './mount-request.ts';

/** At most one of each kind may be given. */
const MODES = {
  access: ['rw', 'ro'],
  label: ['z', 'Z'],
  propagation: PROPAGATIONS,
  copy: ['nocopy'],
  consistency: ['consistent', 'cached', 'delegated', 'default'],
} as const;
type Kind = keyof typeof MODES;

/** Throws InvalidParameter. */
export function parseBind(spec: string, volumeDriver: string): RequestedMount {
  const invalid = (why?: string) =>
    new InvalidParameter(`invalid volume specification: '${spec}'${why ? `: ${why}` : ''}`);
  const parts = spec.split(':');
  const [first, second, mode = ''] = parts;
  if (parts.length > 3 || !first || second === '' || spec.includes('\0')) throw invalid();
  const [source, target] = second === undefined ? ['', first] : [first, second];
  const type = source.startsWith('/') ? 'bind' : 'volume';
  const wrong = (why: string) => invalid(`invalid mount config for type "${type}": ${why}`);
  const modes = parseMode(mode);
  if (type === 'bind' && modes.copy) throw wrong('field VolumeOptions must not be specified');
  if (type === 'volume' && modes.propagation) throw wrong('field BindOptions must not be specified');
  checkDestination(target, wrong);
  const writable = modes.access !== 'ro';
  const destination = cleanTarget(target);
  if (type === 'bind') {
    return {
      ...PLAIN,
      type,
      source: path.posix.normalize(source),
      destination,
      mode,
      writable,
      propagation: modes.propagation ?? 'rprivate',
      createsSource: true,
      recursiveReadOnly: !writable,
    };
  }
  return {
    ...PLAIN,
    type,
    name: source,
    destination,
    mode: source === '' ? mode : mode || 'z',
    writable,
    isAnonymous: source === '',
    isFilled: !modes.copy,
    request: { name: source, driver: volumeDriver, options: {}, labels: null },
  };
}

/** The mode's words by kind. Throws InvalidParameter for unknown words, and for two of a kind. */
export function parseMode(mode: string): Partial<Record<Kind, string>> {
  const found: Partial<Record<Kind, string>> = {};
  for (const word of mode === '' ? [] : mode.split(',')) {
    const kind = kindOf(word);
    if (kind === undefined || found[kind] !== undefined) throw new InvalidParameter(`invalid mode: ${mode}`);
    found[kind] = word;
  }
  return found;
}

function kindOf(word: string): Kind | undefined {
  const kinds: Kind[] = ['access', 'label', 'propagation', 'copy', 'consistency'];
  return kinds.find((kind) => MODES[kind].some((each) => each === word));
}
