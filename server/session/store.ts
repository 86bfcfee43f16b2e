// What is stored of a session, so that it survives kill -9: written to a temporary name, synced, renamed.

import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { LabProgress } from '../../labs/run/state.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';

const Stored = z.object({ version: z.literal(1), lab: z.string(), progress: LabProgress });

/** Progress by session, one file each under `<stateDir>/sessions`. */
export class ProgressStore {
  readonly #directory: string;
  readonly #log: Logger;
  /** writes of one session happen one after the other */
  readonly #queues = new Map<string, Promise<void>>();

  constructor(stateDir: string, log: Logger) {
    this.#directory = path.join(stateDir, 'sessions');
    this.#log = log;
  }

  /** The stored progress; undefined when there is none or it cannot be read (which is logged, and the file kept aside). */
  async load(session: string): Promise<LabProgress | undefined> {
    const file = this.#fileOf(session);
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    if (text === undefined) return undefined;
    try {
      return Stored.parse(JSON.parse(text)).progress;
    } catch (error) {
      this.#log.error(
        { session, reason: messageOf(error) },
        'stored progress cannot be read; it is set aside',
      );
      await rename(file, `${file}.unreadable`);
      return undefined;
    }
  }

  /** Resolves when the progress is on the disk. */
  save(session: string, lab: string, progress: LabProgress): Promise<void> {
    const text = `${JSON.stringify({ version: 1, lab, progress }, undefined, 2)}\n`;
    const write = (this.#queues.get(session) ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => this.#write(this.#fileOf(session), text));
    this.#queues.set(session, write);
    const forget = () => {
      if (this.#queues.get(session) === write) this.#queues.delete(session);
    };
    write.then(forget, forget);
    return write;
  }

  #fileOf(session: string): string {
    return path.join(this.#directory, `${session}.json`);
  }

  async #write(file: string, text: string): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
    try {
      const handle = await open(temporary, 'wx', 0o600);
      try {
        await handle.writeFile(text);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, file);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
