// The keys by which a client leaves a terminal without ending the program (default ctrl-p ctrl-q).

import { InvalidParameter } from '../errors.ts';

const DEFAULT_KEYS = 'ctrl-p,ctrl-q';

/** The bytes of `ctrl-x,q`. Throws InvalidParameter in Docker's words. */
export function parseDetachKeys(text: string): number[] {
  return (text || DEFAULT_KEYS).split(',').map((key) => {
    if (/^[\x20-\x7e]$/.test(key)) return key.charCodeAt(0);
    const control = /^ctrl-([a-z@[\\\]^_])$/.exec(key)?.[1];
    if (control === undefined) throw new InvalidParameter(`Invalid detach keys (${text}) provided`);
    return control.toUpperCase().charCodeAt(0) - 64;
  });
}

/** Watches input for the keys and holds them back as long as they may be the sequence. */
export class DetachFilter {
  private readonly keys: readonly number[];
  private matched = 0;

  constructor(keys: string) {
    this.keys = parseDetachKeys(keys);
  }

  /** What to pass on, and whether the sequence is complete; nothing after it is passed on. */
  push(chunk: Buffer): { data: Buffer; isDetached: boolean } {
    const out: number[] = [];
    for (const byte of chunk) {
      if (byte !== this.keys[this.matched]) {
        out.push(...this.keys.slice(0, this.matched));
        this.matched = 0;
      }
      if (byte !== this.keys[this.matched]) {
        out.push(byte);
        continue;
      }
      this.matched += 1;
      if (this.matched === this.keys.length) {
        this.matched = 0;
        return { data: Buffer.from(out), isDetached: true };
      }
    }
    return { data: Buffer.from(out), isDetached: false };
  }
}
