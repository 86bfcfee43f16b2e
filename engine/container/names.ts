// The embedded name server (127.0.0.11) of containers on user-defined networks: names of containers, and what lies beyond.

import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { netnsPath } from '../network/bridge.ts';
import {
  encodeAnswer,
  encodeFormatError,
  parseQuestion,
  type Question,
  RCODE,
  reverseAddress,
  TYPE,
} from '../network/dns.ts';
import { gatewayOf, type Networks } from '../network/networks.ts';
import type { Attachment } from '../network/record.ts';
import type { InitApi } from '../sandbox/init-types.ts';
import { dnsNames, hasNames } from './attachments.ts';
import { nameServers } from './files.ts';
import type { ContainerRecord } from './record.ts';
import type { ContainerStore } from './store.ts';

/** Questions of one sandbox that wait for a server beyond; more are refused at once. */
const MAX_FORWARDED = 64;
const FORWARD_TIMEOUT = 4000;
const MAX_ANSWER = 65535;
const LISTEN_TRIES = 20;
const LISTEN_PAUSE = 50;

interface NameParts {
  init: InitApi;
  containers: ContainerStore;
  networks: Networks;
}

export class NameServer {
  readonly #parts: NameParts;
  readonly #unwatch: () => void;
  /** namespaces that are listened in, by container */
  readonly #listening = new Map<string, string>();
  #forwarded = 0;

  constructor(parts: NameParts) {
    this.#parts = parts;
    this.#unwatch = parts.init.onDnsQuery(({ netns, query, message }) => {
      void this.#answer(netns, message).then(
        (answer) => parts.init.answerDns(query, answer),
        () => parts.init.answerDns(query, encodeFormatError(message)),
      );
    });
  }

  dispose(): void {
    this.#unwatch();
  }

  /** Begins to answer a container that is on a network with names; it asks nobody else. */
  async listen(record: ContainerRecord): Promise<void> {
    const { init, networks } = this.#parts;
    const netns = netnsPath(record.networkSandbox);
    if (!hasNames(networks, record) || this.#listening.get(record.id) === netns) return;
    for (let tries = 1; ; tries++) {
      try {
        await init.listenDns(netns);
        break;
      } catch (error) {
        // One that listens there since before this engine started may live on for a moment in what berth-init is starting.
        if (tries === LISTEN_TRIES) throw error;
        await sleep(LISTEN_PAUSE);
      }
    }
    this.#listening.set(record.id, netns);
  }

  /** The container is gone. */
  forget(id: string): void {
    this.#listening.delete(id);
  }

  async #answer(netns: string, message: Buffer): Promise<Buffer> {
    const question = parseQuestion(message);
    if (!question) return encodeFormatError(message);
    const asker = this.#containerIn(netns);
    if (!asker) return encodeAnswer(question, RCODE.serverFailure);
    const own = this.#own(asker, question);
    if (own) return own;
    return this.#forward(asker, question, message);
  }

  #containerIn(netns: string): ContainerRecord | undefined {
    return this.#parts.containers
      .list()
      .find(({ record }) => record.networkSandbox !== '' && netnsPath(record.networkSandbox) === netns)
      ?.record;
  }

  /** The answer from what this sandbox knows; undefined when it does not know the name. */
  #own(asker: ContainerRecord, question: Question): Buffer | undefined {
    const name = question.name.toLowerCase();
    if (question.type === TYPE.PTR) {
      const address = reverseAddress(name);
      const found = address === undefined ? undefined : this.#nameOf(asker, address);
      return found === undefined
        ? undefined
        : encodeAnswer(question, RCODE.ok, [{ type: TYPE.PTR, name: found }]);
    }
    const addresses = this.#addressesOf(asker, name);
    if (addresses.length === 0) return undefined;
    // A name that is there but has no record of this type is no reason to ask further.
    if (question.type !== TYPE.A && question.type !== TYPE.ANY) return encodeAnswer(question, RCODE.ok);
    const records = shuffled(addresses).map((address) => ({ type: TYPE.A, address }) as const);
    return encodeAnswer(question, RCODE.ok, records);
  }

  #addressesOf(asker: ContainerRecord, name: string): string[] {
    for (const attachment of this.#named(asker)) {
      const linked = linkedName(attachment, name);
      const found = this.#onNetwork(attachment).filter(([record, theirs]) =>
        linked === undefined
          ? dnsNames(record, theirs).some((each) => matches(name, each, attachment.name))
          : record.name === linked || record.id.startsWith(linked),
      );
      const addresses = found.flatMap(([, { endpoint }]) => endpoint?.address ?? []);
      if (addresses.length > 0) return addresses;
    }
    return [];
  }

  #nameOf(asker: ContainerRecord, address: string): string | undefined {
    for (const attachment of this.#named(asker)) {
      const found = this.#onNetwork(attachment).find(([, { endpoint }]) => endpoint?.address === address);
      if (found) return `${found[0].name}.${attachment.name}`;
    }
    return undefined;
  }

  /** Its networks that have names. */
  #named(record: ContainerRecord): Attachment[] {
    return record.networks.filter((attachment) => {
      const network = attachment.endpoint ? this.#parts.networks.bridgeOf(attachment) : undefined;
      return network !== undefined && !network.isDefault;
    });
  }

  /** Who runs on a network. */
  #onNetwork({ networkId }: Attachment): [ContainerRecord, Attachment][] {
    return this.#parts.containers.list().flatMap(({ record }) => {
      const attachment = record.networks.find((each) => each.networkId === networkId && each.endpoint);
      return attachment ? [[record, attachment] as [ContainerRecord, Attachment]] : [];
    });
  }

  /** Asks the servers that the container or the lab host names, by TCP from the lab host. */
  async #forward(asker: ContainerRecord, question: Question, message: Buffer): Promise<Buffer> {
    const hasWayOut = gatewayOf(asker.networks) !== undefined;
    if (hasWayOut && this.#forwarded < MAX_FORWARDED) {
      this.#forwarded++;
      try {
        for (const server of await nameServers(this.#parts.init, asker)) {
          const answer = await this.#ask(server, message).catch(() => undefined);
          if (answer) return answer;
        }
      } finally {
        this.#forwarded--;
      }
    }
    // No server beyond knows a name without a dot.
    const isOurs = !question.name.includes('.');
    return encodeAnswer(question, isOurs ? RCODE.noName : RCODE.serverFailure);
  }

  async #ask(server: string, message: Buffer): Promise<Buffer | undefined> {
    const socket = await this.#parts.init.dial(server, 53, { timeout: FORWARD_TIMEOUT });
    const timer = setTimeout(() => socket.destroy(), FORWARD_TIMEOUT);
    try {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(message.length);
      socket.end(Buffer.concat([length, message]));
      let received: Buffer = Buffer.alloc(0);
      socket.on('data', (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        if (received.length > MAX_ANSWER + 2 || isWhole(received)) socket.destroy();
      });
      socket.on('error', () => {});
      await once(socket, 'close');
      if (!isWhole(received)) return undefined;
      const answer = received.subarray(2, 2 + received.readUInt16BE(0));
      return answer.length >= 12 && answer.readUInt16BE(0) === message.readUInt16BE(0) ? answer : undefined;
    } finally {
      clearTimeout(timer);
      socket.destroy();
    }
  }
}

function isWhole(received: Buffer): boolean {
  return received.length >= 2 && received.length >= 2 + received.readUInt16BE(0);
}

/** `web`, or with the network's name behind it: `web.frontend`. */
function matches(asked: string, name: string, network: string): boolean {
  const own = name.toLowerCase();
  return asked === own || asked === `${own}.${network.toLowerCase()}`;
}

/** The container that a link of the asker's means by this name (`db:database`). */
function linkedName({ links }: Attachment, name: string): string | undefined {
  for (const link of links) {
    const [target = '', alias = target] = link.split(':');
    if (alias.toLowerCase() === name) return target;
  }
  return undefined;
}

/** In any order, so that clients that take the first spread over all. */
function shuffled(addresses: readonly string[]): string[] {
  const start = Math.floor(Math.random() * addresses.length);
  return [...addresses.slice(start), ...addresses.slice(0, start)];
}
