// Errors of a Dockerfile get the place that they are about.

import { EngineError } from '../../errors.ts';
import { BuildError } from '../error.ts';
import type { SourceRange } from '../graph.ts';

/** The error as a BuildError with a place: the one it has, or this one. Errors of the engine itself stay what they are. */
export function locate(error: unknown, source: SourceRange, options: { replaces?: boolean } = {}): unknown {
  if (error instanceof BuildError) {
    if (error.source !== undefined && options.replaces !== true) return error;
    return new BuildError(error.message, source, { cause: error });
  }
  if (error instanceof EngineError && error.status >= 500) return error;
  if (error instanceof Error && !isAbort(error))
    return new BuildError(error.message, source, { cause: error });
  return error;
}

function isAbort(error: Error): boolean {
  return error.name === 'AbortError' || error instanceof TypeError || error instanceof RangeError;
}
