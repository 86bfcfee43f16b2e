// Projects of the real docker compose: in a lab host of Berth, where students run it, and on the host for a real dockerd.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { type CommandResult, dockerCommand, runCommand } from './docker.ts';
import { SETUP_DATA, type TestEngine } from './engine.ts';

/** A folder with a compose.yaml, and the docker compose that works in it. */
export interface ComposeProject {
  /** `docker compose …` in the project's folder; a timeout in milliseconds, default 60 s */
  compose(args: readonly string[], timeout?: number): Promise<CommandResult>;
  /** a shell command in the project's folder, with `docker` in it */
  sh(script: string, timeout?: number): Promise<CommandResult>;
  /** replaces or adds files */
  write(files: Readonly<Record<string, string>>): Promise<void>;
}

const TIMEOUT = 60_000;
/** A shell's own, since the engine's `run` gives a program no more than it is told. */
const ENVIRONMENT = {
  HOME: '/root',
  TERM: 'dumb',
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
};

/** Compose clears lines even where there is no terminal. */
function plain({ code, stdout, stderr }: CommandResult): CommandResult {
  return { code, stdout: stripVTControlCharacters(stdout), stderr: stripVTControlCharacters(stderr) };
}

/** In a sandbox. */
export async function labProject(
  engine: TestEngine,
  sandbox: string,
  name: string,
  files: Readonly<Record<string, string>>,
): Promise<ComposeProject> {
  const folder = `/root/${name}`;
  const run = async (argv: string[], timeout = TIMEOUT) => {
    const request = { argv, cwd: folder, env: ENVIRONMENT, timeout, maxOutput: 2 ** 20 };
    const { exitCode, stdout, stderr, timedOut } = await engine.control.run(sandbox, request);
    if (timedOut) throw new Error(`${argv.join(' ')}: no end after ${timeout} ms\n${stderr}`);
    return plain({ code: exitCode, stdout, stderr });
  };
  const project: ComposeProject = {
    compose: (args, timeout) => run(['docker', 'compose', ...args], timeout),
    sh: (script, timeout) => run(['sh', '-c', script], timeout),
    write: async (more) => {
      for (const [file, text] of Object.entries(more)) {
        await engine.control.writeFile(sandbox, `${folder}/${file}`, text);
      }
    },
  };
  await project.write(files);
  return project;
}

/** On the host, against a daemon's socket. `dispose` removes the folder. */
export async function hostProject(
  socket: string,
  name: string,
  files: Readonly<Record<string, string>>,
): Promise<ComposeProject & { dispose(): Promise<void> }> {
  const base = await mkdtemp(path.join(os.tmpdir(), 'berth-compose-'));
  const folder = path.join(base, name);
  const hostImage = path.join(SETUP_DATA, 'host-image/root');
  const [loader = '', ...rest] = dockerCommand(hostImage);
  const libraries = rest.slice(0, -1);
  const plugin = path.join(hostImage, 'usr/libexec/docker/cli-plugins/docker-compose');
  const env = { DOCKER_HOST: `unix://${socket}` };
  const write = async (more: Readonly<Record<string, string>>) => {
    for (const [file, text] of Object.entries(more)) {
      await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
      await writeFile(path.join(folder, file), text);
    }
  };
  await write(files);
  return {
    // Without the docker command around it, the plugin is a program of its own.
    compose: (args, timeout = TIMEOUT) =>
      runCommand([loader, ...libraries, plugin, '--project-directory', folder, ...args], {
        env,
        timeout,
      }).then(plain),
    sh: (script, timeout = TIMEOUT) =>
      runCommand(['sh', '-c', `cd '${folder}' && ${script}`], { env, timeout }),
    write,
    dispose: () => rm(base, { recursive: true, force: true }),
  };
}
