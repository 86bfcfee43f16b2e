// The exec instances of one sandbox's containers: what was asked, and how it ended; recorded, so that the engine may go.

import { rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { messageOf, NotFound } from '../errors.ts';
import type { Logger } from '../log.ts';
import { readJsonDir, writeJsonFile } from '../store/json-file.ts';

/** POST /containers/{id}/exec, decoded. */
const ExecConfig = z.object({
  argv: z.array(z.string()),
  tty: z.boolean(),
  attachStdin: z.boolean(),
  attachStdout: z.boolean(),
  attachStderr: z.boolean(),
  env: z.array(z.string()),
  user: z.string(),
  workingDir: z.string(),
  privileged: z.boolean(),
  detachKeys: z.string(),
  consoleSize: z
    .tuple([z.number(), z.number()])
    .optional()
    .transform((value) => value),
});
export type ExecConfig = z.infer<typeof ExecConfig>;

const Exec = z.object({
  id: z.string().regex(/^[0-9a-f]{64}$/),
  containerId: z.string(),
  config: ExecConfig,
  state: z.enum(['created', 'running', 'ended']),
  exitCode: z.number().int().nullable(),
  pid: z.number().int(),
});
export type Exec = z.infer<typeof Exec>;

/** One that has ended is remembered for this long, so that its exit code can be asked for. */
const REMEMBERED_MS = 5 * 60_000;
/** Together; the oldest that ended goes first. */
const MAX_EXECS = 256;

export class ExecStore {
  private readonly byId = new Map<string, Exec>();
  private readonly timers = new Map<string, NodeJS.Timeout>();
  /** the last change of each one's record that is under way */
  private readonly writes = new Map<string, Promise<void>>();

  private constructor(
    private readonly directory: string,
    private readonly log: Logger,
    private readonly onForget: (exec: Exec) => void,
  ) {}

  /** Reads the records. `onForget` is told when an instance goes. */
  static async open(stateDir: string, log: Logger, onForget: (exec: Exec) => void): Promise<ExecStore> {
    const store = new ExecStore(path.join(stateDir, 'execs'), log, onForget);
    const onBad = (error: Error) => log.error({ err: error }, 'an exec record is damaged');
    for (const exec of (await readJsonDir(store.directory, Exec, onBad)).values()) {
      store.byId.set(exec.id, exec);
    }
    return store;
  }

  list(): Exec[] {
    return [...this.byId.values()];
  }

  /** Adds one; it is recorded when this resolves. */
  async add(exec: Exec): Promise<void> {
    this.byId.set(exec.id, exec);
    this.expire(exec);
    if (this.byId.size > MAX_EXECS) {
      const oldest = this.list().find((each) => each.state !== 'running');
      if (oldest) this.remove(oldest.id);
    }
    await this.record(exec);
  }

  /**
   * Writes down how it is now, after the changes before. A failure is only told in the log: what the record is for is a
   * crash of the engine, and that has not happened.
   */
  record(exec: Exec): Promise<void> {
    const text = { ...exec };
    return this.change(exec.id, () => writeJsonFile(this.file(exec.id), text));
  }

  /** Throws NotFound in Docker's words. */
  get(id: string): Exec {
    const exec = this.byId.get(id);
    if (!exec) throw new NotFound(`No such exec instance: ${id}`);
    return exec;
  }

  find(id: string): Exec | undefined {
    return this.byId.get(id);
  }

  /** Running: it stays until its end. */
  keep(exec: Exec): void {
    clearTimeout(this.timers.get(exec.id));
    this.timers.delete(exec.id);
  }

  /** Not running: it goes after a while. */
  expire(exec: Exec): void {
    this.keep(exec);
    const timer = setTimeout(() => this.remove(exec.id), REMEMBERED_MS);
    timer.unref();
    this.timers.set(exec.id, timer);
  }

  removeOf(containerId: string): void {
    for (const exec of [...this.byId.values()]) if (exec.containerId === containerId) this.remove(exec.id);
  }

  /** Resolves when what was to be recorded is. */
  async dispose(): Promise<void> {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
    await Promise.all(this.writes.values());
  }

  /** Lets one go, and its record. */
  remove(id: string): void {
    const exec = this.byId.get(id);
    clearTimeout(this.timers.get(id));
    this.timers.delete(id);
    this.byId.delete(id);
    this.change(id, () => rm(this.file(id), { force: true }));
    if (exec) this.onForget(exec);
  }

  private change(id: string, work: () => Promise<void>): Promise<void> {
    const before = this.writes.get(id) ?? Promise.resolve();
    const after = before
      .then(work)
      .catch((error) => this.log.warn({ err: error }, `an exec record was not changed: ${messageOf(error)}`))
      .finally(() => {
        if (this.writes.get(id) === after) this.writes.delete(id);
      });
    this.writes.set(id, after);
    return after;
  }

  private file(id: string): string {
    return path.join(this.directory, `${id}.json`);
  }
}
