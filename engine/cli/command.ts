// What a command of berth is, and how its mistakes are told.

import type { CliSettings } from './settings.ts';

/** A mistake of whoever typed the command; shown in one line. */
export class UsageError extends Error {}

/** One command: `berth <name> …`. */
export interface Command {
  /** after `berth`: `sandbox exec NAME [--] CMD…` */
  usage: string;
  summary: string;
  /** more lines for `--help` */
  details?: string;
  /** gives the exit code */
  run(args: string[], settings: CliSettings): Promise<number>;
}

/** Prints a line for people. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Prints a table with aligned columns. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  for (const row of [head, ...rows]) {
    say(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('   ')
        .trimEnd(),
    );
  }
}

/** `1.5 MiB` */
export function showBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
