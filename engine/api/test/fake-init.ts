// A stand-in for PID 1 in tests of the daemon's logic: it runs nothing and is told when a process ends.

import { NotFound } from '../../errors.ts';
import {
  type Attachment,
  type FileStream,
  type InitApi,
  type ProcessSpec,
  type ProcessState,
  StartFailed,
  type Step,
} from '../../sandbox/init-types.ts';

export class FakeInit implements InitApi {
  /** every START: its steps, and the key of its process */
  readonly starts: { steps: readonly Step[]; key: string | undefined }[] = [];
  readonly forgotten: string[] = [];
  /** the next START with a process fails with this text */
  failNext: string | undefined;
  private readonly known = new Map<string, ProcessState>();
  private readonly listeners = new Set<(process: ProcessState) => void>();

  async start(steps: readonly Step[], process?: ProcessSpec): Promise<{ pid: number }> {
    this.starts.push({ steps, key: process?.key });
    if (!process) return { pid: 0 };
    const failure = this.failNext;
    this.failNext = undefined;
    if (failure !== undefined) throw new StartFailed(steps.length - 1, 5, 1, failure);
    this.run(process.key);
    // programs of the lab host end at once
    if (process.key.startsWith('run.')) this.exit(process.key, 0, { unseen: true });
    return { pid: 42 };
  }

  async listenDns(): Promise<void> {}
  onDnsQuery(): () => void {
    return () => {};
  }
  answerDns(): void {}

  /** A process that runs, as if an earlier engine had started it. */
  run(key: string): void {
    const started = BigInt(Date.now()) * 1_000_000n;
    const state = {
      key,
      pid: 42,
      state: 'running',
      status: 0,
      started,
      finished: 0n,
      oomKilled: false,
    } as const;
    this.known.set(key, state);
  }

  /** The process ends; listeners are told unless nobody was there to see it. */
  exit(key: string, status: number, options: { unseen?: boolean } = {}): void {
    const process = this.known.get(key);
    if (!process) throw new Error(`no process ${key}`);
    const ended: ProcessState = {
      ...process,
      state: 'ended',
      status,
      finished: BigInt(Date.now()) * 1_000_000n,
    };
    this.known.set(key, ended);
    if (!options.unseen) for (const listener of this.listeners) listener(ended);
  }

  async signal(key: string, signal: number): Promise<void> {
    if (this.known.get(key)?.state !== 'running') throw new NotFound(`signal ${key}`);
    this.exit(key, 128 + signal);
  }

  async forget(key: string): Promise<void> {
    this.forgotten.push(key);
    this.known.delete(key);
  }

  async readFile(path: string): Promise<FileStream> {
    throw new NotFound(path);
  }

  async waitExit(key: string): Promise<ProcessState> {
    const process = this.known.get(key);
    if (process?.state !== 'ended') throw new NotFound(key);
    return process;
  }

  process(key: string): ProcessState | undefined {
    return this.known.get(key);
  }

  processes(): ProcessState[] {
    return [...this.known.values()];
  }

  onExit(listener: (process: ProcessState) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async reserve(): Promise<void> {}
  async resize(): Promise<void> {}

  /** Programs of the lab host say nothing; containers have no streams here. */
  async attach(key: string): Promise<Attachment> {
    if (!key.startsWith('run.')) throw new NotFound('the stand-in has no streams');
    return {
      stdin: { write: () => true, end: () => undefined, once: () => undefined },
      output: (async function* () {})(),
      close: () => undefined,
    };
  }

  dial(): never {
    throw new NotFound('the stand-in has no network');
  }
}
