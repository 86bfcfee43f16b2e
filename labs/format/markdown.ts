// The markdown of a lab.md: CommonMark with tables, no raw HTML, `:::` containers, and `{#id}` on step headings.

import MarkdownIt, { type Env, type StateBlock, type StateCore } from 'markdown-it';
import { isAllowedUrl } from '../render/urls.ts';
import { didYouMean } from './suggest.ts';

/** Names of the `:::` containers and the title that each has when the author gives none. */
export const CONTAINERS: Readonly<Record<string, string>> = {
  hint: 'Hint',
  solution: 'Solution',
  note: 'Note',
  warning: 'Careful',
};

/** Something wrong found while reading markdown; lines count from 1. */
export interface MarkdownProblem {
  line: number;
  message: string;
}

/** markdown-it's environment of one parse: where its rules leave the problems they find. */
export interface LabEnv extends Env {
  problems: MarkdownProblem[];
}

/** The markdown parser; it has no state between files. */
export const markdown = createMarkdown();

function createMarkdown() {
  const md = new MarkdownIt({ html: false, linkify: false, typographer: false, langPrefix: 'language-' });
  md.validateLink = isAllowedUrl;
  md.block.ruler.before('fence', 'lab_container', readContainer, {
    alt: ['paragraph', 'reference', 'blockquote', 'list'],
  });
  md.core.ruler.after('block', 'lab_heading_id', takeHeadingIds);
  return md;
}

function report(env: Env, line: number, message: string): void {
  if (Array.isArray(env.problems)) env.problems.push({ line: line + 1, message });
}

function lineAt(state: StateBlock, line: number): string {
  return state.src.slice((state.bMarks[line] ?? 0) + (state.tShift[line] ?? 0), state.eMarks[line]);
}

/** The block rule for `:::name Title` … `:::`. */
function readContainer(state: StateBlock, startLine: number, endLine: number, silent: boolean): boolean {
  const first = lineAt(state, startLine);
  if (!first.startsWith(':::')) return false;
  if (silent) return true;
  const match = /^:::+\s*([a-z][a-z-]*)?\s*(.*)$/i.exec(first);
  const name = match?.[1];
  if (!name) {
    report(state.env, startLine, 'this ::: closes nothing');
    state.line = startLine + 1;
    return true;
  }
  if (!Object.hasOwn(CONTAINERS, name)) {
    report(
      state.env,
      startLine,
      `unknown container ":::${name}"${didYouMean(name, Object.keys(CONTAINERS))}`,
    );
  } else if (state.level > 0 || (state.sCount[startLine] ?? 0) > 0) {
    report(
      state.env,
      startLine,
      `":::${name}" must stand at the beginning of a line, outside of lists and other containers`,
    );
  }
  const end = findEnd(state, startLine + 1, endLine);
  if (end === undefined) report(state.env, startLine, `":::${name}" is never closed by a line with :::`);
  writeContainer(state, { name, title: match?.[2]?.trim() ?? '' }, startLine, end ?? endLine);
  state.line = Math.min((end ?? endLine) + 1, endLine);
  return true;
}

/** The line with the closing `:::`, not looking into code fences. */
function findEnd(state: StateBlock, startLine: number, endLine: number): number | undefined {
  let fence = '';
  for (let line = startLine; line < endLine; line++) {
    const text = lineAt(state, line);
    const marker = /^(`{3,}|~{3,})/.exec(text)?.[1] ?? '';
    if (fence) {
      if (marker.startsWith(fence) && text.trim() === marker) fence = '';
    } else if (marker) {
      fence = marker;
    } else if (/^:::+\s*$/.test(text)) {
      return line;
    }
  }
  return undefined;
}

function writeContainer(
  state: StateBlock,
  meta: { name: string; title: string },
  startLine: number,
  endLine: number,
): void {
  const { parentType, lineMax } = state;
  const open = state.push('lab_container_open', 'div', 1);
  open.block = true;
  open.meta = meta;
  open.map = [startLine, endLine];
  state.lineMax = endLine;
  state.md.block.tokenize(state, startLine + 1, endLine);
  state.lineMax = lineMax;
  state.parentType = parentType;
  const close = state.push('lab_container_close', 'div', -1);
  close.block = true;
  close.meta = meta;
}

/** Takes `{#id}` off the headings of steps, before their text is parsed. */
function takeHeadingIds(state: StateCore): void {
  state.tokens.forEach((token, index) => {
    const text = state.tokens[index + 1];
    if (token.type !== 'heading_open' || token.tag !== 'h2' || !text) return;
    const match = /^(.*?)\s*\{#([^}]*)\}$/s.exec(text.content);
    if (!match) return;
    text.content = match[1] ?? '';
    token.meta = { id: match[2] ?? '' };
  });
}
