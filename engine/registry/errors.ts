// What registries answer when something is wrong (distribution spec, error codes), as Docker tells it.

import { z } from 'zod';
import { EngineError } from '../errors.ts';
import { type RegistryResponse, readBody } from './http.ts';

const MAX_ANSWER = 64 * 1024;

const Answer = z.looseObject({
  errors: z
    .array(z.looseObject({ code: z.string().default('UNKNOWN'), message: z.string().nullish() }))
    .optional(),
  details: z.string().optional(),
});

/** An answer of a registry that is an error. */
export class RegistryError extends EngineError {
  constructor(
    /** of the registry's answer */
    readonly httpStatus: number,
    /** of the first error: MANIFEST_UNKNOWN, DENIED, … */
    readonly code: string,
    message: string,
  ) {
    super(httpStatus === 404 ? 404 : 500, message);
  }
}

const MESSAGES: Record<string, string> = {
  DENIED: 'requested access to the resource is denied',
  UNAUTHORIZED: 'authentication required',
  MANIFEST_UNKNOWN: 'manifest unknown',
  NAME_UNKNOWN: 'repository name not known to registry',
  BLOB_UNKNOWN: 'blob unknown to registry',
  TOOMANYREQUESTS: 'too many requests',
};

/** Reads an answer that is not a success. */
export async function registryError(response: RegistryResponse): Promise<RegistryError> {
  const { status } = response;
  const text = ((await readBody(response, MAX_ANSWER).catch(() => undefined)) ?? Buffer.alloc(0)).toString(
    'utf8',
  );
  const first = parseErrors(text)[0];
  if (first) {
    const { code, message } = first;
    const words = code.replaceAll('_', ' ').toLowerCase();
    return new RegistryError(
      status,
      code,
      `${words}: ${clean(message || MESSAGES[code] || 'unknown error')}`,
    );
  }
  // HEAD has no body
  if (status === 404) return new RegistryError(404, 'MANIFEST_UNKNOWN', 'manifest unknown: manifest unknown');
  if (status === 401) return new RegistryError(401, 'UNAUTHORIZED', 'unauthorized: authentication required');
  if (status === 403) {
    return new RegistryError(403, 'DENIED', 'denied: requested access to the resource is denied');
  }
  return new RegistryError(status, 'UNKNOWN', `received unexpected HTTP status: ${status}`);
}

function parseErrors(text: string): { code: string; message?: string | null | undefined }[] {
  try {
    return Answer.parse(JSON.parse(text)).errors ?? [];
  } catch {
    return [];
  }
}

/** It is shown in a terminal. */
function clean(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not be there
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ').slice(0, 500);
}
