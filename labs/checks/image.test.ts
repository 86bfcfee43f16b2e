import { describe, expect, it } from 'vitest';
import { evaluateYaml } from '../support/evaluate.ts';
import { FakeHost } from '../support/fake-host.ts';

describe('check image', () => {
  const host = new FakeHost();
  const image = {
    Id: 'sha256:aaaaaaaaaaaabbbb',
    RepoTags: ['app:latest'],
    Size: 5 * 2 ** 20,
    Config: {
      User: 'app',
      Cmd: ['nginx', '-g', 'daemon off;'],
      Entrypoint: null,
      ExposedPorts: { '80/tcp': {} },
      Labels: { team: 'blue' },
      Env: ['MODE=prod'],
      WorkingDir: '/srv',
    },
    RootFS: { Layers: ['sha256:1', 'sha256:2'] },
  };
  host.docker.set('/images/app/json', image);
  host.docker.set('/images/registry%3A5000/app%3Av1/json', image);
  const evaluate = (yaml: string) => evaluateYaml(`image: ${yaml}`, host);

  it.each([
    '{ name: app }',
    '{ name: app, user: app, cmd: [nginx, -g, "daemon off;"], exposes: 80, workdir: /srv }',
    '{ name: app, env: { MODE: prod }, labels: { team: blue }, layers: { max: 2 }, maxSize: 5m }',
    '{ name: app, sameAs: registry:5000/app:v1 }',
    '{ name: gone, absent: true }',
  ])('passes for %s', async (yaml) => {
    expect(await evaluate(yaml)).toEqual({ passed: true });
  });

  it.each([
    ['{ name: gone }', 'no such image'],
    ['{ name: app, absent: true }', 'it is there'],
    ['{ name: app, user: root, layers: 1 }', 'user app; 2 layers'],
    ['{ name: app, maxSize: 4m }', '5 MiB'],
    ['{ name: app, sameAs: other }', 'id of other: not set'],
    ['{ name: app, exposes: [443, 80] }', 'exposed 80/tcp'],
  ])('fails for %s', async (yaml, found) => {
    expect(await evaluate(yaml)).toMatchObject({ passed: false, found });
  });
});
