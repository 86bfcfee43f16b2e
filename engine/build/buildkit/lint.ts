// `docker build --check`: the findings of the build checks as the answer to the subrequest `frontend.lint` (frontend/subrequests/lint).

import type { Builder, BuildRequest } from '../build.ts';
import { BuildError } from '../error.ts';
import type { SourceFile, SourceRange } from '../graph.ts';
import type { BuildWarning } from '../progress.ts';

const VERSION = '1.0.0';

/** Runs the checks; the metadata that clients print. */
export async function lint(builder: Builder, request: BuildRequest): Promise<Map<string, Buffer>> {
  const warnings: BuildWarning[] = [];
  let failure: BuildError | undefined;
  try {
    await builder.check({
      ...request,
      onProgress: (event) => {
        if (event.type === 'warning') warnings.push(event);
        else request.onProgress(event);
      },
    });
  } catch (error) {
    // a Dockerfile that cannot be built is a finding as well
    if (!(error instanceof BuildError) || !error.source) throw error;
    failure = error;
  }
  const results = describe(warnings, failure);
  const isClean = warnings.length === 0 && !failure;
  return new Map([
    ['result.json', Buffer.from(JSON.stringify(results.json, null, 2))],
    ['result.txt', Buffer.from(results.text)],
    ['result.statuscode', Buffer.from(isClean ? '0' : '1')],
    ['version', Buffer.from(VERSION)],
  ]);
}

function describe(warnings: readonly BuildWarning[], failure: BuildError | undefined) {
  const sources: SourceFile[] = [];
  const locate = (source: SourceRange | undefined) => {
    if (!source) return { sourceIndex: -1, ranges: [] };
    const known = sources.findIndex(
      (each) => each.name === source.file.name && each.data.equals(source.file.data),
    );
    const sourceIndex = known < 0 ? sources.push(source.file) - 1 : known;
    return { sourceIndex, ranges: [{ start: { line: source.firstLine }, end: { line: source.lastLine } }] };
  };
  const sorted = [...warnings].sort((a, b) => (a.source?.firstLine ?? 0) - (b.source?.firstLine ?? 0));
  const json = {
    warnings: sorted.map(({ rule, description, url, message, source }) => {
      const location = locate(source);
      return { ruleName: rule, description, url, detail: message, location };
    }),
    ...(failure ? { buildError: { message: failure.message, location: locate(failure.source) } } : {}),
    sources: sources.map(({ name, data }) => {
      return { filename: name, language: 'Dockerfile', data: data.toString('base64') };
    }),
  };
  return { json, text: sorted.map(describeWarning).join('') };
}

function describeWarning({ rule, url, message, source }: BuildWarning): string {
  const head = `\nWARNING: ${rule}${url === '' ? '' : ` - ${url}`}\n${message}\n`;
  return head + (source ? excerpt(source) : '');
}

const RULE = '--------------------\n';

/** Lines of a Dockerfile with those around them, as BuildKit prints them. */
export function excerpt({ file, firstLine, lastLine }: SourceRange): string {
  const lines = file.data.toString('utf8').split('\n');
  if (firstLine < 1 || firstLine > lines.length) return '';
  let start = firstLine;
  let end = Math.min(lastLine, lines.length);
  const wanted = end === start ? 4 : 2;
  for (let padding = 0; padding < wanted; padding++) {
    if (start > 1) {
      start -= 1;
      padding += 1;
    }
    if (end < lines.length) {
      end += 1;
      padding += 1;
    }
  }
  const shown = lines.slice(start - 1, end).map((line, index) => {
    const number = start + index;
    const mark = number >= firstLine && number <= lastLine ? '>>>' : '   ';
    return ` ${String(number).padStart(3)} | ${mark} ${line}\n`;
  });
  return `${file.name}:${firstLine}\n${RULE}${shown.join('')}${RULE}`;
}
