import { beforeEach, describe, expect, it } from 'vitest';
import { evaluateYaml } from '../support/evaluate.ts';
import { FakeHost } from '../support/fake-host.ts';

describe('check container', () => {
  let host: FakeHost;
  const evaluate = (yaml: string) => evaluateYaml(`container: ${yaml}`, host);

  beforeEach(() => {
    host = new FakeHost();
    host.addContainer('web', {
      HostConfig: { Memory: 64 * 2 ** 20, NanoCpus: 5e8, PidsLimit: 50 },
      Mounts: [{ Type: 'bind', Source: '/root/site', Destination: '/site', RW: false }],
      NetworkSettings: {
        Ports: { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8080' }], '443/tcp': null },
        Networks: { bridge: { IPAddress: '172.17.0.2' } },
      },
    });
    host.addContainer('job', {
      State: { Status: 'exited', ExitCode: 3 },
      Config: { Image: 'busybox:latest' },
    });
  });

  it.each([
    '{ name: web }',
    '{ name: web, state: running, image: nginx:latest }',
    '{ name: web, image: docker.io/library/nginx }',
    '{ name: web, ports: "8080:80" }',
    '{ name: web, ports: [80, "0.0.0.0:8080:80/tcp"] }',
    '{ name: web, env: { A: 1 } }',
    '{ name: web, command: daemon off }',
    '{ name: web, limits: { memory: 64m, cpus: 0.5, pids: 50 } }',
    '{ name: web, mounts: ["/root/site:/site:ro", /site], networks: bridge }',
    '{ name: job, state: [exited, dead], exit: { min: 1 } }',
    '{ image: busybox, state: exited }',
    '{ count: 2 }',
    '{ name: gone, absent: true }',
    '{ name: web, state: exited, absent: true }',
    '{ image: redis, absent: true }',
    '{ name: web, restart: "no", health: none, restarts: 0, readonly: false }',
  ])('passes for %s', async (yaml) => {
    expect(await evaluate(yaml)).toEqual({ passed: true });
  });

  it('says which containers there are when the named one is not', async () => {
    expect(await evaluate('{ name: wbe }')).toEqual({
      passed: false,
      expected: 'a container named wbe',
      found: 'containers web, job',
      look: 'docker ps -a',
    });
  });

  it('tells every difference at once', async () => {
    expect(await evaluate('{ name: web, image: redis, ports: "9090:80", env: { A: 2, B: x } }')).toEqual({
      passed: false,
      expected: 'container web: image redis; port 9090:80 published; variable A=2, B=x',
      found: 'image nginx; published: 8080:80/tcp; variable A=1, no variable B',
      look: 'docker inspect web',
    });
  });

  it('points to the logs of a container that ended although it should run', async () => {
    expect(await evaluate('{ name: job, state: running }')).toMatchObject({
      passed: false,
      found: 'exited',
      look: 'docker logs job',
    });
  });

  it('does not take a running container for one that ended with code 0', async () => {
    expect(await evaluate('{ name: web, exit: 0 }')).toMatchObject({ passed: false, found: 'still running' });
  });

  it('takes the image that a reference stands for now, whatever it is called', async () => {
    host.docker.set('/images/mine/json', { Id: 'sha256:aaaa', Size: 1, RootFS: { Layers: [] } });
    expect(await evaluate('{ name: web, image: mine }')).toEqual({ passed: true });
  });

  it('names the nearest container when none matches', async () => {
    expect(await evaluate('{ image: busybox, exit: 0 }')).toMatchObject({
      passed: false,
      found: '0 of 2 containers; nearest is job: exit code 3',
    });
  });

  it('fails when something is there that must not be', async () => {
    expect(await evaluate('{ name: web, absent: true }')).toMatchObject({
      passed: false,
      found: 'container web exists and is running',
    });
    expect(await evaluate('{ count: 0 }')).toMatchObject({ passed: false, found: '2 of 2 containers' });
  });
});
