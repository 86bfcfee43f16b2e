// The OCI distribution protocol (distribution-spec 1.1, and the parts of it that Docker's registry had first) with one repository.

import { createHash } from 'node:crypto';
import { SystemError } from '../errors.ts';
import { Authorizer, Unauthorized } from './authorization.ts';
import type { Credentials } from './credentials.ts';
import { type RegistryError, registryError } from './errors.ts';
import { type RegistryRequest, type RegistryResponse, readBody, type Speech, send, showUrl } from './http.ts';

const MAX_MANIFEST = 4 * 2 ** 20;
const MAX_REDIRECTS = 5;
const MAX_TAGS = 10_000;
const MAX_TAG_PAGES = 100;

/** Where a registry is spoken to: `https://registry-1.docker.io`. */
export interface Endpoint {
  base: URL;
  speech: Speech;
}

/** A document with the digest that was computed over its bytes. */
export interface Manifest {
  digest: string;
  mediaType: string;
  bytes: Buffer;
}

/** What a descriptor says of a blob. */
export interface BlobDescriptor {
  digest: string;
  size: number;
}

/** One repository of a registry that answered. */
export class Repository {
  readonly #endpoint: Endpoint;
  readonly #authorizer: Authorizer;
  readonly #path: string;

  private constructor(endpoint: Endpoint, authorizer: Authorizer, path: string) {
    this.#endpoint = endpoint;
    this.#authorizer = authorizer;
    this.#path = path;
  }

  /** Asks whether a registry is there, and what it wants to know. Rejects with Unreachable. */
  static async open(
    endpoint: Endpoint,
    path: string,
    credentials: Credentials,
    signal: AbortSignal,
  ): Promise<Repository> {
    const authorizer = new Authorizer(endpoint.speech, credentials);
    const response = await send(endpoint.speech, {
      method: 'GET',
      url: new URL('/v2/', endpoint.base),
      signal,
    });
    response.drop();
    if (response.status === 401) authorizer.learn(response);
    return new Repository(endpoint, authorizer, path);
  }

  /** docker login: throws Unauthorized unless the credentials are taken. */
  async authenticate(signal: AbortSignal): Promise<void> {
    const url = new URL('/v2/', this.#endpoint.base);
    const headers = await this.#authorizer.headers([], signal).catch((error: unknown) => {
      if (error instanceof Unauthorized && error.message.startsWith('no basic')) {
        throw new Unauthorized(`Get "${url}": ${error.message}`, { cause: error });
      }
      throw error;
    });
    const response = await send(this.#endpoint.speech, { method: 'GET', url, headers, signal });
    response.drop();
    if (response.status === 200) return;
    const words = response.status === 401 ? '401 Unauthorized' : String(response.status);
    throw new Unauthorized(`login attempt to ${url} failed with status: ${words}`);
  }

  /** By tag or digest; the digest is checked. Throws RegistryError. */
  async manifest(reference: string, accept: readonly string[], signal: AbortSignal): Promise<Manifest> {
    const response = await this.#call({
      method: 'GET',
      url: this.#url(`manifests/${reference}`),
      headers: { Accept: accept.join(', ') },
      signal,
    });
    if (response.status !== 200) throw await registryError(response);
    const bytes = await readBody(response, MAX_MANIFEST);
    if (!bytes) throw new SystemError('the manifest is too large');
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    if (reference.includes(':') && reference !== digest) {
      throw new SystemError(`manifest verification failed for digest ${reference.slice(0, 100)}`);
    }
    const mediaType = (response.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
    return { digest, mediaType, bytes };
  }

  async putManifest(reference: string, mediaType: string, text: string, signal: AbortSignal): Promise<void> {
    const response = await this.#call(
      {
        method: 'PUT',
        url: this.#url(`manifests/${reference}`),
        headers: { 'Content-Type': mediaType },
        body: Buffer.from(text),
        signal,
      },
      true,
    );
    if (response.status !== 201 && response.status !== 200) throw await registryError(response);
    response.drop();
  }

  /** The tags of the repository. Throws RegistryError. */
  async tags(signal: AbortSignal): Promise<string[]> {
    const tags: string[] = [];
    let url: URL | undefined = this.#url('tags/list');
    for (let page = 0; url && page < MAX_TAG_PAGES && tags.length < MAX_TAGS; page++) {
      const response: RegistryResponse = await this.#call({ method: 'GET', url, signal });
      if (response.status !== 200) throw await registryError(response);
      const body = await readBody(response, MAX_MANIFEST);
      const answer: unknown = JSON.parse(body?.toString('utf8') ?? 'null');
      const list = typeof answer === 'object' && answer !== null && 'tags' in answer ? answer.tags : null;
      for (const tag of Array.isArray(list) ? list : []) {
        if (typeof tag === 'string' && /^[\w][\w.-]{0,127}$/.test(tag)) tags.push(tag);
      }
      const next = /^\s*<([^>]+)>\s*;\s*rel="?next"?/.exec(String(response.headers.link ?? ''))?.[1];
      url = next !== undefined && URL.canParse(next, url) ? new URL(next, url) : undefined;
      if (url && url.host !== this.#endpoint.base.host) url = undefined;
    }
    return tags.slice(0, MAX_TAGS);
  }

  /** A blob's bytes from `offset` on, as the registry gives them: not checked. Throws RegistryError. */
  async *blob(digest: string, offset: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const response = await this.#call({
      method: 'GET',
      url: this.#url(`blobs/${digest}`),
      ...(offset > 0 ? { headers: { Range: `bytes=${offset}-` } } : {}),
      signal,
    });
    if (response.status !== 200 && response.status !== 206) throw await registryError(response);
    const start = Number(/^bytes (\d+)-/.exec(response.headers['content-range'] ?? '')?.[1] ?? 0);
    // a registry that knows no ranges begins anew
    let skip = offset - (response.status === 206 ? start : 0);
    if (skip < 0) {
      response.drop();
      throw new SystemError('the registry answered with another range than was asked for');
    }
    for await (const chunk of response.body) {
      const rest = chunk.subarray(Math.min(skip, chunk.length));
      skip -= chunk.length - rest.length;
      if (rest.length > 0) yield rest;
    }
  }

  /** Its size when the repository has it. */
  async hasBlob(digest: string, signal: AbortSignal): Promise<boolean> {
    const response = await this.#call({ method: 'HEAD', url: this.#url(`blobs/${digest}`), signal }, true);
    response.drop();
    if (response.status === 200) return true;
    if (response.status === 404) return false;
    throw await registryError(response);
  }

  /** Lets the repository have a blob of another one of the registry: its own upload address when that does not work. */
  async mountBlob(digest: string, from: string, signal: AbortSignal): Promise<URL | 'mounted'> {
    const url = this.#url('blobs/uploads/');
    url.searchParams.set('mount', digest);
    url.searchParams.set('from', from);
    const response = await this.#call({ method: 'POST', url, signal }, true, [`repository:${from}:pull`]);
    if (response.status === 201) {
      response.drop();
      return 'mounted';
    }
    return this.#uploadLocation(response);
  }

  async beginUpload(signal: AbortSignal): Promise<URL> {
    return this.#uploadLocation(
      await this.#call({ method: 'POST', url: this.#url('blobs/uploads/'), signal }, true),
    );
  }

  async cancelUpload(location: URL, signal: AbortSignal): Promise<void> {
    const response = await this.#call({ method: 'DELETE', url: location, signal }, true);
    response.drop();
  }

  /** Sends bytes, and then their digest, which need not be known before. */
  async upload(
    location: URL,
    bytes: AsyncIterable<Uint8Array>,
    digest: () => string,
    signal: AbortSignal,
  ): Promise<void> {
    const sent = await this.#call(
      {
        method: 'PATCH',
        url: location,
        headers: { 'Content-Type': 'application/octet-stream' },
        body: bytes,
        signal,
      },
      true,
    );
    const next = await this.#uploadLocation(sent);
    next.searchParams.set('digest', digest());
    const done = await this.#call(
      { method: 'PUT', url: next, headers: { 'Content-Type': 'application/octet-stream' }, signal },
      true,
    );
    if (done.status !== 201) throw await registryError(done);
    done.drop();
  }

  async #uploadLocation(response: RegistryResponse): Promise<URL> {
    if (response.status !== 202) throw await registryError(response);
    response.drop();
    const { location } = response.headers;
    if (location === undefined || !URL.canParse(location, response.url)) {
      throw new SystemError('the registry answered without a place to upload to');
    }
    const url = new URL(location, response.url);
    // a registry behind a proxy names itself as it sees itself
    if (url.hostname === this.#endpoint.base.hostname && url.port === this.#endpoint.base.port) {
      url.protocol = this.#endpoint.base.protocol;
    }
    return url;
  }

  #url(rest: string): URL {
    return new URL(`/v2/${this.#path}/${rest}`, this.#endpoint.base);
  }

  /** Sends with authorization, once more when it was not enough, and follows redirects without it. */
  async #call(
    request: RegistryRequest,
    writes = false,
    moreScopes: readonly string[] = [],
  ): Promise<RegistryResponse> {
    const { speech } = this.#endpoint;
    const scopes = [`repository:${this.#path}:${writes ? 'pull,push' : 'pull'}`, ...moreScopes];
    for (let attempt = 0; ; attempt++) {
      const isOwn = request.url.host === this.#endpoint.base.host;
      const headers = isOwn ? await this.#authorize(request, scopes) : {};
      const response = await send(speech, { ...request, headers: { ...request.headers, ...headers } });
      const isStream = request.body !== undefined && !(request.body instanceof Uint8Array);
      if (response.status === 401 && isOwn && attempt === 0 && !isStream) {
        if (Object.keys(headers).length === 0 && this.#authorizer.learn(response)) {
          response.drop();
          continue;
        }
      }
      return isRedirect(response) && request.method === 'GET' ? this.#follow(response, request) : response;
    }
  }

  async #authorize(request: RegistryRequest, scopes: readonly string[]): Promise<Record<string, string>> {
    try {
      return await this.#authorizer.headers(scopes, request.signal);
    } catch (error) {
      if (!(error instanceof Unauthorized) || request.method !== 'GET') throw error;
      if (!error.message.startsWith('no basic')) throw error;
      throw new Unauthorized(`Head "${showUrl(request.url)}": ${error.message}`, { cause: error });
    }
  }

  async #follow(first: RegistryResponse, request: RegistryRequest): Promise<RegistryResponse> {
    let response = first;
    for (let hops = 0; isRedirect(response); hops++) {
      response.drop();
      const { location } = response.headers;
      if (hops >= MAX_REDIRECTS || location === undefined || !URL.canParse(location, response.url)) {
        throw new SystemError('the registry redirects in circles or to nowhere');
      }
      const url = new URL(location, response.url);
      if (url.protocol !== 'https:' && (url.protocol !== 'http:' || response.url.protocol === 'https:')) {
        throw new SystemError(`the registry redirects to an address that is not secure: ${showUrl(url)}`);
      }
      response = await send(this.#endpoint.speech, { ...request, url });
    }
    return response;
  }
}

function isRedirect({ status }: RegistryResponse): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

export type { RegistryError };
