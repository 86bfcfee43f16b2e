// BuildKit's LLBBridge service: a client's callback asks for Dockerfile builds and subrequests, and returns which is the result.

import { NotImplemented } from '../../errors.ts';
import { type Method, type ServerCall, unary } from '../grpc/server.ts';
import { Code, type Detail, GrpcError } from '../grpc/status.ts';
import type { BuildFronts } from '../parts.ts';
import type { Value } from '../proto/message.ts';
import type { RunningBuild } from './builds.ts';
import { describeFailure } from './errors.ts';
import { lint } from './lint.ts';
import {
  Empty,
  EvaluateRequest,
  GatewaySolveRequest,
  GatewaySolveResponse,
  InputsResponse,
  PongResponse,
  ReturnRequest,
} from './messages.ts';
import { checkFrontend, isDefined, noGraphs, prepare } from './solve.ts';
import { CAPABILITIES, describeWorker } from './worker.ts';

/** Names the build that a call belongs to. */
const BUILD_ID = 'buildkit-controlapi-buildid';

export function gatewayMethods(fronts: BuildFronts): [string, Method][] {
  const buildOf = ({ metadata, signal }: ServerCall) => {
    const id = metadata[BUILD_ID];
    return fronts.builds.find(typeof id === 'string' ? id : '', signal);
  };
  const methods: Record<string, Method> = {
    Ping: unary(Empty, PongResponse, async () => ({ ...CAPABILITIES, workers: [describeWorker(fronts)] })),
    Solve: unary(GatewaySolveRequest, GatewaySolveResponse, async (request, call) => {
      const build = await buildOf(call);
      try {
        return await answer(fronts, build, request, AbortSignal.any([call.signal, build.signal]));
      } catch (error) {
        throw describeFailure(error);
      }
    }),
    Return: unary(ReturnRequest, Empty, async ({ result, error }, call) => {
      const build = await buildOf(call);
      build.returned.set(
        error && error.code !== Code.OK
          ? { kind: 'error', error: returnedError(error.code, error.message, error.details) }
          : { kind: 'result', id: chosenRef(result) },
      );
      return {};
    }),
    // what a result needs is built once it is returned: a client cannot look into it before that
    Evaluate: unary(EvaluateRequest, Empty, async () => ({})),
    Inputs: unary(Empty, InputsResponse, async () => ({})),
  };
  return Object.entries(methods).map(([name, method]) => [
    `/moby.buildkit.v1.frontend.LLBBridge/${name}`,
    method,
  ]);
}

async function answer(
  fronts: BuildFronts,
  build: RunningBuild,
  request: Value<typeof GatewaySolveRequest>,
  signal: AbortSignal,
): Promise<Partial<Value<typeof GatewaySolveResponse>>> {
  if (isDefined(request.definition)) throw noGraphs();
  if (request.frontend === '') return { result: { ...NOTHING } };
  checkFrontend(request.frontend, request.frontendOpt);
  const subrequest = request.frontendOpt.get('requestid');
  const id = build.addResult(request);
  const ref = { id, def: undefined };
  if (subrequest === undefined) {
    return request.allowResultReturn ? { result: { ...NOTHING, ref } } : { ref: id };
  }
  const run = SUBREQUESTS[subrequest];
  if (!run) {
    throw new NotImplemented(`the subrequest ${subrequest.slice(0, 100)} is not supported by Berth`);
  }
  return { result: { ...NOTHING, metadata: await run(fronts, build, request.frontendOpt, signal) } };
}

const NOTHING: NonNullable<Value<typeof GatewaySolveResponse>['result']> = {
  refDeprecated: '',
  refsDeprecated: undefined,
  ref: undefined,
  refs: undefined,
  metadata: new Map(),
};

type Subrequest = (
  fronts: BuildFronts,
  build: RunningBuild,
  options: ReadonlyMap<string, string>,
  signal: AbortSignal,
) => Promise<Map<string, Buffer>>;

const SUBREQUESTS: Readonly<Record<string, Subrequest>> = {
  'frontend.lint': async (fronts, build, options, signal) => {
    const { request, dispose } = await prepare(fronts, build, options, { type: 'none' }, signal);
    try {
      return await lint(fronts.builder, request);
    } finally {
      await dispose();
    }
  },
};

function chosenRef(result: Value<typeof ReturnRequest>['result']): string {
  const several = [...(result?.refs?.refs.values() ?? [])].map(({ id }) => id);
  const old = [...(result?.refsDeprecated?.refs.values() ?? [])];
  return result?.ref?.id || several[0] || result?.refDeprecated || old[0] || '';
}

function returnedError(code: number, message: string, details: readonly Detail[]): GrpcError {
  return new GrpcError(code, message.slice(0, 16_384), details.slice(0, 16));
}
