// What a lab is once its lab.md has been read: plain types shared by the parser, the renderer and a run.

import type { Token } from 'markdown-it';
import type { Check } from './checks/check.ts';

/** Nothing in a lab grows without a bound. */
export const LAB_LIMITS = {
  /** bytes of a lab.md */
  fileSize: 256 * 1024,
  steps: 100,
  checksPerStep: 20,
  filesPerStep: 20,
  /** lab hosts */
  hosts: 4,
  /** problems reported for one file; the rest is not worth reading before these are fixed */
  problems: 50,
} as const;

/** A port that the lesson offers to open in the browser. */
export interface LabPort {
  port: number;
  title: string;
}

/** A file that is laid into the lab host when its step begins. */
export interface LabFile {
  path: string;
  /** permission bits */
  mode: number;
  content: string;
  /** the lab host it is for; the first when absent */
  on?: string;
}

/** A shell script and the lab host it is for; the first when absent. */
export interface Script {
  text: string;
  on?: string;
}

/** An answer that students are known to give, and what the failing check must then tell them. */
export interface WrongAnswer {
  /** shell script */
  run: string;
  /** the lab host it is run on; the first when absent */
  on?: string;
  /** text that the message of a failing check must contain */
  expect: string;
  line: number;
}

/** One step: what the student reads, does, and is checked for. */
export interface Step {
  /** unique in the lab; progress is stored under it */
  id: string;
  title: string;
  /** line of its heading in the file */
  line: number;
  /** what `renderLab` turns into HTML */
  tokens: readonly Token[];
  /** empty for a step that is only read; the student ticks it off by hand */
  checks: readonly Check[];
  /** commands to run with a click, in order */
  commands: readonly string[];
  files: readonly LabFile[];
  /** shell scripts that solve the step, in order; not shown until asked for */
  solution: readonly Script[];
  wrongAnswers: readonly WrongAnswer[];
}

/** A lab as its author wrote it. */
export interface Lab {
  title: string;
  summary: string;
  /** how long it takes */
  minutes: number;
  difficulty: 'beginner' | 'intermediate' | 'advanced';
  /** images of the catalogue that the lab needs */
  images: readonly string[];
  ports: readonly LabPort[];
  /** names of the lab hosts that it needs, at least one; the first is meant where none is said */
  hosts: readonly string[];
  /** whether its lab hosts should reach the internet, where the operator allows that */
  internet: boolean;
  /** what stands before the first step */
  introduction: readonly Token[];
  steps: readonly Step[];
}

/** Something in a lab.md that its author must mend. */
export interface Problem {
  file: string;
  /** 1 for the first line */
  line: number;
  message: string;
}

/** `content/labs/x/lab.md:42: check container: unknown key "nmae", did you mean "name"?` */
export function formatProblem(problem: Problem): string {
  return `${problem.file}:${problem.line}: ${problem.message}`;
}
