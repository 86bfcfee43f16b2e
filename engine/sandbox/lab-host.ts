// One sandbox's life: started, reached, frozen, stopped, emptied, removed.

import { mkdir, rm } from 'node:fs/promises';
import { Conflict, messageOf, SystemError, Unavailable } from '../errors.ts';
import type { GroupPlace } from '../link/group.ts';
import type { Links } from '../link/links.ts';
import type { Logger } from '../log.ts';
import { killProcess, sleep } from '../runtime/cgroup-files.ts';
import type { Limits } from '../settings.ts';
import { readJsonFile, writeJsonFile } from '../store/json-file.ts';
import { bootSteps } from './boot.ts';
import { isSameProcess, processStartTime } from './host-process.ts';
import { InitClient } from './init-client.ts';
import type { InitApi } from './init-types.ts';
import { type LauncherParts, launch } from './launcher.ts';
import { waitForLoopDetach } from './loop-devices.ts';
import { Mutex } from './mutex.ts';
import { type SandboxPaths, sandboxPaths } from './paths.ts';
import { RuntimeNote, type SandboxRecord } from './record.ts';
import type { Sandbox } from './sandbox.ts';

export type SandboxState = 'running' | 'frozen' | 'stopped';

/** What others do when a sandbox comes up (is booted, or found again after the engine's restart) and goes down. */
export interface SandboxHooks {
  up(sandbox: LabHost): Promise<void>;
  down(sandbox: LabHost): Promise<void>;
  changed(sandbox: LabHost, state: SandboxState | 'reset' | 'deleted'): void;
}

export interface LabHostParts extends LauncherParts {
  links: Links;
  hooks: SandboxHooks;
  log: Logger;
}

export class LabHost implements Sandbox {
  readonly paths: SandboxPaths;
  readonly #parts: LabHostParts;
  readonly #log: Logger;
  readonly #mutex = new Mutex();
  #record: SandboxRecord;
  #client: InitClient | undefined;
  #runtime: RuntimeNote | undefined;
  #isFrozen = false;
  /** hooks.up was called and hooks.down was not yet */
  #isUp = false;

  constructor(record: SandboxRecord, parts: LabHostParts) {
    this.#record = record;
    this.#parts = parts;
    this.paths = sandboxPaths(parts.host, record.id);
    this.#log = parts.log.child({ sandbox: record.name, id: record.id });
  }

  get id(): string {
    return this.#record.id;
  }
  get name(): string {
    return this.#record.name;
  }
  get hostname(): string {
    return this.#record.hostname;
  }
  get limits(): Limits {
    return this.#record.limits;
  }
  get uidBase(): number {
    return this.#record.uidBase;
  }
  get link(): GroupPlace | undefined {
    return this.#record.link;
  }
  /** it asked for internet access; whether it has it is the operator's decision */
  get internet(): boolean {
    return this.#record.internet ?? false;
  }
  get created(): string {
    return this.#record.created;
  }
  get cgroupVersion(): 1 | 2 {
    return this.#parts.cgroups.version;
  }
  get cgroupControllers(): readonly string[] {
    return this.#parts.cgroups.controllers;
  }
  get stateDir(): string {
    return this.paths.state;
  }
  get dockerSocket(): string {
    return this.paths.dockerSocket;
  }
  /** host pid of its PID 1, 0 when it is stopped */
  get pid(): number {
    return this.#runtime?.pid ?? 0;
  }
  get state(): SandboxState {
    if (!this.#runtime) return 'stopped';
    return this.#isFrozen ? 'frozen' : 'running';
  }

  get init(): InitApi {
    if (!this.#client) throw new Unavailable(`sandbox ${this.name} is ${this.state}`);
    return this.#client;
  }

  /** Bytes of memory in use; undefined when stopped. */
  async memoryUsage(): Promise<number | undefined> {
    if (!this.#runtime) return undefined;
    return (await this.#parts.cgroups.usage(this.id))?.memory;
  }

  /** Every process of it, with the cgroup path as it sees it. */
  hostProcesses(): Promise<{ pid: number; cgroup: string }[]> {
    return this.#parts.cgroups.processes(this.id);
  }

  /** Starts it when it is stopped; a frozen one stays so. */
  start(): Promise<void> {
    return this.#mutex.run(() => this.#start());
  }

  /** Running and reachable when this resolves; Conflict when it is frozen. */
  async use(): Promise<this> {
    if (this.#isFrozen) throw new Conflict(`sandbox ${this.name} is frozen: thaw it first`);
    if (!this.#client) await this.start();
    return this;
  }

  async #start(): Promise<void> {
    if (this.#record.phase === 'deleting') throw new Conflict(`sandbox ${this.name} is being deleted`);
    if (this.#runtime) return;
    try {
      await this.#boot();
    } catch (error) {
      await this.#cleanUp();
      throw error;
    }
    this.#parts.hooks.changed(this, 'running');
  }

  async #boot(): Promise<void> {
    const { cgroups } = this.#parts;
    await mkdir(this.paths.state, { recursive: true, mode: 0o700 });
    const began = performance.now();
    const pid = await launch(this.#parts, this.#record, this.paths);
    const startTime = await processStartTime(pid);
    if (!startTime) throw new SystemError(`sandbox ${this.name}: its PID 1 ended at once`);
    const note: RuntimeNote = { pid, startTime, isBooted: false };
    await writeJsonFile(this.paths.runtime, note);
    const launched = performance.now();
    const [client, linkSteps] = await Promise.all([
      this.#connect(note),
      this.#parts.links.connect(this.#record, pid),
    ]);
    await client.start([...bootSteps(cgroups, this.hostname, this.link), ...linkSteps]);
    this.#runtime = { ...note, isBooted: true };
    await writeJsonFile(this.paths.runtime, this.#runtime);
    const booted = performance.now();
    await this.#goUp();
    const times = { launch: launched - began, boot: booted - launched, up: performance.now() - booted };
    this.#log.info({ pid, ms: times }, 'sandbox started');
  }

  async #connect(note: RuntimeNote): Promise<InitClient> {
    const client = new InitClient(this.paths.initSocket);
    await client.connect();
    client.onDown(() => void this.#onConnectionLost(client, note));
    this.#client = client;
    return client;
  }

  async #goUp(): Promise<void> {
    this.#isUp = true;
    await this.#parts.hooks.up(this);
  }

  async #goDown(): Promise<void> {
    if (this.#isUp) {
      this.#isUp = false;
      await this.#parts.hooks
        .down(this)
        .catch((error) => this.#log.error({ err: error }, 'closing a sandbox'));
    }
    this.#client?.close();
    this.#client = undefined;
  }

  /** The connection broke: its PID 1 is dead, or will be reached again (the client tries by itself). */
  async #onConnectionLost(client: InitClient, note: RuntimeNote): Promise<void> {
    while (this.#client === client && !client.isConnected) {
      if (!(await isSameProcess(note))) {
        await this.#mutex.run(() => this.#onDeath(client));
        return;
      }
      await sleep(100);
    }
  }

  async #onDeath(client: InitClient): Promise<void> {
    if (this.#client !== client) return;
    this.#log.warn('PID 1 of the sandbox ended');
    await this.#cleanUp().catch((error) =>
      this.#log.error({ err: error }, 'cleaning up after a dead sandbox'),
    );
    this.#parts.hooks.changed(this, 'stopped');
  }

  /** After the engine's restart: takes up the connection to what runs, or clears away what does not. */
  async recover(): Promise<void> {
    await this.#mutex.run(async () => {
      const note = await readJsonFile(this.paths.runtime, RuntimeNote).catch(() => undefined);
      if (!note?.isBooted || !(await isSameProcess(note))) {
        await this.#cleanUp();
        return;
      }
      this.#runtime = note;
      this.#isFrozen = await this.#parts.cgroups.isFrozen(this.id);
      if (!this.#isFrozen) await this.#reach(note);
    });
  }

  async #reach(note: RuntimeNote): Promise<void> {
    await this.#connect(note);
    await this.#goUp();
  }

  freeze(): Promise<void> {
    return this.#mutex.run(async () => {
      if (!this.#runtime) throw new Conflict(`sandbox ${this.name} is stopped`);
      if (this.#isFrozen) return;
      await this.#parts.cgroups.freeze(this.id);
      this.#isFrozen = true;
      this.#parts.hooks.changed(this, 'frozen');
    });
  }

  thaw(): Promise<void> {
    return this.#mutex.run(async () => {
      if (!this.#isFrozen || !this.#runtime) return;
      await this.#parts.cgroups.thaw(this.id);
      this.#isFrozen = false;
      if (!this.#client) await this.#reach(this.#runtime);
      this.#parts.hooks.changed(this, 'running');
    });
  }

  /** Back to an empty disk, running, with the same name, limits and ids. */
  reset(): Promise<void> {
    return this.#mutex.run(async () => {
      await this.#setPhase('resetting');
      await this.#cleanUp();
      await this.#empty();
      await this.#start();
      this.#parts.hooks.changed(this, 'reset');
    });
  }

  /** Removes everything of it. */
  delete(): Promise<void> {
    return this.#mutex.run(async () => {
      await this.#setPhase('deleting');
      await this.#cleanUp();
      await rm(this.paths.data, { recursive: true, force: true });
      this.#parts.hooks.changed(this, 'deleted');
    });
  }

  /** Finishes what a crash of the engine left half done; false when the sandbox is gone then. */
  async finishInterrupted(): Promise<boolean> {
    if (this.#record.phase === 'ready') return true;
    if (this.#record.phase === 'resetting') {
      await this.#cleanUp();
      await this.#empty();
      return true;
    }
    await this.#cleanUp();
    await rm(this.paths.data, { recursive: true, force: true });
    return false;
  }

  async #empty(): Promise<void> {
    await rm(this.paths.disk, { force: true });
    await rm(this.paths.state, { recursive: true, force: true });
    await this.#setPhase('ready');
  }

  /** Records it for the first time, and starts it; leaves nothing behind when that fails. */
  create(): Promise<void> {
    return this.#mutex.run(async () => {
      try {
        await writeJsonFile(this.paths.record, this.#record);
        await this.#start();
        await this.#setPhase('ready');
      } catch (error) {
        await this.#cleanUp();
        await rm(this.paths.data, { recursive: true, force: true });
        throw error;
      }
    });
  }

  /** Lets go of it without touching what runs: the engine ends, the sandbox goes on. */
  async release(): Promise<void> {
    await this.#mutex.run(() => this.#goDown());
  }

  async #setPhase(phase: SandboxRecord['phase']): Promise<void> {
    this.#record = { ...this.#record, phase };
    await writeJsonFile(this.paths.record, this.#record);
  }

  /** Ends everything that runs in it and removes what is of no use without: afterwards it is stopped. */
  async #cleanUp(): Promise<void> {
    const { cgroups } = this.#parts;
    const runtime = this.#runtime;
    await this.#goDown();
    if (runtime && (await isSameProcess(runtime))) {
      // PID 1's death ends its whole pid namespace; a frozen one sees it when it is thawed for the kill
      killProcess(runtime.pid);
    }
    await cgroups.kill(this.id);
    await cgroups.remove(this.id);
    this.#runtime = undefined;
    this.#isFrozen = false;
    await waitForLoopDetach(this.paths.disk);
    await rm(this.paths.run, { recursive: true, force: true });
  }

  toString(): string {
    return `sandbox ${this.name}`;
  }
}

/** For logs: why a sandbox could not be taken up again. */
export function describeFailure(host: LabHost, error: unknown): string {
  return `${host}: ${messageOf(error)}`;
}
