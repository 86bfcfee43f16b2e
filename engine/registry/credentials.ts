// Credentials as clients send them: X-Registry-Auth of one operation, X-Registry-Config of a build, the body of docker login.

import { z } from 'zod';
import { InvalidParameter } from '../errors.ts';

const MAX_HEADER = 64 * 1024;

/** What a client knows of an account on a registry; all empty is: nothing. */
export const Credentials = z.looseObject({
  username: z.string().default(''),
  password: z.string().default(''),
  /** base64 of `username:password`, of old clients */
  auth: z.string().default(''),
  serveraddress: z.string().default(''),
  identitytoken: z.string().default(''),
  registrytoken: z.string().default(''),
});
export type Credentials = z.infer<typeof Credentials>;

export const NO_CREDENTIALS: Credentials = Credentials.parse({});

/** Whether the client says who it is; only what is pulled without may be shared with others. */
export function isAnonymous(credentials: Credentials): boolean {
  const { username, password, auth, identitytoken, registrytoken } = credentials;
  return [username, password, auth, identitytoken, registrytoken].every((each) => each === '');
}

/** Decodes X-Registry-Auth (base64url of JSON, with or without padding). Throws InvalidParameter without the header's content. */
export function decodeRegistryAuth(header: string): Credentials {
  if (header === '') return NO_CREDENTIALS;
  return complete(decode(header, 'X-Registry-Auth', Credentials));
}

/** Decodes X-Registry-Config: credentials by the name of a registry. Throws InvalidParameter. */
export function decodeRegistryConfig(header: string): Map<string, Credentials> {
  if (header === '') return new Map();
  const all = decode(header, 'X-Registry-Config', z.record(z.string(), Credentials));
  return new Map(Object.entries(all).map(([host, each]) => [host, complete(each)]));
}

function decode<T extends z.ZodType>(header: string, name: string, schema: T): z.infer<T> {
  if (header.length > MAX_HEADER) throw new InvalidParameter(`invalid ${name} header: too long`);
  let value: unknown;
  try {
    const text = Buffer.from(header, 'base64url').toString('utf8');
    value = JSON.parse(text === '' ? '{}' : text) ?? {};
  } catch {
    // nothing of it in the message: it has a password
    throw new InvalidParameter(`invalid ${name} header: it is not base64 of JSON`);
  }
  const result = schema.safeParse(value);
  if (!result.success) throw new InvalidParameter(`invalid ${name} header: a field is not text`);
  return result.data;
}

function complete(credentials: Credentials): Credentials {
  if (credentials.auth === '' || credentials.username !== '') return credentials;
  const text = Buffer.from(credentials.auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) return credentials;
  return { ...credentials, username: text.slice(0, colon), password: text.slice(colon + 1) };
}
