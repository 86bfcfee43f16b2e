// `berth up` and `berth start`: engine and server under one supervisor, in the foreground or behind.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { ControlClient } from '../client/client.ts';
import { findServerUser } from '../setup/server-user.ts';
import { setUp } from '../setup/setup.ts';
import { type Command, say } from './command.ts';
import { deploy, nodeForEveryone } from './deployment.ts';
import { examineHost } from './doctor.ts';
import { readPidFile, writePidFile } from './pid-file.ts';
import { type CliSettings, serverUrl } from './settings.ts';
import { Supervised } from './supervisor.ts';

const START_TIMEOUT = 60_000;

/** BERTH_RUN/berth.pid: the supervisor. */
export function supervisorPidFile(settings: CliSettings): string {
  return path.join(settings.runDir, 'berth.pid');
}

export const up: Command = {
  usage: 'up [--foreground]',
  summary: 'start engine and server',
  details: 'Runs behind unless --foreground is given. Lab hosts that are running go on running.',
  async run(args, settings) {
    const { values } = parseArgs({ args, options: { foreground: { type: 'boolean' } }, strict: true });
    if (await sayIfRunning(settings)) return 0;
    if (values.foreground) return await superviseHere(settings);
    return await superviseBehind(settings);
  },
};

export const start: Command = {
  usage: 'start',
  summary: 'check the host, set up what is missing, run until ^C',
  details:
    '^C and SIGTERM end engine and server; lab hosts and their containers go on. `berth down` ends all.',
  async run(_args, settings) {
    if (await sayIfRunning(settings)) return 0;
    if (!(await examineHost(settings.dataDir, true))) {
      say('This host cannot run Berth yet. `berth doctor` shows every check.');
      return 1;
    }
    const interrupted = new AbortController();
    const stop = (): void => interrupted.abort(new Error('interrupted; the next run goes on from here'));
    process.once('SIGINT', stop).once('SIGTERM', stop);
    await setUp(settings, {
      withTests: false,
      environment: process.env,
      out: process.stdout,
      signal: interrupted.signal,
    });
    process.off('SIGINT', stop).off('SIGTERM', stop);
    return await superviseHere(settings);
  },
};

async function sayIfRunning(settings: CliSettings): Promise<boolean> {
  const holder = await readPidFile(supervisorPidFile(settings));
  if (!holder) return false;
  say(`Berth is already running (pid ${holder.pid}): ${await firstPage(settings)}`);
  return true;
}

/** Runs both until a signal; gives the exit code. */
async function superviseHere(settings: CliSettings): Promise<number> {
  const signalled = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
  });
  const pidFile = supervisorPidFile(settings);
  fs.mkdirSync(settings.runDir, { recursive: true, mode: 0o755 });
  await writePidFile(pidFile);
  const { engine, server } = await services(settings);
  try {
    await engine.start(START_TIMEOUT);
    await server.start(START_TIMEOUT);
    say(`Berth is ready: ${await firstPage(settings)}`);
    if (process.stdout.isTTY) say('^C ends it; lab hosts go on running until `berth down`.');
    await signalled;
    return 0;
  } finally {
    await server.end();
    await engine.end();
    fs.rmSync(pidFile, { force: true });
  }
}

/** Starts a supervisor that outlives this command, and waits until the page is there. */
async function superviseBehind(settings: CliSettings): Promise<number> {
  const logFile = path.join(settings.dataDir, 'log', 'supervisor.log');
  fs.mkdirSync(path.dirname(logFile), { recursive: true, mode: 0o750 });
  const log = fs.openSync(logFile, 'w', 0o640);
  const program = path.join(settings.projectDir, 'dist/berth.js');
  const child = spawn(process.execPath, [program, 'up', '--foreground'], {
    stdio: ['ignore', log, log],
    env: process.env,
    cwd: '/',
    detached: true,
  });
  fs.closeSync(log);
  const outcome = new Promise<number>((resolve) => {
    child.once('exit', (code) => resolve(code ?? 1));
    child.once('error', () => resolve(1));
  });
  for (;;) {
    const ended = await Promise.race([outcome, sleep(100).then(() => undefined)]);
    const text = fs.readFileSync(logFile, 'utf8');
    if (ended !== undefined) {
      process.stderr.write(text);
      return ended === 0 ? 0 : 1;
    }
    const ready = /^Berth is ready: .*$/m.exec(text);
    if (ready) {
      say(ready[0]);
      child.unref();
      return 0;
    }
  }
}

async function services(settings: CliSettings): Promise<{ engine: Supervised; server: Supervised }> {
  const { dataDir, runDir, controlSocket } = settings;
  const user = await findServerUser();
  if (!user) throw new Error('set-up is not complete (no system user berth); run: berth setup');
  const app = await deploy(settings);
  const stateDir = path.join(dataDir, 'server');
  fs.mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  fs.chownSync(stateDir, user.uid, user.gid);
  const client = new ControlClient(controlSocket);
  const engine = new Supervised(
    {
      name: 'engine',
      argv: [process.execPath, '--enable-source-maps', path.join(app, 'engine.js')],
      env: { ...process.env, BERTH_DATA: dataDir, BERTH_RUN: runDir, BERTH_SERVER_GID: String(user.gid) },
      cwd: '/',
      logFile: path.join(dataDir, 'log', 'engine.log'),
      isReady: () => succeeds(client.health()),
    },
    say,
  );
  const server = new Supervised(
    {
      name: 'server',
      argv: [await nodeForEveryone(dataDir), path.join(app, 'server.js')],
      env: {
        ...berthVariables(process.env),
        PATH: '/usr/local/bin:/usr/bin:/bin',
        LANG: 'C.UTF-8',
        NODE_ENV: 'production',
        BERTH_DATA: dataDir,
        BERTH_RUN: runDir,
        BERTH_HOST: settings.host,
        BERTH_PORT: String(settings.port),
        BERTH_CONTENT: process.env.BERTH_CONTENT ?? app,
        BERTH_WEB: path.join(app, 'web'),
        BERTH_STATE: stateDir,
        BERTH_CONTROL: controlSocket,
      },
      cwd: '/',
      user,
      logFile: path.join(dataDir, 'log', 'server.log'),
      isReady: () => succeeds(askServer(settings, '/')),
    },
    say,
  );
  return { engine, server };
}

/** The server gets Berth's settings, and nothing else of root's environment. */
function berthVariables(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => name.startsWith('BERTH_')));
}

const Labs = z.array(z.looseObject({ slug: z.string() }));

/** The address of the first lesson; of the list where there is none. */
async function firstPage(settings: CliSettings): Promise<string> {
  const url = serverUrl(settings);
  try {
    const labs = Labs.parse(await (await askServer(settings, '/api/labs')).json());
    return labs[0] ? `${url}labs/${labs[0].slug}` : url;
  } catch {
    return url;
  }
}

async function askServer(settings: CliSettings, target: string): Promise<Response> {
  const response = await fetch(new URL(target, serverUrl(settings)), { signal: AbortSignal.timeout(2000) });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response;
}

async function succeeds(promise: Promise<unknown>): Promise<boolean> {
  return await promise.then(
    () => true,
    () => false,
  );
}
