// docker commit --change and docker import --change: the Dockerfile instructions that alter an image's configuration.

import { z } from 'zod';
import { InvalidParameter } from '../errors.ts';
import { healthcheck } from './healthcheck.ts';
import type { OciContainerConfig } from './oci-image.ts';

const VALID = 'CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR'.split(' ');

/** Applies instructions to a copy of the configuration. Throws InvalidParameter. */
export function applyChanges(config: OciContainerConfig, changes: readonly string[]): OciContainerConfig {
  const next = structuredClone(config);
  const lines = changes.flatMap((change) => change.split('\n')).map((line) => line.trim());
  for (const line of lines) if (line !== '' && !line.startsWith('#')) applyChange(next, line);
  return next;
}

function applyChange(config: OciContainerConfig, line: string): void {
  const [, word = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(line) ?? [];
  const instruction = word.toUpperCase();
  if (!VALID.includes(instruction)) {
    throw new InvalidParameter(`${instruction} is not a valid change command`);
  }
  if (rest === '') throw new InvalidParameter(`${instruction} requires at least one argument`);
  switch (instruction) {
    case 'CMD':
      config.Cmd = command(rest);
      break;
    case 'ENTRYPOINT':
      config.Entrypoint = command(rest);
      break;
    case 'ENV':
      config.Env = withVariables(config.Env ?? [], pairs(instruction, rest));
      break;
    case 'LABEL':
      config.Labels = { ...config.Labels, ...Object.fromEntries(pairs(instruction, rest)) };
      break;
    case 'EXPOSE':
      config.ExposedPorts = { ...config.ExposedPorts, ...keys(words(rest).map(port)) };
      break;
    case 'HEALTHCHECK':
      config.Healthcheck = healthcheck(rest);
      break;
    case 'VOLUME':
      config.Volumes = { ...config.Volumes, ...keys(stringList(rest) ?? words(rest)) };
      break;
    case 'ONBUILD':
      config.OnBuild = [...(config.OnBuild ?? []), rest];
      break;
    case 'USER':
      config.User = single(instruction, rest);
      break;
    case 'STOPSIGNAL':
      config.StopSignal = single(instruction, rest);
      break;
    default: {
      const directory = unquote(rest);
      config.WorkingDir = directory.startsWith('/')
        ? directory
        : `${(config.WorkingDir ?? '').replace(/\/$/, '')}/${directory}`;
    }
  }
}

/** The JSON form, or a line for the shell. */
function command(text: string): string[] {
  return stringList(text) ?? ['/bin/sh', '-c', text];
}

function stringList(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    return z.array(z.string()).parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Splits at blanks that are not quoted or escaped; the quotes stay. */
function words(text: string): string[] {
  return text.match(/(?:\\.|"(?:\\.|[^"\\])*"|'[^']*'|[^\s"'\\])+/gs) ?? [];
}

function unquote(text: string): string {
  return text.replace(
    /\\(.)|"((?:\\.|[^"\\])*)"|'([^']*)'/gs,
    (_all, escaped: string | undefined, double: string | undefined, single: string | undefined) =>
      escaped ?? double?.replace(/\\(["\\$])/g, '$1') ?? single ?? '',
  );
}

function single(instruction: string, text: string): string {
  const parts = words(text);
  if (parts.length !== 1) throw new InvalidParameter(`${instruction} requires exactly one argument`);
  return unquote(text);
}

/** `key=value …`, or the old form `key value with blanks`. */
function pairs(instruction: string, text: string): [name: string, value: string][] {
  const parts = words(text);
  const first = parts[0] ?? '';
  if (!first.includes('=')) {
    const value = text.slice(first.length).trim();
    if (value === '') throw new InvalidParameter(`${instruction} must have two arguments`);
    return [[first, unquote(value)]];
  }
  return parts.map((part) => {
    const equals = part.indexOf('=');
    if (equals < 0) {
      throw new InvalidParameter(`Syntax error - can't find = in "${part}". Must be of the form: name=value`);
    }
    if (equals === 0) throw new InvalidParameter(`${instruction} names can not be blank`);
    return [unquote(part.slice(0, equals)), unquote(part.slice(equals + 1))];
  });
}

function withVariables(environment: readonly string[], variables: readonly [string, string][]): string[] {
  const next = [...environment];
  for (const [name, value] of variables) {
    const at = next.findIndex((each) => each.startsWith(`${name}=`));
    if (at < 0) next.push(`${name}=${value}`);
    else next[at] = `${name}=${value}`;
  }
  return next;
}

function port(text: string): string {
  const match = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(unquote(text));
  const number = Number(match?.[1]);
  if (!match || number > 65535) throw new InvalidParameter(`invalid containerPort: ${text}`);
  return `${number}/${(match[2] ?? 'tcp').toLowerCase()}`;
}

function keys(names: readonly string[]): Record<string, Record<string, never>> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}
