// The check `http`: what a web server in the lab host answers.

import http from 'node:http';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { z } from 'zod';
import { ConnectionRefused } from '../host.ts';
import { type CheckResult, defineCheck, failed, PASSED } from './check.ts';
import { type Expectation, judge } from './expectation.ts';
import type { Look } from './look.ts';
import { oneOrMore, strictMap, text } from './schema.ts';
import { describeTextMatch, excerpt, isTextAsWanted, textMatch } from './text-match.ts';

/** bytes of a body that are looked at */
const MAX_BODY = 256 * 1024;
const REQUEST_TIMEOUT = 5000;

const url = text.transform((value, context) => {
  const parsed = URL.canParse(value) ? new URL(value) : undefined;
  if (parsed?.protocol !== 'http:' || parsed.username || parsed.password) {
    context.addIssue({ code: 'custom', message: `"${value}" is not a URL like http://localhost:8080/` });
    return z.NEVER;
  }
  return parsed;
});

const Parameters = strictMap({
  /** the host is localhost, an address, or a container's name (then the port is the container's own) */
  url,
  method: z.enum(['GET', 'HEAD', 'POST'], 'must be GET, HEAD or POST').default('GET'),
  /** 200 when not given */
  status: oneOrMore(z.number('must be a number').int().min(100).max(599)).default([200]),
  body: textMatch.optional(),
  headers: z.record(z.string(), textMatch, 'must be a map of header names to texts').optional(),
  /** true: nothing may answer there */
  unreachable: z.literal(true, 'can only be true').optional(),
});
type Parameters = z.output<typeof Parameters>;

interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: string;
}

export const httpCheck = defineCheck({
  name: 'http',
  schema: Parameters,
  describe: ({ url, unreachable, status, body }) => {
    if (unreachable) return `nothing answers at ${url.href}`;
    const statuses = status.join(' or ');
    return body ? `${url.href} ${describeTextMatch(body)}` : `${url.href} answers ${statuses}`;
  },
  interests: () => ({ docker: ['container', 'network'], terminal: true, poll: true }),
  evaluate,
});

async function evaluate(parameters: Parameters, look: Look): Promise<CheckResult> {
  const { url, unreachable } = parameters;
  const command = `curl -i ${url.href}`;
  const answer = await request(parameters, look);
  if ('problem' in answer) {
    if (unreachable) return PASSED;
    return failed({
      expected: `an answer from ${url.href}`,
      found: `no answer: ${excerpt(answer.problem)}`,
      look: `docker ps; ${command}`,
    });
  }
  if (unreachable) {
    return failed({
      expected: `no answer from ${url.href}`,
      found: `status ${answer.status}`,
      look: command,
    });
  }
  return judge(url.href, expectations(parameters, answer), command);
}

function expectations({ status, body, headers = {} }: Parameters, answer: Answer): Expectation[] {
  const result: Expectation[] = [
    {
      met: status.includes(answer.status),
      expected: `status ${status.join(' or ')}`,
      found: `status ${answer.status}`,
    },
  ];
  if (body) {
    result.push({
      met: isTextAsWanted(body, answer.body),
      expected: `a body that ${describeTextMatch(body)}`,
      found: answer.body.trim() === '' ? 'an empty body' : `"${excerpt(pageText(answer))}"`,
    });
  }
  for (const [name, wanted] of Object.entries(headers)) {
    const value = [answer.headers[name.toLowerCase()] ?? []].flat().join(', ');
    result.push({
      met: isTextAsWanted(wanted, value),
      expected: `header ${name} that ${describeTextMatch(wanted)}`,
      found: value === '' ? `no header ${name}` : `${name}: ${excerpt(value)}`,
    });
  }
  return result;
}

/** What a reader would see of a page: a head full of styles says nothing. */
function pageText({ body, headers }: Answer): string {
  if (!headers['content-type']?.startsWith('text/html')) return body;
  return body.replace(/<(style|script)\b[\s\S]*?<\/\1>|<[^>]*>/gi, ' ');
}

/** The server's answer, or why there is none. Rejects when the lab host itself cannot be asked. */
async function request({ url, method }: Parameters, look: Look): Promise<Answer | { problem: string }> {
  const host = await addressOf(url.hostname, look);
  if ('problem' in host) return host;
  const timeout = AbortSignal.timeout(REQUEST_TIMEOUT);
  const signal = AbortSignal.any([look.signal, timeout]);
  try {
    const socket = await look.host.dial(Number(url.port || 80), host.address, signal);
    return await exchange(socket, { url, method, signal }).catch((error: unknown) => {
      if (signal.aborted) throw error;
      return { problem: error instanceof Error ? error.message : String(error) };
    });
  } catch (error) {
    if (error instanceof ConnectionRefused) return { problem: error.message };
    if (timeout.aborted && !look.signal.aborted)
      return { problem: `none within ${REQUEST_TIMEOUT / 1000} seconds` };
    throw error;
  }
}

async function exchange(
  socket: Duplex,
  { url, method, signal }: { url: URL; method: string; signal: AbortSignal },
): Promise<Answer> {
  try {
    return await new Promise<Answer>((resolve, reject) => {
      const request = http.request(
        {
          method,
          path: url.pathname + url.search,
          headers: { Host: url.host, 'User-Agent': 'berth-check', Connection: 'close' },
          createConnection: () => socket,
          signal,
        },
        (response) => readAnswer(response).then(resolve, reject),
      );
      request.on('error', reject);
      request.end();
    });
  } finally {
    socket.destroy();
  }
}

async function readAnswer(response: http.IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    if (!Buffer.isBuffer(chunk)) continue;
    chunks.push(chunk);
    size += chunk.length;
    if (size >= MAX_BODY) break;
  }
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: Buffer.concat(chunks).subarray(0, MAX_BODY).toString('utf8'),
  };
}

async function addressOf(hostname: string, look: Look): Promise<{ address: string } | { problem: string }> {
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  if (net.isIP(host)) return { address: host };
  if (host === 'localhost') return { address: '127.0.0.1' };
  const container = await look.container(host);
  if (!container) return { problem: `there is no container ${host}` };
  const networks = Object.values(container.NetworkSettings.Networks);
  const address = networks.map((network) => network.IPAddress).find(Boolean);
  return address
    ? { address }
    : { problem: `container ${host} has no address (it is ${container.State.Status})` };
}
