import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, change, TestSocket, until } from '../testing/client.ts';
import { startTestServer, type TestServer } from '../testing/setup.ts';
import { previewHost, targetOf } from './hosts.ts';
import { Rate } from './rate.ts';

let test: TestServer;
let port: number;

beforeAll(async () => {
  test = await startTestServer();
  port = test.server.port;
});
afterAll(() => test.close());

describe('the Host header', () => {
  const names = { port: 3000, previewDomain: 'localhost' };

  it.each(['localhost:3000', '127.0.0.1:3000', '[::1]:3000', 'LOCALHOST:3000'])(
    '%s is the application',
    (host) => {
      expect(targetOf(host, names)).toEqual({ kind: 'app' });
    },
  );

  it('names a preview', () => {
    expect(targetOf('8080--your-first-container.localhost:3000', names)).toEqual({
      kind: 'preview',
      session: 'your-first-container',
      port: 8080,
    });
    expect(targetOf(previewHost('a--b', 1, names), names)).toEqual({
      kind: 'preview',
      session: 'a--b',
      port: 1,
    });
  });

  it.each([
    undefined,
    '',
    'localhost',
    'localhost:3001',
    'evil.example:3000',
    'localhost.evil.example:3000',
    'evil.localhost:3000',
    '0--a.localhost:3000',
    '65536--a.localhost:3000',
    '80--.localhost:3000',
    '80--a.b.localhost:3000',
    '80--a.localhost.evil.example:3000',
    'localhost:3000@evil.example',
    'localhost:3000\t',
  ])('%j is nobody', (host) => {
    expect(targetOf(host, names)).toBeUndefined();
  });

  it('is refused when another name was made to lead here', async () => {
    const { status, text } = await ask(port, '/api/labs', { headers: { host: `evil.example:${port}` } });
    expect(status).toBe(421);
    expect(text).toContain(`http://localhost:${port}/`);
  });
});

describe('requests that another site makes a browser send', () => {
  const foreign = ['http://evil.example', 'null', 'https://localhost', 'http://localhost:1', 'preview'];

  it.each(foreign)('are refused for the origin %s', async (name) => {
    const origin = name === 'preview' ? `http://8080--a-file.localhost:${port}` : name;
    const post = await ask(port, '/api/sessions', {
      method: 'POST',
      headers: { origin },
      body: { lab: 'a-file' },
    });
    expect(post.status).toBe(403);
    expect((await ask(port, '/api/labs', { headers: { origin } })).status).toBe(403);
    const socket = new TestSocket(port, '/api/sessions/a-file/live', { origin });
    await until('the refusal', () => socket.refusal);
    expect(socket.refusal).toBe(403);
  });

  it('are refused when the browser says that they come from another site', async () => {
    const headers = { 'sec-fetch-site': 'cross-site' };
    expect((await ask(port, '/api/labs', { headers })).status).toBe(403);
    const own = { origin: `http://localhost:${port}`, 'sec-fetch-site': 'same-site' };
    expect((await ask(port, '/api/sessions', { method: 'POST', headers: own, body: {} })).status).toBe(403);
  });

  it('are refused when they change something and have no origin', async () => {
    const answer = await ask(port, '/api/sessions', { method: 'POST', body: { lab: 'a-file' } });
    expect(answer.status).toBe(403);
    expect(test.engine.requests).toEqual([]);
  });

  it('pass when they are the page’s own', async () => {
    const headers = { origin: `http://localhost:${port}`, 'sec-fetch-site': 'same-origin' };
    expect((await ask(port, '/api/labs', { headers })).status).toBe(200);
  });

  it('may lead to the page itself, as a link does', async () => {
    expect((await ask(port, '/labs/a-file', { headers: { 'sec-fetch-site': 'cross-site' } })).status).toBe(
      200,
    );
  });
});

describe('headers of the application', () => {
  it('allow nothing but its own scripts, and no frames', async () => {
    const { headers } = await ask(port, '/');
    expect(headers['content-security-policy']).toContain("default-src 'none'; script-src 'self';");
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['referrer-policy']).toBe('no-referrer');
    expect(headers['cross-origin-opener-policy']).toBe('same-origin');
    expect(headers['x-powered-by']).toBeUndefined();
  });
});

describe('what is sent to the server', () => {
  it('is bounded', async () => {
    const answer = await change(port, 'POST', '/api/sessions', { lab: 'x'.repeat(20_000) });
    expect(answer.status).toBe(413);
  });

  it('must be what the address takes', async () => {
    expect((await change(port, 'POST', '/api/sessions', { lab: 'a-file', more: 1 })).status).toBe(400);
    expect((await change(port, 'POST', '/api/sessions', { lab: 7 })).status).toBe(400);
    expect((await change(port, 'DELETE', '/api/sessions/a-file/terminals/a%2Fb')).status).toBe(400);
    const malformed = await ask(port, '/api/sessions', {
      method: 'POST',
      headers: { origin: `http://localhost:${port}`, 'content-type': 'application/json' },
      raw: '{"lab":',
    });
    expect(malformed.status).toBe(400);
  });

  it.each([
    '/../etc/passwd',
    '/assets/../../etc/passwd',
    '/assets/%2e%2e/index.html',
    '/labs/a-file/files/lab.md',
    '/labs/a-file/files/..%2f..%2fx.png',
  ])('reaches no file with %s', async (path) => {
    const { status, text } = await ask(port, path);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(text).not.toContain('root:');
    expect(text).not.toContain('format: 1');
  });

  it('is answered in JSON when it is wrong', async () => {
    const { status, text } = await ask(port, '/api/nothing');
    expect([status, JSON.parse(text)]).toEqual([404, { message: 'no such address' }]);
  });
});

describe('Rate', () => {
  it('lets a burst through and then no more', () => {
    const rate = new Rate(0.001, 3);
    expect([1, 2, 3, 4].map(() => rate.take())).toEqual([true, true, true, false]);
  });
});
