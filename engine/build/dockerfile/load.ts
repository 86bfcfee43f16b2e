// Fetching what a plan is made of: the Dockerfile, and the .dockerignore that goes with it.

import { posix } from 'node:path';
import type { BuildRequest } from '../build.ts';
import { BuildError } from '../error.ts';
import type { SourceFile } from '../graph.ts';
import { parseIgnoreFile } from './ignore-file.ts';
import { readFileStep } from './internal-step.ts';

/** Bytes. */
const DOCKERFILE_MAX = 2 * 1024 * 1024;
const IGNORE_FILE_MAX = 1024 * 1024;

export interface Definition {
  readonly file: SourceFile;
  /** the step that loaded it: warnings belong to it */
  readonly vertex: string;
  /** the patterns of `<Dockerfile>.dockerignore`, which goes before .dockerignore */
  readonly ignorePatterns: readonly string[] | undefined;
}

/** Loads the Dockerfile. Throws a BuildError in BuildKit's words when there is none. */
export async function loadDefinition(request: BuildRequest): Promise<Definition> {
  const { contextName, path } = request.dockerfile;
  const ignoreFile = `${path}.dockerignore`;
  const paths = [path, ignoreFile];
  const base = posix.basename(path);
  const lowerCase = posix.join(posix.dirname(path), 'dockerfile');
  if (base === 'Dockerfile') paths.push(lowerCase);
  const files = await readFileStep(
    request,
    { name: `[internal] load build definition from ${base}`, partId: 'transferring dockerfile:' },
    contextName,
    paths,
    DOCKERFILE_MAX,
  );
  const data = files.get(path) ?? (base === 'Dockerfile' ? files.get(lowerCase) : undefined);
  if (data === undefined) {
    throw new BuildError(`failed to read dockerfile: open ${base}: no such file or directory`);
  }
  if (data.length === 0) throw new BuildError('the Dockerfile cannot be empty');
  const ignore = files.get(ignoreFile);
  return {
    file: { name: base, data },
    vertex: files.digest,
    ignorePatterns: ignore === undefined ? undefined : parseIgnoreFile(ignore, ignoreFile),
  };
}

/** The patterns of the context's .dockerignore. */
export async function loadIgnorePatterns(
  request: BuildRequest,
  definition: Definition,
): Promise<readonly string[]> {
  if (definition.ignorePatterns !== undefined) return definition.ignorePatterns;
  return loadIgnoreFile(request, request.contextName, '[internal] load .dockerignore');
}

/** The patterns of a context's .dockerignore, loaded as a step of the given name. */
export async function loadIgnoreFile(
  request: BuildRequest,
  contextName: string,
  stepName: string,
): Promise<readonly string[]> {
  const files = await readFileStep(
    request,
    { name: stepName, partId: 'transferring context:' },
    contextName,
    ['.dockerignore'],
    IGNORE_FILE_MAX,
  );
  const data = files.get('.dockerignore');
  return data === undefined ? [] : parseIgnoreFile(data, '.dockerignore');
}
