// Where logs lie in the sandbox.

import { containerDir } from '../container/files.ts';

export function logPath(id: string): string {
  return `${containerDir(id)}/${id}-json.log`;
}

export function localLogDir(id: string): string {
  return `${containerDir(id)}/local-logs`;
}

export function localLogPath(id: string): string {
  return `${localLogDir(id)}/container.log`;
}
