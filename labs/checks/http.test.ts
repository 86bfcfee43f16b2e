import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evaluateYaml } from '../support/evaluate.ts';
import { FakeHost } from '../support/fake-host.ts';

describe('check http', () => {
  const host = new FakeHost();
  const server = http.createServer((request, response) => {
    if (request.url === '/endless') {
      response.writeHead(200);
      const timer = setInterval(() => response.write('x'.repeat(65536)), 1);
      response.on('close', () => clearInterval(timer));
      return;
    }
    response.writeHead(request.url === '/' ? 200 : 404, {
      'content-type': 'text/html',
      'x-agent': request.headers['user-agent'],
    });
    response.end('<html><style>h1 { color: red }</style><h1>Welcome to nginx!</h1></html>');
  });
  let port = 0;
  const evaluate = (url: string, more = '') =>
    evaluateYaml(`http: { url: "http://${url.replace('PORT', String(port))}"${more} }`, host);

  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address: AddressInfo | string | null = server.address();
    if (address && typeof address === 'object') port = address.port;
    host.addContainer('web');
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it.each([
    ['localhost:PORT/', ''],
    ['127.0.0.1:PORT', ', body: Welcome'],
    ['web:PORT/', ', body: { matches: "<h1>.*</h1>" }'],
    ['localhost:PORT/nothing', ', status: [404, 410]'],
    ['localhost:PORT/', ', headers: { X-Agent: berth-check }'],
    ['localhost:PORT/endless', ', body: { lacks: y }'],
    ['localhost:1/', ', unreachable: true'],
  ])('passes for %s%s', async (url, more) => {
    expect(await evaluate(url, more)).toEqual({ passed: true });
  });

  it('shows what the page says', async () => {
    expect(await evaluate('localhost:PORT/', ', body: Hello')).toEqual({
      passed: false,
      expected: `http://localhost:${port}/: a body that contains "Hello"`,
      found: '"Welcome to nginx!"',
      look: `curl -i http://localhost:${port}/`,
    });
  });

  it('fails when nothing listens, and when the container is not there', async () => {
    expect(await evaluate('localhost:1/')).toMatchObject({
      passed: false,
      found: expect.stringMatching(/^no answer: .*REFUSED/),
    });
    expect(await evaluate('nosuch:80/')).toMatchObject({
      passed: false,
      found: 'no answer: there is no container nosuch',
    });
  });

  it('does not pass or fail when the lab host itself cannot be asked', async () => {
    const away = new FakeHost();
    away.dial = () => Promise.reject(new Error('the engine cannot be reached'));
    const yaml = 'http: { url: "http://localhost:1/", unreachable: true }';
    await expect(evaluateYaml(yaml, away)).rejects.toThrow('the engine cannot be reached');
  });
});
