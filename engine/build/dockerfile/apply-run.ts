// RUN: a process in the stage's file system, with its mounts.

import { posix } from 'node:path';
import type { ExecMount } from '../graph.ts';
import { commandArgs } from './apply-config.ts';
import { inlineFile } from './apply-copy.ts';
import type { Draft } from './draft.ts';
import { trimSpace } from './go-text.ts';
import { parseHeredocMark } from './heredoc.ts';
import type { RunInstruction } from './instruction.ts';
import { type MountOptions, parseMount } from './mount.ts';
import { type Expander, type PlanContext, summarize, titleOf } from './plan-context.ts';
import { planMount } from './run-mount.ts';
import type { Command, StageState } from './stage-state.ts';

/** Where the script of a heredoc that begins with `#!` lies, as in BuildKit. */
const SCRIPT_DIRECTORY = '/dev/pipes/';

type RunCommand = Command & { instruction: RunInstruction };

export function applyRun(
  state: StageState,
  command: RunCommand,
  expander: Expander,
  context: PlanContext,
): void {
  const { instruction } = command;
  checkEntitlements(instruction, context);
  const mounts = instruction.mounts.map((text) => parseMount(text, (word) => expander.word(word)));
  state.paths.add('/');

  const inputs: Draft[] = state.root === undefined ? [] : [state.root];
  const useInput = (draft: Draft): number => {
    if (!inputs.includes(draft)) inputs.push(draft);
    return inputs.indexOf(draft);
  };
  const script = scriptOf(instruction, context);
  const planned: ExecMount[] = mounts.map((mount, index) =>
    planMount(mount, {
      state,
      from: command.sources[index],
      useInput,
      context,
      sshBefore: mounts.slice(0, index).filter(({ type }) => type === 'ssh').length,
    }),
  );
  if (script.file !== undefined) {
    const from = useInput(script.file);
    planned.push({ type: 'bind', target: SCRIPT_DIRECTORY, from, source: '/', readonly: true });
  }

  const args = commandArgs(state.image, {
    args: script.args,
    usesShell: instruction.command.usesShell && script.file === undefined,
  });
  const name = expander.name(instruction.text + script.summary, {
    keepsQuotes: true,
    masked: secretVariables(mounts),
  });
  const message = `RUN ${[...argsPrefix(state), ...args].join(' ')}`;
  state.root = context.graph.add({
    name: state.stepName(titleOf(name), command.isTrigger),
    operation: {
      kind: 'exec',
      root: state.root === undefined ? undefined : 0,
      args,
      env: [...[...state.env].map(([key, value]) => `${key}=${value}`), ...agentVariable(planned)],
      cwd: state.directory,
      user: state.user,
      mounts: planned,
      network: instruction.network === 'default' ? context.request.network : instruction.network,
      extraHosts: context.request.extraHosts,
      proxyEnv: proxyVariables(context.request.buildArgs),
    },
    inputs,
    ignoresCache: state.ignoresCache,
    source: instruction.source,
  });
  state.record(message, state.root, true);
}

function checkEntitlements({ security, network, devices }: RunInstruction, { request }: PlanContext): void {
  const granted = request.entitlements ?? [];
  if (security === 'insecure') {
    throw new Error(
      granted.includes('security.insecure')
        ? 'granting entitlement security.insecure is not allowed by build daemon configuration'
        : 'security.insecure is not allowed',
    );
  }
  if (network === 'host' && request.network !== 'host' && !granted.includes('network.host')) {
    throw new Error('network.host is not allowed');
  }
  if (devices.length > 0) throw new Error('RUN --device is not supported: lab hosts have no CDI devices');
}

/** What heredocs make of the command. */
function scriptOf(
  { command, files, text }: RunInstruction,
  { graph }: PlanContext,
): { args: readonly string[]; file?: Draft; summary: string } {
  const [first] = files;
  const [line = ''] = command.args;
  if (first === undefined) return { args: command.args, summary: '' };
  if (command.args.length !== 1 || !command.usesShell) {
    throw new Error(`parsing produced an invalid run command: ${trimSpace(text)}`);
  }
  if (parseHeredocMark(line) === undefined) {
    const documents = files.map((file) => `\n${file.written}${file.name}`);
    return { args: [line + documents.join('')], summary: '' };
  }
  const summary = ` (${summarize(first.written)})`;
  if (!first.content.startsWith('#!')) return { args: [first.content], summary };
  const file = graph.add(inlineFile(first.name, first.content, 0o755));
  return { args: [posix.join(SCRIPT_DIRECTORY, first.name)], file, summary };
}

/** BuildKit puts the build arguments before the command in the image's history: `|1 VERSION=3 /bin/sh -c …`. */
function argsPrefix(state: StageState): string[] {
  const values = new Map(state.args.map(({ name, value }) => [name, state.env.get(name) ?? value ?? '']));
  if (values.size === 0) return [];
  return [`|${values.size}`, ...[...values].map(([name, value]) => `${name}=${value}`)];
}

const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'];

/** Proxies given as build arguments: processes see them, in both cases, without an ARG and without effect on the cache. */
function proxyVariables(buildArgs: ReadonlyMap<string, string>): string[] {
  const given = new Map([...buildArgs].map(([name, value]) => [name.toUpperCase(), value]));
  return PROXIES.flatMap((name) => {
    const value = given.get(name);
    return value === undefined || value === '' ? [] : [`${name}=${value}`, `${name.toLowerCase()}=${value}`];
  });
}

function secretVariables(mounts: readonly MountOptions[]): ReadonlySet<string> {
  return new Set(mounts.flatMap((mount) => (mount.type === 'secret' && mount.env ? [mount.env] : [])));
}

/** Programs find the ssh agent's socket by this variable. */
function agentVariable(mounts: readonly ExecMount[]): string[] {
  const agent = mounts.find((mount) => mount.type === 'ssh');
  return agent === undefined ? [] : [`SSH_AUTH_SOCK=${agent.target}`];
}
