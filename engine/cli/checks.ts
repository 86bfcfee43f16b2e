// `berth test` and `berth bench`: everything that shows Berth to work, in a checkout.

import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { setUp } from '../setup/setup.ts';
import { type Command, say } from './command.ts';
import { examineHost } from './doctor.ts';
import type { CliSettings } from './settings.ts';

/** Each counts as one test in the sum. */
const TOOLS: readonly (readonly [title: string, ...argv: string[]])[] = [
  ['formatting, lint and import rules', 'biome', 'check', '.'],
  ['types', 'tsc', '--noEmit'],
];

const Report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  numFailedTestSuites: z.number(),
});

export const test: Command = {
  usage: 'test [VITEST ARGUMENT…]',
  summary: 'set up, then run every test',
  details: 'Arguments go to vitest: berth test engine/image. The last line sums up.',
  async run(args, settings) {
    if (!(await prepare(settings))) return 1;
    const counts = { passed: 0, failed: 0, skipped: 0 };
    for (const [title, ...argv] of TOOLS) {
      const code = await runTool(settings, argv);
      say(`${title}: ${code === 0 ? 'ok' : 'FAILED'}`);
      counts[code === 0 ? 'passed' : 'failed']++;
    }
    const report = await runVitest(settings, args);
    counts.passed += report.passed;
    counts.failed += report.failed;
    counts.skipped += report.skipped;
    say(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
    return counts.failed === 0 ? 0 : 1;
  },
};

export const bench: Command = {
  usage: 'bench',
  summary: 'set up, then measure against dockerd where there is one',
  async run(_args, settings) {
    const folder = path.join(settings.projectDir, 'test/bench');
    const names = (await fs.readdir(folder).catch(() => []))
      .filter((name) => name.endsWith('.bench.ts'))
      .sort();
    if (names.length === 0) {
      say('There are no benchmarks in test/bench yet.');
      return 0;
    }
    if (!(await prepare(settings))) return 1;
    const files = names.map((name) => path.join('test/bench', name));
    let code = 0;
    for (const file of files) code = (await runBenchmark(settings, file)) || code;
    return code;
  },
};

/** A benchmark is a program: bundled to a temporary file, and run. */
async function runBenchmark(settings: CliSettings, file: string): Promise<number> {
  const bundle = path.join(settings.projectDir, 'dist', 'bench', `${path.basename(file, '.ts')}.mjs`);
  const built = await runTool(settings, [
    ...['esbuild', file, '--bundle', '--platform=node', '--format=esm', '--packages=external'],
    ...['--log-level=warning', `--outfile=${bundle}`],
  ]);
  return built === 0 ? await runProgram(settings, process.execPath, [bundle]) : built;
}

async function prepare(settings: CliSettings): Promise<boolean> {
  if (!(await examineHost(settings.dataDir, true))) {
    say('This host cannot run Berth yet. `berth doctor` shows every check.');
    return false;
  }
  await setUp(settings, { withTests: true, environment: process.env, out: process.stdout });
  return true;
}

async function runVitest(
  settings: CliSettings,
  args: readonly string[],
): Promise<{ passed: number; failed: number; skipped: number }> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'berth-report-'));
  try {
    const file = path.join(folder, 'report.json');
    const code = await runTool(settings, [
      ...['vitest', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`],
      ...args,
    ]);
    const report = Report.parse(JSON.parse(await fs.readFile(file, 'utf8')));
    // A file that cannot be loaded, or an error outside of any test, counts as well.
    const failed = code === 0 ? 0 : Math.max(report.numFailedTests, report.numFailedTestSuites, 1);
    return {
      passed: report.numPassedTests,
      failed,
      skipped: report.numPendingTests + report.numTodoTests,
    };
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
}

/** Runs one of the checkout's npm programs; gives its exit code. */
async function runTool(settings: CliSettings, [name = '', ...args]: readonly string[]): Promise<number> {
  return await runProgram(settings, path.join(settings.projectDir, 'node_modules/.bin', name), args);
}

async function runProgram(settings: CliSettings, program: string, args: string[]): Promise<number> {
  const child = spawn(program, args, {
    cwd: settings.projectDir,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, BERTH_DATA: settings.dataDir },
  });
  return await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal ? 1 : (code ?? 1)));
  });
}
