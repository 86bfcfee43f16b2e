// Proving who one is: basic authentication, and bearer tokens from the service that a registry names.

import { z } from 'zod';
import { EngineError, SystemError } from '../errors.ts';
import { type Challenge, parseChallenge } from './challenge.ts';
import type { Credentials } from './credentials.ts';
import { type RegistryResponse, readBody, type Speech, send } from './http.ts';

const MAX_TOKEN = 256 * 1024;
/** Docker's own name for itself to token services. */
const CLIENT_ID = 'docker';

const TokenAnswer = z.looseObject({
  token: z.string().max(MAX_TOKEN).optional(),
  access_token: z.string().max(MAX_TOKEN).optional(),
  refresh_token: z.string().max(MAX_TOKEN).optional(),
});

/** The registry, or its token service, does not take the credentials. */
export class Unauthorized extends EngineError {
  constructor(message = 'unauthorized: authentication required', options?: ErrorOptions) {
    super(500, message, options);
  }
}

/** Authorization headers for one registry, for one operation. Holds secrets: never log it. */
export class Authorizer {
  readonly #speech: Speech;
  readonly #credentials: Credentials;
  #challenge: Challenge | undefined;
  readonly #tokens = new Map<string, string>();

  constructor(speech: Speech, credentials: Credentials) {
    this.#speech = speech;
    this.#credentials = credentials;
  }

  /** Takes note of a 401; false when it says nothing that could be met. */
  learn(response: RegistryResponse): boolean {
    const header = response.headers['www-authenticate'];
    this.#challenge = parseChallenge(header);
    this.#tokens.clear();
    return this.#challenge !== undefined;
  }

  /** The headers for a scope such as `repository:nginx:pull`; '' is none. Throws Unauthorized. */
  async headers(scopes: readonly string[], signal: AbortSignal): Promise<Record<string, string>> {
    const { registrytoken, username, password } = this.#credentials;
    if (registrytoken !== '') return { Authorization: `Bearer ${registrytoken}` };
    if (!this.#challenge) return {};
    if (this.#challenge.scheme === 'bearer') {
      return { Authorization: `Bearer ${await this.#token(this.#challenge, scopes, signal)}` };
    }
    if (username === '') throw new Unauthorized('no basic auth credentials');
    return { Authorization: basic(username, password) };
  }

  async #token(challenge: Challenge, scopes: readonly string[], signal: AbortSignal): Promise<string> {
    const key = scopes.join(' ');
    const known = this.#tokens.get(key);
    if (known !== undefined) return known;
    const realm = realmOf(challenge);
    const service = challenge.parameters.get('service') ?? '';
    const response =
      this.#credentials.identitytoken === ''
        ? await this.#fetchToken(realm, service, scopes, signal)
        : await this.#refreshToken(realm, service, scopes, signal);
    const body = await readBody(response, MAX_TOKEN);
    if (response.status === 401 || response.status === 403) {
      throw new Unauthorized('unauthorized: incorrect username or password');
    }
    const token = response.status === 200 ? tokenOf(body) : undefined;
    if (token === undefined) {
      throw new SystemError(
        `authorization server did not include a token in the response (status ${response.status})`,
      );
    }
    this.#tokens.set(key, token);
    return token;
  }

  #fetchToken(realm: URL, service: string, scopes: readonly string[], signal: AbortSignal) {
    const { username, password } = this.#credentials;
    const url = new URL(realm);
    if (service !== '') url.searchParams.set('service', service);
    for (const scope of scopes) url.searchParams.append('scope', scope);
    if (username !== '') url.searchParams.set('account', username);
    const headers = username === '' ? {} : { Authorization: basic(username, password) };
    return send(this.#speech, { method: 'GET', url, headers, signal });
  }

  #refreshToken(realm: URL, service: string, scopes: readonly string[], signal: AbortSignal) {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: this.#credentials.identitytoken,
      service,
      client_id: CLIENT_ID,
      scope: scopes.join(' '),
    });
    return send(this.#speech, {
      method: 'POST',
      url: realm,
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: Buffer.from(form.toString()),
      signal,
    });
  }
}

/** Where tokens are to be had. Whether it may be connected to is for the network to say. */
function realmOf(challenge: Challenge): URL {
  const realm = challenge.parameters.get('realm') ?? '';
  if (!URL.canParse(realm)) throw new SystemError('the registry names no service for tokens');
  const url = new URL(realm);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new SystemError(`unsupported scheme of the token service: ${url.protocol}`);
  }
  url.username = '';
  url.password = '';
  return url;
}

function tokenOf(body: Buffer | undefined): string | undefined {
  try {
    const answer = TokenAnswer.parse(JSON.parse(body?.toString('utf8') ?? ''));
    const token = answer.token || answer.access_token;
    // it becomes a header
    return token !== undefined && /^[\x21-\x7e]+$/.test(token) ? token : undefined;
  } catch {
    return undefined;
  }
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
