// YAML inside a lab.md: parsed with the file's line numbers, so that every problem can name its line.

import { isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import type { MarkdownProblem } from './markdown.ts';

/** A YAML text that could be read. */
export interface YamlBlock {
  value: unknown;
  /** the file's line on which the value at the path stands (or the nearest thing around it) */
  lineOf(path: readonly PropertyKey[]): number;
}

/** Reads YAML whose first line is the file's `firstLine`. */
export function parseYaml(text: string, firstLine: number): YamlBlock | { problems: MarkdownProblem[] } {
  const lines = new LineCounter();
  try {
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
    const found = [...document.errors, ...document.warnings];
    if (found.length > 0) {
      return {
        problems: found.map((error) => ({
          line: firstLine + lines.linePos(error.pos[0]).line - 1,
          message: `YAML: ${error.message.split('\n')[0] ?? ''}`,
        })),
      };
    }
    const value: unknown = document.toJS({ maxAliasCount: 20 });
    return {
      value,
      lineOf: (path) => firstLine + lines.linePos(offsetOf(document.contents, path)).line - 1,
    };
  } catch (error) {
    // too many aliases, nested too deeply
    const message = error instanceof Error ? error.message : String(error);
    return { problems: [{ line: firstLine, message: `YAML: ${message}` }] };
  }
}

function offsetOf(root: unknown, path: readonly PropertyKey[]): number {
  let node = root;
  let offset = isMap(node) || isSeq(node) || isScalar(node) ? (node.range?.[0] ?? 0) : 0;
  for (const segment of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(segment));
      if (!pair || !isScalar(pair.key)) break;
      offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(segment)];
      if (isMap(node) || isSeq(node) || isScalar(node)) offset = node.range?.[0] ?? offset;
    } else break;
  }
  return offset;
}

/** zod's issues with lines: `ports: must be …`; `at` is where the parsed value stands in the block. */
export function describeIssues(
  issues: readonly z.core.$ZodIssue[],
  block: YamlBlock,
  at: readonly PropertyKey[] = [],
): MarkdownProblem[] {
  return issues.map((issue) => {
    const path = [...at, ...issue.path];
    const isMissing =
      issue.code !== 'unrecognized_keys' && issue.path.length > 0 && valueAt(block.value, path) === undefined;
    const where = issue.path.map(String).join('.');
    const message = isMissing ? 'is missing' : issue.message;
    const line = block.lineOf(issue.code === 'unrecognized_keys' ? [...path, issue.keys[0] ?? ''] : path);
    return { line, message: where ? `${where}: ${message}` : message };
  });
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let node = value;
  for (const segment of path) {
    if (node === null || typeof node !== 'object') return node;
    node = Object.getOwnPropertyDescriptor(node, segment)?.value;
  }
  return node;
}
