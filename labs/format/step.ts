// Reads one step's tokens: its heading, its fences with directives, its links.

import path from 'node:path';
import type { Token } from 'markdown-it';
import type { Check } from '../checks/check.ts';
import { LAB_LIMITS, type LabFile, type Script, type Step, type WrongAnswer } from '../lab.ts';
import { isImageUrl, isLinkUrl } from '../render/urls.ts';
import { parseChecks, parseWrongAnswers } from './checks.ts';
import { type Directive, type FenceInfo, parseFenceInfo } from './fence.ts';
import type { MarkdownProblem } from './markdown.ts';
import { didYouMean } from './suggest.ts';

/** A fence and where it stands. */
interface Fence {
  token: Token;
  info: FenceInfo;
  line: number;
  /** name of the `:::` container around it */
  container: string | undefined;
  /** inside a list or quotation */
  isNested: boolean;
}

/** Reads the tokens of one step, adding what is wrong to `problems`. */
export class StepReader {
  private readonly checks: Check[] = [];
  private readonly commands: string[] = [];
  private readonly files: LabFile[] = [];
  private readonly solution: Script[] = [];
  private readonly wrongAnswers: WrongAnswer[] = [];

  constructor(
    private readonly problems: MarkdownProblem[],
    /** the lab's hosts, which `on` may name */
    private readonly hosts: readonly string[],
  ) {}

  /** Reads a step that begins with its heading. */
  read(tokens: readonly Token[]): Step {
    const [heading, title] = tokens;
    const line = lineOf(heading);
    const text = title ? plainText(title) : '';
    if (text === '') this.report(line, 'the step has no title');
    this.readBody(tokens.slice(3));
    if (this.checks.length > LAB_LIMITS.checksPerStep) {
      this.report(line, `a step has at most ${LAB_LIMITS.checksPerStep} checks`);
    }
    if (this.files.length > LAB_LIMITS.filesPerStep) {
      this.report(line, `a step has at most ${LAB_LIMITS.filesPerStep} files`);
    }
    return {
      id: this.idOf(heading, text, line),
      title: text,
      line,
      tokens: tokens.slice(3),
      checks: this.checks,
      commands: this.commands,
      files: this.files,
      solution: this.solution,
      wrongAnswers: this.wrongAnswers,
    };
  }

  /** Reads what stands before the first step, which can have no checks. */
  readIntroduction(tokens: readonly Token[]): void {
    this.readBody(tokens);
    const directive = tokens.find((token) => token.type === 'fence' && token.meta?.directive !== undefined);
    if (directive) this.report(lineOf(directive), 'directives belong into a step, below a heading with ##');
  }

  private readBody(tokens: readonly Token[]): void {
    const containers: string[] = [];
    for (const token of tokens) {
      const line = lineOf(token);
      if (token.type === 'lab_container_open') containers.push(String(token.meta?.name));
      else if (token.type === 'lab_container_close') containers.pop();
      else if (token.type === 'inline') this.readInline(token, line);
      else if (token.type === 'fence') {
        const info = parseFenceInfo(token.info);
        if ('problem' in info) this.report(line, info.problem);
        else {
          token.meta = { ...info };
          const isNested = token.level > containers.length;
          this.readFence({ token, info, line, container: containers.at(-1), isNested });
        }
      }
    }
  }

  private readFence(fence: Fence): void {
    const { token, info, line } = fence;
    const { directive } = info;
    if (directive === undefined) return;
    if (token.content.trim() === '' && directive !== 'file') {
      this.report(line, `${directive}: the fence is empty`);
      return;
    }
    if (!this.isInPlace(fence, directive)) return;
    const on = this.hostOf(info.attributes.on, line);
    if (directive === 'run') {
      if (fence.container === undefined) this.commands.push(token.content.trimEnd());
    } else if (directive === 'solution') {
      this.solution.push({ text: token.content, ...on });
    } else if (directive === 'file') {
      this.readFile(token, info, line, on);
    } else if (directive === 'check') {
      const { checks, problems } = parseChecks(token.content, line + 1, on.on);
      for (const check of checks) this.hostOf(check.on, check.line);
      this.checks.push(...checks);
      this.problems.push(...problems);
    } else {
      const { wrongAnswers, problems } = parseWrongAnswers(token.content, line + 1);
      for (const answer of wrongAnswers) this.hostOf(answer.on, answer.line);
      this.wrongAnswers.push(...wrongAnswers);
      this.problems.push(...problems);
    }
  }

  private isInPlace({ line, container, isNested }: Fence, directive: Directive): boolean {
    if (directive === 'run') return true;
    const isAllowed = container === undefined || (directive === 'solution' && container === 'solution');
    if (isAllowed && !isNested) return true;
    const outside = isNested ? 'lists and quotations' : `:::${container}`;
    this.report(line, `a ${directive} fence must stand outside of ${outside}`);
    return false;
  }

  /** `on=HOST`, if it names one of the lab's hosts. */
  private hostOf(name: string | undefined, line: number): { on?: string } {
    if (name === undefined) return {};
    if (this.hosts.includes(name)) return { on: name };
    const message = `on: the lab has no host "${name}"${didYouMean(name, this.hosts)}; its front matter names ${this.hosts.join(', ')}`;
    this.report(line, message);
    return {};
  }

  private readFile(token: Token, { attributes }: FenceInfo, line: number, on: { on?: string }): void {
    const { path: filePath = '', mode = '644' } = attributes;
    if (filePath === '') {
      this.report(line, 'file: path is missing, write path=/root/name');
      return;
    }
    if (!filePath.startsWith('/') || path.posix.normalize(filePath) !== filePath || filePath.endsWith('/')) {
      this.report(line, `file: "${filePath}" is not an absolute path of a file`);
      return;
    }
    if (!/^0?[0-7]{3,4}$/.test(mode)) {
      this.report(line, `file: mode "${mode}" is not octal, like 644`);
      return;
    }
    this.files.push({ path: filePath, mode: Number.parseInt(mode, 8), content: token.content, ...on });
  }

  private readInline(inline: Token, line: number): void {
    for (const token of inline.children ?? []) {
      if (token.type === 'image') this.readImage(token, line);
      const href =
        token.type === 'link_open' ? String(token.attrs?.find(([key]) => key === 'href')?.[1] ?? '') : '';
      if (href !== '' && !isLinkUrl(href)) {
        this.report(line, `the link to "${href}" must be https://…, mailto:…, preview:PORT or #step-id`);
      }
      // what markdown-it did not take for a link stays in the text
      const refused =
        token.type === 'text' ? /\]\(([a-z][a-z0-9+.-]*:[^)\s]*)/i.exec(token.content)?.[1] : undefined;
      if (refused)
        this.report(line, `the link to "${refused}" must be https://…, mailto:…, preview:PORT or #step-id`);
    }
  }

  private readImage(token: Token, line: number): void {
    const source = String(token.attrs?.find(([key]) => key === 'src')?.[1] ?? '');
    if (!isImageUrl(source))
      this.report(line, `the image "${source}" must be https://… or a file beside the lab.md`);
    if (token.content.trim() === '')
      this.report(line, `the image "${source}" needs a text that says what it shows`);
  }

  private idOf(heading: Token | undefined, title: string, line: number): string {
    const explicit = heading?.meta?.id;
    if (explicit !== undefined) {
      const id = String(explicit);
      if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(id))
        this.report(line, `the id "${id}" must be of a-z 0-9 - (at most 64)`);
      return id;
    }
    const id = title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, '-')
      .replace(/^-|-$/g, '')
      .slice(0, 64);
    if (id === '' && title !== '')
      this.report(line, 'no id can be made of this title; write {#an-id} behind it');
    return id;
  }

  private report(line: number, message: string): void {
    this.problems.push({ line, message });
  }
}

function lineOf(token: Token | undefined): number {
  return (token?.map?.[0] ?? 0) + 1;
}

function plainText(inline: Token): string {
  return (inline.children ?? [])
    .map((token) => (token.type === 'softbreak' ? ' ' : token.content))
    .join('')
    .trim();
}
