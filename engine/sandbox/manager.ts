// All sandboxes: who there is by name, who gets which ids, and putting things right after a crash.

import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { Conflict, InvalidParameter, messageOf, NotFound, Unavailable } from '../errors.ts';
import type { GroupPlace } from '../link/group.ts';
import { UID_RANGE } from '../runtime/sandbox-spec.ts';
import type { Limits } from '../settings.ts';
import { BadRecord, readJsonFile } from '../store/json-file.ts';
import { LabHost, type LabHostParts } from './lab-host.ts';
import { SandboxRecord } from './record.ts';

export interface ManagerSettings {
  defaults: Limits;
  maxSandboxes: number;
  uidBase: number;
}

/** What a new sandbox should be; what is absent gets the default. */
export interface SandboxRequest {
  name: string;
  hostname?: string;
  limits?: { [K in keyof Limits]?: Limits[K] | undefined };
  /** the private link to be on; its own hostname is among the hosts */
  link?: GroupPlace;
  internet?: boolean;
}

export class SandboxManager {
  readonly #parts: LabHostParts;
  readonly #settings: ManagerSettings;
  readonly #byName = new Map<string, LabHost>();
  /** ids of directories that could not be read: never touched, never handed out */
  readonly #damaged = new Set<string>();

  constructor(parts: LabHostParts, settings: ManagerSettings) {
    this.#parts = parts;
    this.#settings = settings;
  }

  /** Loads the records and reconciles them with what is really there. Called once, before anything else. */
  async open(): Promise<void> {
    const { host, log } = this.#parts;
    await mkdir(host.sandboxes, { recursive: true, mode: 0o700 });
    await mkdir(host.running, { recursive: true, mode: 0o700 });
    const found: LabHost[] = [];
    for (const id of await readdir(host.sandboxes)) {
      const sandbox = await this.#load(id);
      if (sandbox) found.push(sandbox);
    }
    await this.#removeStrangers(new Set(found.map((sandbox) => sandbox.id)));
    await Promise.all(found.map((sandbox) => this.#recover(sandbox)));
    await this.#parts.links.keepOnlyThoseOf(this.list());
    log.info({ sandboxes: this.#byName.size }, 'sandboxes recovered');
  }

  async #load(id: string): Promise<LabHost | undefined> {
    const { host, log } = this.#parts;
    const directory = path.join(host.sandboxes, id);
    try {
      const record = await readJsonFile(path.join(directory, 'sandbox.json'), SandboxRecord);
      if (record?.id === id) return new LabHost(record, this.#parts);
      if (record) throw new BadRecord(directory, new Error("the id is another directory's"));
      // it was made or removed by half, and never acknowledged as being there
      await rm(directory, { recursive: true, force: true });
    } catch (error) {
      log.error({ err: error, id }, 'a sandbox record cannot be read; it is left as it is');
      this.#damaged.add(id);
    }
    return undefined;
  }

  /** Ends and removes what has no record: a crash came between the making and the writing. */
  async #removeStrangers(known: ReadonlySet<string>): Promise<void> {
    const { cgroups, host, log } = this.#parts;
    // of a damaged record only the files are kept: its range of ids may be handed out, so nothing may run with it
    for (const id of (await cgroups.list()).filter((id) => !known.has(id))) {
      log.warn({ id }, 'ending a sandbox without a record');
      await cgroups.kill(id);
      await cgroups.remove(id);
    }
    for (const id of (await readdir(host.running)).filter((id) => !known.has(id))) {
      await rm(path.join(host.running, id), { recursive: true, force: true });
    }
  }

  async #recover(sandbox: LabHost): Promise<void> {
    try {
      if (!(await sandbox.finishInterrupted())) return;
      this.#byName.set(sandbox.name, sandbox);
      await sandbox.recover();
    } catch (error) {
      this.#byName.set(sandbox.name, sandbox);
      this.#parts.log.error({ err: error, sandbox: sandbox.name }, 'a sandbox could not be recovered');
    }
  }

  list(): LabHost[] {
    return [...this.#byName.values()].sort((a, b) => a.name.localeCompare(b.name));
  }

  /** By name, or by id. */
  get(name: string): LabHost {
    const sandbox = this.#byName.get(name) ?? this.list().find((candidate) => candidate.id === name);
    if (!sandbox) throw new NotFound(`no such sandbox: ${name}`);
    return sandbox;
  }

  /** A sandbox that is running: one that was stopped is started again. */
  use(name: string): Promise<LabHost> {
    return this.get(name).use();
  }

  async create(request: SandboxRequest): Promise<LabHost> {
    if (this.#byName.has(request.name)) {
      throw new Conflict(`the sandbox name "${request.name}" is already in use`);
    }
    if (this.#byName.size >= this.#settings.maxSandboxes) {
      throw new Unavailable(
        `there are ${this.#byName.size} sandboxes already, the most allowed (BERTH_SANDBOX_MAX): delete one first`,
      );
    }
    this.#parts.links.uplink.check(request.internet);
    const record = this.#newRecord(request);
    if (record.link) this.#checkPlace(record.link, record.hostname);
    const sandbox = new LabHost(record, this.#parts);
    this.#byName.set(request.name, sandbox);
    try {
      await sandbox.create();
    } catch (error) {
      this.#byName.delete(request.name);
      throw error;
    }
    return sandbox;
  }

  #newRecord(request: SandboxRequest): SandboxRecord {
    const { defaults } = this.#settings;
    const asked = request.limits ?? {};
    return {
      version: 1,
      id: this.#newId(),
      name: request.name,
      hostname: request.hostname ?? hostnameOf(request.name),
      created: new Date().toISOString(),
      limits: {
        memory: asked.memory ?? defaults.memory,
        cpus: asked.cpus ?? defaults.cpus,
        pids: asked.pids ?? defaults.pids,
        disk: asked.disk ?? defaults.disk,
      },
      uidBase: this.#freeUidBase(),
      ...(request.link ? { link: { group: request.link.group, hosts: [...request.link.hosts] } } : {}),
      ...(request.internet ? { internet: true } : {}),
      phase: 'creating',
    };
  }

  /** Everyone on a link has the same idea of it, and a place of their own. */
  #checkPlace({ group, hosts }: GroupPlace, hostname: string): void {
    if (!hosts.includes(hostname)) {
      throw new InvalidParameter(
        `the hostname ${hostname} is not among the hosts of the group: ${hosts.join(', ')}`,
      );
    }
    for (const other of this.list().filter(({ link }) => link?.group === group)) {
      if (other.hostname === hostname) {
        throw new Conflict(`the group ${group} has a lab host ${hostname} already: ${other.name}`);
      }
      if (other.link?.hosts.join() !== hosts.join()) {
        throw new Conflict(`the group ${group} consists of ${other.link?.hosts.join(', ')}`);
      }
    }
  }

  #newId(): string {
    for (;;) {
      const id = randomBytes(6).toString('hex');
      if (!this.#damaged.has(id) && !this.list().some((sandbox) => sandbox.id === id)) return id;
    }
  }

  /** The lowest range that nobody has; a sandbox keeps its own until it is wholly gone. */
  #freeUidBase(): number {
    const taken = new Set(this.list().map((sandbox) => sandbox.uidBase));
    let base = this.#settings.uidBase;
    while (taken.has(base)) base += UID_RANGE;
    if (base + UID_RANGE > 0xffff_fff0) throw new Unavailable('no user id range is left for another sandbox');
    return base;
  }

  async delete(name: string): Promise<void> {
    const sandbox = this.get(name);
    await sandbox.delete();
    if (this.#byName.get(sandbox.name) === sandbox) this.#byName.delete(sandbox.name);
    if (sandbox.link || sandbox.internet) await this.#parts.links.keepOnlyThoseOf(this.list());
  }

  /** The engine ends; sandboxes go on. */
  async release(): Promise<void> {
    const results = await Promise.allSettled(this.list().map((sandbox) => sandbox.release()));
    for (const result of results) {
      if (result.status === 'rejected') this.#parts.log.error(messageOf(result.reason));
    }
  }
}

/** A hostname from a sandbox's name: dots and underscores are no part of one label. */
function hostnameOf(name: string): string {
  return name.replace(/[^a-z0-9-]/g, '-').replace(/-+$/, '') || 'lab';
}
