// One look at a lab host: what the checks of one evaluation read of it, each thing read once and shared.

import type { ProcessInfo } from '../../engine/client/types.ts';
import type { LabHost } from '../host.ts';
import { ContainerDetail, ContainerSummary, ImageDetail } from './docker.ts';

/** The lab host as the checks of one evaluation see it. Make a new one for each evaluation. */
export class Look {
  private readonly lists = new Map<string, Promise<ContainerSummary[]>>();
  private readonly containerAnswers = new Map<string, Promise<ContainerDetail | undefined>>();
  private readonly imageAnswers = new Map<string, Promise<ImageDetail | undefined>>();
  private readonly processLists = new Map<string, Promise<ProcessInfo[]>>();

  constructor(
    readonly host: LabHost,
    /** aborted when the evaluation is over or given up */
    readonly signal: AbortSignal,
  ) {}

  /** Every container, stopped ones too. */
  containers(): Promise<ContainerSummary[]> {
    return once(this.lists, '', async () => {
      const { status, body } = await this.host.dockerGet('/containers/json?all=1', this.signal);
      if (status !== 200) throw new Error(`docker ps: ${messageIn(body, status)}`);
      return ContainerSummary.array().parse(body);
    });
  }

  /** A container by name or id. */
  container(nameOrId: string): Promise<ContainerDetail | undefined> {
    return once(this.containerAnswers, nameOrId, async () => {
      const body = await this.object('containers', nameOrId);
      return body === undefined ? undefined : ContainerDetail.parse(body);
    });
  }

  /** An image by reference or id. */
  image(reference: string): Promise<ImageDetail | undefined> {
    return once(this.imageAnswers, reference, async () => {
      const body = await this.object('images', reference);
      return body === undefined ? undefined : ImageDetail.parse(body);
    });
  }

  /** Every process, with the pid that the lab host knows it by. */
  processes(): Promise<ProcessInfo[]> {
    return once(this.processLists, '', () => this.host.processes(this.signal));
  }

  private async object(kind: string, name: string): Promise<unknown> {
    const path = `/${kind}/${name.split('/').map(encodeURIComponent).join('/')}/json`;
    const { status, body } = await this.host.dockerGet(path, this.signal);
    if (status === 404) return undefined;
    if (status !== 200) throw new Error(`docker inspect ${name}: ${messageIn(body, status)}`);
    return body;
  }
}

function once<T>(answers: Map<string, Promise<T>>, key: string, ask: () => Promise<T>): Promise<T> {
  const known = answers.get(key);
  if (known) return known;
  const answer = ask();
  answers.set(key, answer);
  return answer;
}

function messageIn(body: unknown, status: number): string {
  if (body && typeof body === 'object' && 'message' in body) return String(body.message);
  return `status ${status}`;
}
