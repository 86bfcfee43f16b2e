// The exec instances of one sandbox's containers: what was asked, and how it ended.

import { NotFound } from '../errors.ts';
import type { OciProcess } from '../runtime/oci.ts';

/** POST /containers/{id}/exec, decoded. */
export interface ExecConfig {
  argv: string[];
  tty: boolean;
  attachStdin: boolean;
  attachStdout: boolean;
  attachStderr: boolean;
  env: string[];
  user: string;
  workingDir: string;
  privileged: boolean;
  detachKeys: string;
  consoleSize: [rows: number, cols: number] | undefined;
}

export interface Exec {
  id: string;
  containerId: string;
  config: ExecConfig;
  state: 'created' | 'running' | 'ended';
  exitCode: number | null;
  pid: number;
  /** as it was run */
  process?: OciProcess;
}

/** One that has ended is remembered for this long, so that its exit code can be asked for. */
const REMEMBERED_MS = 5 * 60_000;
/** Together; the oldest that ended goes first. */
const MAX_EXECS = 256;

export class ExecStore {
  private readonly byId = new Map<string, Exec>();
  private readonly timers = new Map<string, NodeJS.Timeout>();

  /** `onForget` is told when an instance goes. */
  constructor(private readonly onForget: (exec: Exec) => void) {}

  add(exec: Exec): void {
    this.byId.set(exec.id, exec);
    this.expire(exec);
    if (this.byId.size > MAX_EXECS) {
      const oldest = [...this.byId.values()].find((each) => each.state !== 'running');
      if (oldest) this.remove(oldest.id);
    }
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

  dispose(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
  }

  private remove(id: string): void {
    const exec = this.byId.get(id);
    clearTimeout(this.timers.get(id));
    this.timers.delete(id);
    this.byId.delete(id);
    if (exec) this.onForget(exec);
  }
}
