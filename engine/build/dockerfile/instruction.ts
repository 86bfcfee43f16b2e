// What a Dockerfile's instructions say, each a type; values as written, variables not expanded yet.

import type { SourceRange } from '../graph.ts';
import type { KeyValue } from './arguments.ts';
import type { Statement } from './syntax.ts';

interface Common {
  /** the text on one line: what history and progress show */
  readonly text: string;
  readonly source: SourceRange;
  readonly statement: Statement;
}

/** A command line: words, or one text for the shell. */
export interface CommandLine {
  readonly args: readonly string[];
  /** the shell form: SHELL goes before */
  readonly usesShell: boolean;
}

/** A heredoc as a file: COPY <<name, or the script of RUN. */
export interface InlineFile {
  readonly name: string;
  readonly content: string;
  /** the content before `<<-` took tabs away */
  readonly written: string;
  /** variables in the content are expanded */
  readonly expands: boolean;
}

export interface FromInstruction extends Common {
  readonly kind: 'from';
  readonly base: string;
  /** in lower case; '' for a stage without a name */
  readonly name: string;
  /** --platform */
  readonly platform: string;
}

export interface ArgInstruction extends Common {
  readonly kind: 'arg';
  readonly args: readonly { readonly name: string; readonly value: string | undefined }[];
}

export interface EnvInstruction extends Common {
  readonly kind: 'env';
  readonly pairs: readonly KeyValue[];
}

export interface LabelInstruction extends Common {
  readonly kind: 'label';
  readonly pairs: readonly KeyValue[];
}

interface Transfer extends Common {
  readonly sources: readonly string[];
  readonly files: readonly InlineFile[];
  readonly destination: string;
  readonly chown: string;
  readonly chmod: string;
  readonly link: boolean;
  readonly excludePatterns: readonly string[];
}

export interface CopyInstruction extends Transfer {
  readonly kind: 'copy';
  readonly from: string;
  readonly parents: boolean;
}

export interface AddInstruction extends Transfer {
  readonly kind: 'add';
  /** undefined when it is not said */
  readonly keepsGitDirectory: boolean | undefined;
  readonly checksum: string;
  readonly unpacks: boolean | undefined;
}

export interface RunInstruction extends Common {
  readonly kind: 'run';
  readonly command: CommandLine;
  readonly files: readonly InlineFile[];
  /** values of --mount: mount.ts reads them */
  readonly mounts: readonly string[];
  readonly network: 'default' | 'none' | 'host';
  readonly security: 'sandbox' | 'insecure';
  /** values of --device */
  readonly devices: readonly string[];
}

export interface CmdInstruction extends Common {
  readonly kind: 'cmd';
  readonly command: CommandLine;
}

export interface EntrypointInstruction extends Common {
  readonly kind: 'entrypoint';
  readonly command: CommandLine;
}

/** Times in nanoseconds; 0 is Docker's default. */
export interface HealthcheckInstruction extends Common {
  readonly kind: 'healthcheck';
  /** ['NONE'], ['CMD', …] or ['CMD-SHELL', command] */
  readonly test: readonly string[];
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly startInterval: number;
  readonly retries: number;
}

export interface OnbuildInstruction extends Common {
  readonly kind: 'onbuild';
  /** the instruction as it is kept in the image's configuration, with its heredocs */
  readonly trigger: string;
}

/** Sorted. */
export interface ExposeInstruction extends Common {
  readonly kind: 'expose';
  readonly ports: readonly string[];
}

export interface VolumeInstruction extends Common {
  readonly kind: 'volume';
  readonly volumes: readonly string[];
}

export interface ShellInstruction extends Common {
  readonly kind: 'shell';
  readonly shell: readonly string[];
}

/** The instructions with one word behind them. */
export interface WordInstruction extends Common {
  readonly kind: 'workdir' | 'user' | 'stopsignal' | 'maintainer';
  readonly value: string;
}

/** What may stand in a stage. */
export type Instruction =
  | ArgInstruction
  | EnvInstruction
  | LabelInstruction
  | CopyInstruction
  | AddInstruction
  | RunInstruction
  | CmdInstruction
  | EntrypointInstruction
  | HealthcheckInstruction
  | OnbuildInstruction
  | ExposeInstruction
  | VolumeInstruction
  | ShellInstruction
  | WordInstruction;

/** FROM and what stands behind it. */
export interface Stage {
  readonly from: FromInstruction;
  readonly instructions: readonly Instruction[];
}

/** A Dockerfile, read. */
export interface Dockerfile {
  /** before the first FROM */
  readonly globalArgs: readonly ArgInstruction[];
  readonly stages: readonly Stage[];
}
