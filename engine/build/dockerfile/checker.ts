// Which build checks apply (`# check=skip=…;error=true`), and what they found.

import { BuildError } from '../error.ts';
import type { SourceRange } from '../graph.ts';
import { parseBool } from './go-text.ts';
import { RULES, type RuleName } from './rules.ts';
import type { Statement, Syntax } from './syntax.ts';

/** A place where a Dockerfile breaks a rule. */
export interface Finding {
  readonly rule: RuleName;
  readonly message: string;
  readonly source: SourceRange;
}

/** Findings of one build; the rest would only repeat them. */
const FINDINGS_MAX = 200;

interface CheckOptions {
  /** 'all', or names of rules */
  readonly skipped: 'all' | ReadonlySet<string>;
  readonly experimental: 'all' | ReadonlySet<string>;
  readonly failsBuild: boolean;
}

/** Collects the findings of one build. */
export class Checker {
  readonly findings: Finding[] = [];
  readonly #options: CheckOptions;
  readonly #onFinding: (finding: Finding) => void;

  constructor(options: CheckOptions, onFinding: (finding: Finding) => void = () => {}) {
    this.#options = options;
    this.#onFinding = onFinding;
  }

  /** The options of a Dockerfile's directive, unless the build has its own (BUILDKIT_DOCKERFILE_CHECK). */
  static for(syntax: Syntax, ofBuild: string | undefined, onFinding?: (finding: Finding) => void): Checker {
    const written = ofBuild ?? syntax.directives.find(({ name }) => name === 'check')?.value ?? '';
    return new Checker(parseCheckOptions(written), onFinding);
  }

  /** Reports a breach, unless the rule is skipped for the build, or in a comment above the statement. */
  report(rule: RuleName, source: SourceRange, message: string, statement?: Statement): void {
    if (!isOn(rule, this.#options)) return;
    const local = statement === undefined ? undefined : optionsInComments(statement.comments);
    if (local !== undefined && !RULES[rule].isExperimental && !isOn(rule, local)) return;
    if (this.findings.length >= FINDINGS_MAX) return;
    const finding = { rule, message, source };
    this.findings.push(finding);
    this.#onFinding(finding);
  }

  /** Throws a BuildError when there are findings and `error=true` was asked for. */
  failIfAsked(): void {
    if (!this.#options.failsBuild || this.findings.length === 0) return;
    const rules = new Set(this.findings.map((finding) => finding.rule));
    throw new BuildError(`lint violation found for rules: ${[...rules].join(', ')}`);
  }
}

function isOn(rule: RuleName, options: CheckOptions): boolean {
  const has = (names: 'all' | ReadonlySet<string>) => names === 'all' || names.has(rule);
  return RULES[rule].isExperimental ? has(options.experimental) : !has(options.skipped);
}

function optionsInComments(comments: readonly string[]): CheckOptions | undefined {
  for (const comment of comments) {
    const value = /^check\s*=\s*(\S+)/i.exec(comment)?.[1];
    if (value === undefined) continue;
    try {
      return parseCheckOptions(value);
    } catch {
      return undefined;
    }
  }
  return undefined;
}

/** Reads `skip=A,B;error=true;experimental=all`. Throws a BuildError in BuildKit's words. */
export function parseCheckOptions(text: string): CheckOptions {
  let skipped: 'all' | ReadonlySet<string> = new Set<string>();
  let experimental: 'all' | ReadonlySet<string> = new Set<string>();
  let failsBuild = false;
  for (const part of text.trim() === '' ? [] : text.trim().split(';')) {
    const equals = part.indexOf('=');
    const key = part.slice(0, Math.max(equals, 0)).trim();
    const value = part.slice(equals + 1).trim();
    if (key === 'skip') skipped = ruleNames(value);
    else if (key === 'experimental') experimental = ruleNames(value);
    else if (key === 'error') failsBuild = readError(part, value);
    else throw failure(`invalid check option "${equals < 0 ? part : key}"`);
  }
  return { skipped, experimental, failsBuild };
}

function ruleNames(value: string): 'all' | ReadonlySet<string> {
  return value === 'all' ? 'all' : new Set(value.split(',').map((name) => name.trim()));
}

function readError(part: string, value: string): boolean {
  const parsed = parseBool(value);
  if (parsed !== undefined) return parsed;
  throw failure(
    `failed to parse check option "${part}": strconv.ParseBool: parsing "${value}": invalid syntax`,
  );
}

function failure(message: string): BuildError {
  return new BuildError(`failed to parse check options: ${message}`);
}
