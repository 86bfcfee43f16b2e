// A failed build as BuildKit's clients read it: with the place in the Dockerfile, which they print with the lines around it.

import { BuildError } from '../error.ts';
import type { SourceRange } from '../graph.ts';
import { type Detail, GrpcError, toGrpcError } from '../grpc/status.ts';

/** solver/errdefs registers its types under this name, and writes them as JSON. */
const SOURCE_TYPE = 'github.com/moby/buildkit/errdefs.Source+json';

/** What Solve answers for anything that a build throws. */
export function describeFailure(error: unknown): GrpcError {
  const plain = toGrpcError(error);
  if (error instanceof GrpcError) return plain;
  const source = error instanceof BuildError ? error.source : undefined;
  return source ? new GrpcError(plain.code, plain.message, [sourceDetail(source)], { cause: error }) : plain;
}

function sourceDetail({ file, firstLine, lastLine }: SourceRange): Detail {
  const value = {
    info: { filename: file.name, data: file.data.toString('base64'), language: 'Dockerfile' },
    ranges: [{ start: { line: firstLine }, end: { line: lastLine } }],
  };
  return { type_url: SOURCE_TYPE, value: Buffer.from(JSON.stringify(value)) };
}
