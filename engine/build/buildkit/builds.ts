// The builds that BuildKit's clients have under way: calls of one build come apart (Solve, Status, the gateway's) and meet here.

import { Unavailable } from '../../errors.ts';
import { Code, GrpcError } from '../grpc/status.ts';
import type { Value } from '../proto/message.ts';
import type { GatewaySolveRequest, SolveRequest } from './messages.ts';
import { StatusLog } from './status.ts';

export const BUILD_LIMITS = {
  /** builds of a sandbox that are known at a time */
  builds: 32,
  /** builds that are over and still known to be */
  remembered: 128,
  /** builds that are over and that nobody has watched yet; and milliseconds for which they can be */
  unwatched: 8,
  unwatchedFor: 5000,
  /** questions to the front end in one build */
  results: 200,
  /** milliseconds that one of a build's calls waits for the build itself */
  arrival: 10_000,
} as const;

/** A value that comes later. */
class Later<T> {
  readonly promise: Promise<T>;
  #resolve: (value: T) => void = () => undefined;
  isThere = false;

  constructor() {
    this.promise = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  set(value: T): void {
    this.isThere = true;
    this.#resolve(value);
  }
}

/** What a client's callback ended with: the result that is to be exported, or its error. */
export type Returned = { kind: 'result'; id: string } | { kind: 'error'; error: GrpcError };

/** One build, from the first call that names it to the end of its Solve. */
export class RunningBuild {
  readonly log = new StatusLog();
  readonly solve = new Later<Value<typeof SolveRequest>>();
  readonly returned = new Later<Returned>();
  /** somebody hears of its steps */
  isWatched = false;
  /** what the gateway was asked, by the reference that it answered with */
  readonly results = new Map<string, Value<typeof GatewaySolveRequest>>();
  readonly #ending = new AbortController();

  constructor(readonly ref: string) {}

  /** aborted when the build is over */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  addResult(request: Value<typeof GatewaySolveRequest>): string {
    if (this.results.size >= BUILD_LIMITS.results) {
      throw new GrpcError(Code.RESOURCE_EXHAUSTED, 'too many results in one build');
    }
    const id = `${this.ref}:${this.results.size}`;
    this.results.set(id, request);
    return id;
  }

  end(): void {
    this.log.end();
    this.#ending.abort(new GrpcError(Code.CANCELLED, 'context canceled'));
  }
}

export class RunningBuilds {
  readonly #builds = new Map<string, RunningBuild>();
  /** over before a client's Status came: it may come yet */
  readonly #unwatched = new Map<string, StatusLog>();
  /** the latest that are over: their calls need not wait */
  readonly #ended = new Set<string>();

  /** The build that Solve begins. */
  begin(ref: string, request: Value<typeof SolveRequest>): RunningBuild {
    const build = this.#of(ref);
    if (build.solve.isThere) throw new GrpcError(Code.UNKNOWN, `job ID ${ref} exists`);
    build.solve.set(request);
    return build;
  }

  end(build: RunningBuild): void {
    build.end();
    if (this.#builds.get(build.ref) !== build) return;
    this.#builds.delete(build.ref);
    this.#ended.add(build.ref);
    if (!build.isWatched && build.solve.isThere) this.#keepForStatus(build);
    const [oldest] = this.#ended;
    if (oldest !== undefined && this.#ended.size > BUILD_LIMITS.remembered) this.#ended.delete(oldest);
  }

  #keepForStatus({ ref, log }: RunningBuild): void {
    this.#unwatched.set(ref, log);
    const [oldest] = this.#unwatched.keys();
    if (oldest !== undefined && this.#unwatched.size > BUILD_LIMITS.unwatched) this.#unwatched.delete(oldest);
    setTimeout(() => this.#unwatched.delete(ref), BUILD_LIMITS.unwatchedFor).unref();
  }

  /** What a build tells, from its beginning; also when it was over before anybody asked. Throws GrpcError. */
  async watch(ref: string, signal: AbortSignal): Promise<StatusLog> {
    const late = this.#unwatched.get(ref);
    this.#unwatched.delete(ref);
    if (late) return late;
    const build = await this.find(ref, signal);
    build.isWatched = true;
    return build.log;
  }

  /** A build that another call names, once its Solve is there. Throws GrpcError when that does not come. */
  async find(ref: string, signal: AbortSignal): Promise<RunningBuild> {
    if (this.#ended.has(ref)) throw new GrpcError(Code.NOT_FOUND, `no such job ${ref}`);
    const build = this.#of(ref);
    if (build.solve.isThere) return build;
    let timer: NodeJS.Timeout | undefined;
    const given = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, BUILD_LIMITS.arrival);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([build.solve.promise, given]);
    clearTimeout(timer);
    signal.throwIfAborted();
    if (build.solve.isThere) return build;
    this.end(build);
    throw new GrpcError(Code.NOT_FOUND, `no such job ${ref}`);
  }

  #of(ref: string): RunningBuild {
    if (!/^[\x21-\x7e]{1,200}$/.test(ref)) throw new GrpcError(Code.INVALID_ARGUMENT, 'the build has no id');
    const known = this.#builds.get(ref);
    if (known) return known;
    if (this.#builds.size >= BUILD_LIMITS.builds) throw new Unavailable('too many builds at a time');
    const build = new RunningBuild(ref);
    this.#builds.set(ref, build);
    return build;
  }
}
