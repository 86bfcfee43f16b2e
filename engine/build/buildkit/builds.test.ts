import { describe, expect, it } from 'vitest';
import type { BuildEvent } from '../progress.ts';
import { RunningBuilds } from './builds.ts';
import { SolveRequest } from './messages.ts';

const request = SolveRequest.decode(new Uint8Array());
const signal = new AbortController().signal;
const vertex = { digest: 'sha256:1', inputs: [], name: 'one', isCached: true, error: '' };
const event: BuildEvent = { type: 'vertex', ...vertex };

describe('builds of BuildKit’s clients', () => {
  it('tells a client that asks too late what happened, once', async () => {
    const builds = new RunningBuilds();
    const build = builds.begin('quick', request);
    build.log.add(event);
    builds.end(build);
    const told = [];
    for await (const status of (await builds.watch('quick', signal)).read(signal)) told.push(status);
    expect(told.flatMap(({ vertexes }) => vertexes ?? [])).toMatchObject([{ name: 'one', cached: true }]);
    await expect(builds.watch('quick', signal)).rejects.toThrow('no such job quick');
  });

  it('forgets at once what was watched, and remembers few others', async () => {
    const builds = new RunningBuilds();
    const build = builds.begin('watched', request);
    await builds.watch('watched', signal);
    builds.end(build);
    await expect(builds.watch('watched', signal)).rejects.toThrow('no such job watched');
    for (let n = 0; n < 20; n++) builds.end(builds.begin(`build${n}`, request));
    await expect(builds.watch('build0', signal)).rejects.toThrow('no such job build0');
    await expect(builds.watch('build19', signal)).resolves.toBeDefined();
  });
});
