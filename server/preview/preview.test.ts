import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { ask, change, until } from '../testing/client.ts';
import { startTestServer, type TestServer } from '../testing/setup.ts';
import { requestHeaders, responseHeaders } from './headers.ts';

let test: TestServer;
let site: http.Server;
let host: string;

beforeAll(async () => {
  test = await startTestServer();
  host = `8080--a-file.localhost:${test.server.port}`;
  site = http.createServer((request, response) => {
    if (request.url === '/redirect') {
      response.writeHead(302, { Location: 'http://localhost:8080/there' }).end();
    } else if (request.url === '/break') {
      response.socket?.destroy();
    } else {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = JSON.stringify({
          url: request.url,
          method: request.method,
          headers: request.headers,
          length: Buffer.concat(chunks).length,
        });
        response
          .writeHead(200, { 'Content-Type': 'application/json', 'Set-Cookie': ['a=1', 'b=2'] })
          .end(body);
      });
    }
  });
  new WebSocketServer({ server: site }).on('connection', (socket) => {
    socket.on('message', (data) => socket.send(`you said ${data}`));
  });
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  const address = site.address() as AddressInfo;
  test.engine.ports.set(8080, address.port);
  await change(test.server.port, 'POST', '/api/sessions', { lab: 'a-file' });
});
afterAll(async () => {
  site.closeAllConnections();
  site.close();
  await test.close();
});

describe('a preview', () => {
  it('shows what listens in the lab host, which thinks that it is at localhost', async () => {
    const answer = await ask(test.server.port, '/x?y=1', {
      headers: {
        host,
        origin: `http://${host}`,
        referer: `http://${host}/z`,
        te: 'trailers',
        connection: 'x-hop',
        'x-hop': '1',
      },
    });
    expect(answer.status).toBe(200);
    const { url, headers } = JSON.parse(answer.text);
    expect(url).toBe('/x?y=1');
    expect(headers).toMatchObject({
      host: 'localhost:8080',
      origin: 'http://localhost:8080',
      referer: 'http://localhost:8080/z',
      'x-forwarded-host': host,
    });
    expect(headers).not.toHaveProperty('te');
    expect(headers).not.toHaveProperty('x-hop');
    expect(answer.headers['set-cookie']).toEqual(['a=1', 'b=2']);
  });

  it('passes bodies and methods on', async () => {
    const answer = await ask(test.server.port, '/', {
      method: 'PUT',
      headers: { host },
      body: { a: 'x'.repeat(200_000) },
    });
    expect(JSON.parse(answer.text)).toMatchObject({ method: 'PUT', length: 200_008 });
  });

  it('keeps redirects in the preview', async () => {
    const answer = await ask(test.server.port, '/redirect', { headers: { host } });
    expect(answer.headers.location).toBe(`http://${host}/there`);
  });

  it('passes websockets on', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${test.server.port}/`, { headers: { host } });
    let heard = '';
    socket.on('open', () => socket.send('hello'));
    socket.on('message', (data) => {
      heard = String(data);
    });
    await until('the answer', () => heard !== '');
    expect(heard).toBe('you said hello');
    socket.terminate();
  });

  it('never gives the application’s own pages', async () => {
    const answer = await ask(test.server.port, '/api/labs', { headers: { host } });
    expect(JSON.parse(answer.text).url).toBe('/api/labs');
  });

  it('says what to do when nothing listens on the port yet', async () => {
    const other = `9999--a-file.localhost:${test.server.port}`;
    const answer = await ask(test.server.port, '/', { headers: { host: other } });
    expect(answer.status).toBe(502);
    expect(answer.text).toContain('Nothing listens on port 9999 yet');
    expect(answer.text).toContain('docker run -d -p 9999:80 nginx');
    expect(answer.headers['content-security-policy']).toContain("default-src 'none'");
  });

  it('says that a program gave no answer', async () => {
    const answer = await ask(test.server.port, '/break', { headers: { host } });
    expect([answer.status, answer.text]).toEqual([502, expect.stringContaining('gave no answer')]);
  });

  it('knows no lesson that is not there', async () => {
    const answer = await ask(test.server.port, '/', {
      headers: { host: `80--nobody.localhost:${test.server.port}` },
    });
    expect(answer.status).toBe(404);
  });
});

describe('headers of a preview', () => {
  const places = { outside: 'http://80--a.localhost:3000', inside: 'http://localhost:80' };

  it('leaves a foreign origin as it is', () => {
    expect(requestHeaders({ origin: 'http://evil.example' }, places).origin).toBe('http://evil.example');
  });

  it('leaves a redirect elsewhere as it is', () => {
    const location = 'http://localhost:8000/';
    expect(responseHeaders({ location }, places).location).toBe(location);
  });
});
