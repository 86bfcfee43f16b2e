import { describe, expect, it } from 'vitest';
import { NotFound } from '../../errors.ts';
import type { OciImageConfig } from '../../image/oci-image.ts';
import type { BuildRequest } from '../build.ts';
import { BuildError } from '../error.ts';
import type { BuildPlan, Vertex } from '../graph.ts';
import type { BuildEvent } from '../progress.ts';
import { checkDockerfile, planDockerfile } from './plan.ts';

const BASE: OciImageConfig = {
  architecture: 'amd64',
  os: 'linux',
  config: { Env: ['PATH=/bin', 'A=base'], Cmd: ['sh'], WorkingDir: '/w' },
  rootfs: { type: 'layers', diff_ids: [`sha256:${'1'.repeat(64)}`] },
  history: [{ created_by: 'base', created: '2026-01-01T00:00:00Z' }],
};

interface Options {
  files?: Record<string, string>;
  args?: Record<string, string>;
  target?: string;
  noCache?: boolean | string[];
  namedContexts?: BuildRequest['namedContexts'];
  images?: Record<string, Partial<OciImageConfig>>;
}

function request(dockerfile: string, options: Options, events: BuildEvent[]): BuildRequest {
  const files: Record<string, string> = { Dockerfile: dockerfile, ...options.files };
  return {
    id: 'test',
    client: {
      fetchContext: () => Promise.reject(new Error('not asked for')),
      readFile: async (_, path) => (files[path] === undefined ? undefined : Buffer.from(files[path] ?? '')),
      secret: async () => undefined,
      ssh: async () => undefined,
      credentials: async () => undefined,
    },
    contextName: 'context',
    dockerfile: { contextName: 'dockerfile', path: 'Dockerfile' },
    target: options.target ?? '',
    buildArgs: new Map(Object.entries(options.args ?? {})),
    labels: new Map(),
    namedContexts: options.namedContexts ?? new Map(),
    noCache: options.noCache ?? false,
    pulls: false,
    platform: '',
    network: 'default',
    extraHosts: [],
    shmSize: 0,
    ulimits: [],
    cgroupParent: '',
    sourceDateEpoch: undefined,
    output: { type: 'none' },
    onProgress: (event) => events.push(event),
    signal: new AbortController().signal,
  };
}

async function resolveFor(options: Options, reference: string) {
  const found = options.images?.[reference];
  if (found === undefined && reference !== 'docker.io/library/base:latest') {
    throw new NotFound(`pull access denied for ${reference}`);
  }
  return { imageId: 'sha256:base', config: { ...BASE, ...found } };
}

const plan = (dockerfile: string, options: Options = {}, events: BuildEvent[] = []): Promise<BuildPlan> =>
  planDockerfile(request(dockerfile, options, events), (reference) => resolveFor(options, reference));

async function failure(dockerfile: string, options: Options = {}): Promise<BuildError> {
  try {
    await plan(dockerfile, options);
  } catch (error) {
    if (error instanceof BuildError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

/** All steps, inputs first. */
function steps(root: Vertex | undefined, seen = new Set<Vertex>()): Vertex[] {
  if (root === undefined || seen.has(root)) return [];
  seen.add(root);
  return [...root.inputs.flatMap((input) => steps(input, seen)), root];
}

async function warnings(dockerfile: string, options: Options = {}): Promise<string[]> {
  const events: BuildEvent[] = [];
  await checkDockerfile(request(dockerfile, options, events), (reference) => resolveFor(options, reference));
  return events.flatMap((event) => (event.type === 'warning' ? [`${event.rule}: ${event.message}`] : []));
}

describe('the graph of a Dockerfile', () => {
  it('has the steps that are needed, named as in BuildKit', async () => {
    const { root, history, image } = await plan(
      `FROM base AS build
       ARG V=1
       RUN echo $V
       FROM base AS unused
       RUN false
       FROM base
       WORKDIR sub
       COPY --from=build /x /y
       COPY a b /c/
       RUN make
       CMD ["x"]`,
    );
    expect(steps(root).map(({ name }) => name)).toEqual([
      '[stage-2 1/5] FROM docker.io/library/base:latest',
      '[stage-2 2/5] WORKDIR sub',
      '[build 1/2] FROM docker.io/library/base:latest',
      '[build 2/2] RUN echo 1',
      '[stage-2 3/5] COPY --from=build /x /y',
      '[internal] load build context',
      '[stage-2 4/5] COPY a b /c/',
      '[stage-2 5/5] RUN make',
    ]);
    expect(history.map(({ createdBy, isEmptyLayer }) => [createdBy, isEmptyLayer])).toEqual([
      ['base', false],
      ['WORKDIR /w/sub', false],
      ['COPY /x /y # buildkit', false],
      ['COPY a b /c/ # buildkit', false],
      ['RUN /bin/sh -c make # buildkit', false],
      ['CMD ["x"]', true],
    ]);
    expect(image.config).toMatchObject({ WorkingDir: '/w/sub', Cmd: ['x'], ArgsEscaped: true });
    const context = steps(root).find(({ operation }) => operation.kind === 'local');
    expect(context?.operation).toMatchObject({ includePatterns: ['a', 'b'], excludePatterns: [] });
  });

  it('gives the same step the same digest, whatever it is called', async () => {
    const { root } = await plan(
      'FROM base AS a\nRUN x\nFROM base AS b\nRUN x\nFROM scratch\nCOPY --from=a / /\nCOPY --from=b / /',
    );
    const runs = steps(root).filter(({ operation }) => operation.kind === 'exec');
    expect(new Set(runs.map(({ digest }) => digest)).size).toBe(1);
    const other = await plan('FROM base\nENV A=1\nRUN x');
    expect(other.root?.digest).not.toBe(runs[0]?.digest);
  });

  it('runs heredocs', async () => {
    const { root } = await plan(
      'FROM base\nRUN <<EOF\necho 1\necho 2\nEOF\nRUN <<S\n#!/bin/sh\nS\nRUN cat <<A\nx\nA\nCOPY <<f /d/\n$A "q"\nf\n',
    );
    const all = steps(root);
    expect(all.map(({ name }) => name).filter((name) => name.startsWith('['))).toEqual([
      '[1/5] FROM docker.io/library/base:latest',
      '[2/5] RUN <<EOF (echo 1...)',
      '[internal] preparing inline document',
      '[3/5] RUN <<S (#!/bin/sh)',
      '[4/5] RUN cat <<A',
      '[internal] preparing inline document',
      '[5/5] COPY <<f /d/',
    ]);
    const args = all.flatMap(({ operation }) => (operation.kind === 'exec' ? [operation.args] : []));
    expect(args).toEqual([
      ['/bin/sh', '-c', 'echo 1\necho 2\n'],
      ['/dev/pipes/S'],
      ['/bin/sh', '-c', 'cat <<A\nx\nA'],
    ]);
    const files = all.flatMap(({ operation }) => (operation.kind === 'file' ? operation.actions : []));
    expect(files).toContainEqual(expect.objectContaining({ type: 'makeFile', content: 'base "q"\n' }));
  });

  it('knows mounts, and names their stages', async () => {
    const { root } = await plan(
      'FROM base\nRUN --mount=target=/src --mount=type=cache,target=/c --mount=type=bind,from=base,target=x --mount=type=secret,id=s,env=S,required --mount=type=ssh true',
    );
    expect(root?.name).toBe(
      '[stage-0 2/2] RUN --mount=target=/src --mount=type=cache,target=/c --mount=type=bind,from=base,target=x --mount=type=secret,id=s,env=S,required --mount=type=ssh true',
    );
    expect(root?.inputs.map(({ name }) => name)).toEqual([
      '[stage-0 1/2] FROM docker.io/library/base:latest',
      '[internal] load build context',
      'FROM docker.io/library/base:latest',
    ]);
    expect(root?.operation).toMatchObject({
      mounts: [
        { type: 'bind', target: '/src', from: 1, source: '/', readonly: true },
        { type: 'cache', target: '/c', id: '/c', sharing: 'shared', from: undefined },
        { type: 'bind', target: '/w/x', from: 2 },
        { type: 'secret', target: undefined, env: 'S', id: 's', required: true, mode: 0o400 },
        { type: 'ssh', target: '/run/buildkit/ssh_agent.0', id: 'default' },
      ],
      env: ['PATH=/bin', 'A=base', 'SSH_AUTH_SOCK=/run/buildkit/ssh_agent.0'],
    });
  });

  it('runs the triggers of a base', async () => {
    const images = {
      'docker.io/library/on:latest': { config: { OnBuild: ['COPY . /app', 'RUN <<E\ntrue\nE'] } },
    };
    const { root, image } = await plan('FROM on\nRUN last', { images });
    expect(steps(root).map(({ name }) => name)).toEqual([
      '[1/2] FROM docker.io/library/on:latest',
      '[internal] load build context',
      '[2/4] ONBUILD COPY . /app',
      '[3/4] ONBUILD RUN <<E (true)',
      '[4/4] RUN last',
    ]);
    expect(image.config).not.toHaveProperty('OnBuild');
  });

  it('uses named contexts instead of images and stages', async () => {
    const namedContexts: BuildRequest['namedContexts'] = new Map([
      ['alpine', { kind: 'image', reference: 'base' }],
      ['src', { kind: 'local', name: 'other' }],
    ] as const);
    const { root } = await plan('FROM alpine\nCOPY --from=src a /', {
      namedContexts,
      files: { '.dockerignore': 'x' },
    });
    expect(steps(root).map(({ name }) => name)).toEqual([
      '[context alpine] docker.io/library/base:latest',
      '[context src] load from client',
      '[stage-0 1/2] COPY --from=src a /',
    ]);
    expect(root?.inputs[1]?.operation).toMatchObject({
      name: 'other',
      includePatterns: ['a'],
      excludePatterns: ['x'],
    });
  });

  it('is empty for an image without layers', async () => {
    const { root, image } = await plan('FROM scratch\nCMD ["/x"]');
    expect(root).toBeUndefined();
    expect(image.config).toMatchObject({
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    });
  });
});

describe('variables', () => {
  it('know build arguments, global ones, predefined ones and ENV', async () => {
    const { history, image } = await plan(
      'ARG G=g\nFROM base\nARG G\nARG X=$A-$G\nARG TARGETARCH\nENV E=$X F="$G $TARGETARCH"\nLABEL a=$E b=$NOPE\nRUN x',
      { args: { X: 'given', HTTP_PROXY: 'http://p' } },
    );
    expect(image.config).toMatchObject({
      Env: ['PATH=/bin', 'A=base', 'E=given', 'F=g amd64'],
      Labels: { a: 'given', b: '' },
    });
    expect(history.map(({ createdBy }) => createdBy).slice(1)).toEqual([
      'ARG G=g',
      'ARG X=given',
      'ARG TARGETARCH=amd64',
      'ENV E=given F=g amd64',
      'LABEL a=given b=',
      'RUN |3 G=g X=given TARGETARCH=amd64 /bin/sh -c x # buildkit',
    ]);
  });
});

describe('what a Dockerfile asks for wrongly', () => {
  it('is said in the words of BuildKit, with its place', async () => {
    const cases: readonly (readonly [text: string, message: string, line: number | undefined])[] = [
      [
        'FROM nope',
        'nope: failed to resolve source metadata for docker.io/library/nope:latest: pull access denied for docker.io/library/nope:latest',
        1,
      ],
      ['FROM $X', 'base name ($X) should not be blank', 1],
      [
        'FROM Base',
        'failed to parse stage name "Base": invalid reference format: repository name (library/Base) must be lowercase',
        1,
      ],
      ['FROM base\nCOPY --from=5 a b', 'invalid stage index 5', 2],
      [
        'FROM base AS a\nCOPY --from=b / /\nFROM base AS b\nCOPY --from=a / /',
        'circular dependency detected on stage: a',
        4,
      ],
      ['FROM base\nRUN --security=insecure true', 'security.insecure is not allowed', 2],
      ['FROM base\nRUN --network=host true', 'network.host is not allowed', 2],
      [
        'FROM base\nCOPY --chmod=99999 a b',
        "invalid chmod parameter: '99999'. it should be octal string and between 0 and 07777",
        2,
      ],
      ['FROM base\nCOPY https://x/y b', "source can't be a URL for COPY", 2],
      ['FROM base\nEXPOSE 99999', 'invalid containerPort: 99999', 2],
      ['FROM base\nSTOPSIGNAL x', 'invalid signal: x', 2],
      ['FROM base\nRUN --mount=type=bind,target=/ true', 'invalid mount target "/"', 2],
      ['FROM base\nENV A=$' + '{B:?no}', 'failed to process "$' + '{B:?no}": B: no', 2],
    ];
    for (const [text, message, line] of cases) {
      const error = await failure(text);
      expect([error.message, error.source?.firstLine], text).toEqual([message, line]);
    }
    expect((await failure('FROM base AS build', { target: 'biuld' })).message).toBe(
      'target stage "biuld" could not be found (did you mean build?)',
    );
  });

  it('is bounded', async () => {
    const doubling = 'ENV A=$A$A\n'.repeat(60);
    expect((await failure(`FROM base\nENV A=xxxxxxxxxxxxxxxx\n${doubling}`)).message).toContain(
      'longer than',
    );
    const chain = Array.from(
      { length: 2_000 },
      (_, i) => `FROM ${i === 0 ? 'base' : `s${i - 1}`} AS s${i}\nRUN ${i}\n`,
    );
    expect(steps((await plan(chain.slice(0, 500).join(''))).root)).toHaveLength(501);
    await plan(chain.join(''));
  });
});

describe('build checks', () => {
  it('find what BuildKit finds', async () => {
    expect(
      await warnings(
        'from base as Build\nENV a b\nMAINTAINER me\nCMD x\nCMD ["y"]\nWORKDIR r\nENV API_KEY=1\nRun $UNDEF\nEXPOSE 80/TCP 1:2\nCOPY $PHAT /\nCOPY x /',
        {
          files: { '.dockerignore': 'x' },
        },
      ),
    ).toEqual([
      "StageNameCasing: Stage name 'Build' should be lowercase",
      'MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label',
      "ConsistentInstructionCasing: Command 'from' should match the case of the command majority (uppercase)",
      "ConsistentInstructionCasing: Command 'Run' should match the case of the command majority (uppercase)",
      'LegacyKeyValueFormat: "ENV key=value" should be used instead of legacy "ENV key value" format',
      'JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals',
      'MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the same stage because only the last one will be used',
      'WorkdirRelativePath: Relative workdir "r" can have unexpected results if the base image changes',
      'SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV "API_KEY")',
      "ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '1:2'",
      "ExposeProtoCasing: Defined protocol '80/TCP' in EXPOSE instruction should be lowercase",
      "UndefinedVar: Usage of undefined variable '$PHAT' (did you mean $PATH?)",
      'CopyIgnoredFile: Attempting to Copy file "x" that is excluded by .dockerignore',
    ]);
  });

  it('can be skipped, and can fail the build', async () => {
    expect(
      await warnings(
        '# check=skip=StageNameCasing\nFROM base AS X\n# check=skip=WorkdirRelativePath\nWORKDIR x',
      ),
    ).toEqual([]);
    expect((await failure('# check=error=true\nFROM base AS X')).message).toBe(
      'lint violation found for rules: StageNameCasing',
    );
    expect((await failure('# check=foo\nFROM base')).message).toContain('invalid check option "foo"');
  });
});
