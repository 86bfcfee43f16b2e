// The control API for programs: one method for each operation, answers checked against their schemas.

import type http from 'node:http';
import type { Duplex } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { z } from 'zod';
import { BuildActivity } from './build-events.ts';
import { createAgent, expectSuccess, parseJson, readAll, send, upgrade } from './http.ts';
import {
  Activity,
  CatalogueImage,
  type CreateSandbox,
  type CreateTerminal,
  FileResult,
  ProcessInfo,
  type RunRequest,
  RunResult,
  SandboxInfo,
  TerminalInfo,
  type TerminalSize,
} from './types.ts';

const MAX_LINE = 4 * 2 ** 20;

/**
 * A client of one engine. Errors are ControlError (the engine's answer) or EngineUnreachable.
 *
 * @example
 * const engine = new ControlClient('/run/berth/control.sock');
 * await engine.createSandbox({ name: 'ada' });
 * const { stdout } = await engine.run('ada', { argv: ['docker', 'ps'] });
 */
export class ControlClient {
  readonly #socketPath: string;
  readonly #agent: http.Agent;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
    this.#agent = createAgent();
  }

  /** Closes idle connections; requests that run go on. */
  close(): void {
    this.#agent.destroy();
  }

  async health(): Promise<void> {
    await this.#call('GET', '/v1/health', z.object({ status: z.literal('ok') }));
  }

  /** The catalogue's images. */
  images(): Promise<CatalogueImage[]> {
    return this.#call('GET', '/v1/images', z.array(CatalogueImage));
  }

  /** Set-up has changed the catalogue: lab hosts see what is in it now. */
  async reloadImages(): Promise<void> {
    await this.#call('POST', '/v1/images/reload', z.unknown());
  }

  sandboxes(): Promise<SandboxInfo[]> {
    return this.#call('GET', '/v1/sandboxes', z.array(SandboxInfo));
  }

  sandbox(name: string): Promise<SandboxInfo> {
    return this.#call('GET', pathOf(name), SandboxInfo);
  }

  /** Resolves when it runs and its Docker socket answers. */
  createSandbox(request: CreateSandbox): Promise<SandboxInfo> {
    return this.#call('POST', '/v1/sandboxes', SandboxInfo, request);
  }

  async deleteSandbox(name: string): Promise<void> {
    await this.#call('DELETE', pathOf(name), z.unknown());
  }

  /** Back to an empty disk. */
  resetSandbox(name: string): Promise<SandboxInfo> {
    return this.#call('POST', pathOf(name, 'reset'), SandboxInfo);
  }

  freezeSandbox(name: string): Promise<SandboxInfo> {
    return this.#call('POST', pathOf(name, 'freeze'), SandboxInfo);
  }

  thawSandbox(name: string): Promise<SandboxInfo> {
    return this.#call('POST', pathOf(name, 'thaw'), SandboxInfo);
  }

  startSandbox(name: string): Promise<SandboxInfo> {
    return this.#call('POST', pathOf(name, 'start'), SandboxInfo);
  }

  /** Runs a program in the lab host to its end. */
  run(name: string, request: RunRequest, signal?: AbortSignal): Promise<RunResult> {
    return this.#call('POST', pathOf(name, 'run'), RunResult, request, signal);
  }

  /** A regular file's content (base64), at most `limit` bytes of it. */
  readFile(name: string, path: string, options: { limit?: number } = {}): Promise<FileResult> {
    const query = new URLSearchParams({ path });
    if (options.limit !== undefined) query.set('limit', String(options.limit));
    return this.#call('GET', `${pathOf(name, 'file')}?${query}`, FileResult);
  }

  /** Replaces a file as a whole (at most 3 MiB); folders on the way are made. */
  async writeFile(
    name: string,
    path: string,
    content: string | Uint8Array,
    options: { mode?: number } = {},
  ): Promise<void> {
    const query = new URLSearchParams({ path });
    if (options.mode !== undefined) query.set('mode', String(options.mode));
    const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content;
    await this.#call('PUT', `${pathOf(name, 'file')}?${query}`, z.unknown(), bytes);
  }

  processes(name: string): Promise<ProcessInfo[]> {
    return this.#call('GET', pathOf(name, 'processes'), z.array(ProcessInfo));
  }

  terminals(name: string): Promise<TerminalInfo[]> {
    return this.#call('GET', pathOf(name, 'terminals'), z.array(TerminalInfo));
  }

  terminal(name: string, id: string): Promise<TerminalInfo> {
    return this.#call('GET', pathOf(name, 'terminals', id), TerminalInfo);
  }

  /** Starts a shell (or argv) in a terminal; asking again with the same id is answered with the one that is there. */
  createTerminal(name: string, request: CreateTerminal): Promise<TerminalInfo> {
    return this.#call('POST', pathOf(name, 'terminals'), TerminalInfo, request);
  }

  async resizeTerminal(name: string, id: string, size: TerminalSize): Promise<void> {
    await this.#call('POST', pathOf(name, 'terminals', id, 'resize'), z.unknown(), size);
  }

  /** Hangs up and forgets the terminal. */
  async deleteTerminal(name: string, id: string): Promise<void> {
    await this.#call('DELETE', pathOf(name, 'terminals', id), z.unknown());
  }

  /**
   * A terminal's bytes, both ways; `replay` sends its last output first. The stream ends when the program has ended;
   * destroying it leaves the terminal running. Not reading it stops the program.
   */
  openTerminal(
    name: string,
    id: string,
    options: { replay?: boolean; signal?: AbortSignal } = {},
  ): Promise<Duplex> {
    const query = options.replay ? '?replay=1' : '';
    return upgrade(this.#socketPath, `${pathOf(name, 'terminals', id, 'attach')}${query}`, options.signal);
  }

  /** A TCP connection made inside the sandbox. */
  dial(
    name: string,
    port: number,
    options: { address?: string; signal?: AbortSignal } = {},
  ): Promise<Duplex> {
    const query = new URLSearchParams({ port: String(port) });
    if (options.address !== undefined) query.set('address', options.address);
    return upgrade(this.#socketPath, `${pathOf(name, 'dial')}?${query}`, options.signal);
  }

  /** What happens in the sandbox from now on, until `signal` aborts or the sandbox is deleted. */
  activity(name: string, options: { signal?: AbortSignal } = {}): AsyncGenerator<Activity, void> {
    return this.#lines(pathOf(name, 'activity'), Activity, options);
  }

  /** The sandbox's builds from now on: steps as they run, their output, what came of them. */
  builds(name: string, options: { signal?: AbortSignal } = {}): AsyncGenerator<BuildActivity, void> {
    return this.#lines(pathOf(name, 'builds'), BuildActivity, options);
  }

  async *#lines<T extends z.ZodType>(
    path: string,
    schema: T,
    options: { signal?: AbortSignal },
  ): AsyncGenerator<z.infer<T>, void> {
    const response = await expectSuccess(
      await send(this.#socketPath, this.#agent, 'GET', path, { signal: options.signal }),
    );
    const decoder = new StringDecoder('utf8');
    let rest = '';
    try {
      for await (const chunk of response) {
        if (!Buffer.isBuffer(chunk)) continue;
        const lines = (rest + decoder.write(chunk)).split('\n');
        rest = lines.pop() ?? '';
        if (rest.length > MAX_LINE) throw new Error('a line of the engine is too long');
        for (const line of lines) yield schema.parse(JSON.parse(line));
      }
    } catch (error) {
      if (!options.signal?.aborted) throw error;
    } finally {
      response.destroy();
    }
  }

  /** A call of the sandbox's Docker Engine API with JSON in and out; every status is an answer, not an error. */
  async docker(
    name: string,
    method: string,
    path: string,
    body?: unknown,
    signal?: AbortSignal,
  ): Promise<{ status: number; body: unknown }> {
    const target = `${pathOf(name, 'docker')}${path}`;
    const response = await send(this.#socketPath, this.#agent, method, target, { body, signal });
    const bytes = await readAll(response);
    const isJson = response.headers['content-type']?.startsWith('application/json') ?? false;
    return {
      status: response.statusCode ?? 0,
      body: isJson ? parseJson(bytes) : bytes.toString('utf8'),
    };
  }

  async #call<T extends z.ZodType>(
    method: string,
    path: string,
    schema: T,
    body?: unknown,
    signal?: AbortSignal,
  ): Promise<z.infer<T>> {
    const response = await expectSuccess(
      await send(this.#socketPath, this.#agent, method, path, { body, signal }),
    );
    return schema.parse(parseJson(await readAll(response)));
  }
}

function pathOf(name: string, ...parts: string[]): string {
  return ['/v1/sandboxes', ...[name, ...parts].map(encodeURIComponent)].join('/');
}
