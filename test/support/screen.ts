// What a terminal shows, as far as a test needs it: the bytes so far, without escape sequences.

import type { Duplex } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';

export class Screen {
  private bytes = '';

  constructor(private readonly stream: Duplex) {
    stream.on('data', (chunk: Buffer) => {
      this.bytes += chunk.toString('utf8');
    });
    stream.on('error', () => {});
  }

  get text(): string {
    return stripVTControlCharacters(this.bytes).replaceAll('\r', '');
  }

  type(text: string): void {
    this.stream.write(text);
  }

  /** Resolves once the text matches; rejects with the text after `timeout` milliseconds. */
  async waitFor(pattern: RegExp, timeout = 10_000): Promise<void> {
    const deadline = Date.now() + timeout;
    while (!pattern.test(this.text)) {
      if (Date.now() > deadline)
        throw new Error(`${pattern} did not appear in: ${JSON.stringify(this.text)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  close(): void {
    this.stream.destroy();
  }
}
