// Which versions of the Docker Engine API are spoken, and how a client's is checked.

import { InvalidParameter } from '../errors.ts';

export const API_VERSION = '1.47';
export const MIN_API_VERSION = '1.24';
/** Berth's own, as `docker version` shows it for the server. */
export const BERTH_VERSION = '0.1.0';

function toNumber(version: string): number {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major * 1000 + minor;
}

/** Throws InvalidParameter in Docker's words when the version is outside of what is spoken. */
export function checkVersion(version: string): void {
  if (toNumber(version) < toNumber(MIN_API_VERSION)) {
    throw new InvalidParameter(
      `client version ${version} is too old. Minimum supported API version is ${MIN_API_VERSION}, please upgrade your client to a newer version`,
    );
  }
  if (toNumber(version) > toNumber(API_VERSION)) {
    throw new InvalidParameter(
      `client version ${version} is too new. Maximum supported API version is ${API_VERSION}`,
    );
  }
}

/** Whether a client speaks at least this version. */
export function isAtLeast(version: string, wanted: string): boolean {
  return toNumber(version) >= toNumber(wanted);
}

/** Headers of every answer. */
export const COMMON_HEADERS: Readonly<Record<string, string>> = {
  'Api-Version': API_VERSION,
  'Docker-Experimental': 'false',
  Ostype: 'linux',
  Server: `Berth/${BERTH_VERSION} (linux)`,
};
