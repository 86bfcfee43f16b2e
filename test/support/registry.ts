// A real registry (Debian's docker-registry) as an image that students would run: `registry:2`, made of the host's own files.

import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { DockerCli } from './docker.ts';
import { importProgram } from './program-image.ts';

const PROGRAM = '/usr/bin/docker-registry';
const CONFIG = `version: 0.1
log: {level: error}
storage:
  filesystem: {rootdirectory: /var/lib/registry}
  delete: {enabled: true}
http: {addr: ':5000'}
`;

/** Why there is no registry to test with, or undefined: for `describe.skipIf`. */
export const registryMissing: string | undefined = existsSync(PROGRAM)
  ? undefined
  : 'no docker-registry; npm test installs it';

/** Files to be added to the image, by path in there. */
export type ExtraFiles = Record<string, string>;

/** Imports the image `name` into a daemon. Account of the file `/htpasswd` in there: ada, secret. */
export async function importRegistry(docker: DockerCli, name: string, files: ExtraFiles = {}): Promise<void> {
  await importProgram(docker, {
    name,
    program: PROGRAM,
    files: { '/etc/registry.yml': CONFIG, ...files },
    directories: ['/var/lib/registry'],
    cmd: ['serve', '/etc/registry.yml'],
  });
}

/** `ada` with the password `secret`, as htpasswd -B writes it. */
export const HTPASSWD = 'ada:$2y$05$.cM9RpKQCI92sqfGcUfQ9u0Ynt9NlUP3ovdEQ5mo/EPXHZiFevlV6\n';

/** Waits until a registry answers a daemon. */
export async function untilAnswering(docker: DockerCli, registry: string): Promise<void> {
  const config = await mkdtemp(path.join(os.tmpdir(), 'berth-registry-'));
  try {
    for (let i = 0; ; i++) {
      const login = await docker.run(['login', '-u', 'ada', '-p', 'secret', registry], {
        env: { DOCKER_CONFIG: config },
      });
      if (login.code === 0) return;
      if (i === 50) throw new Error(`the registry does not answer: ${login.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  } finally {
    await rm(config, { recursive: true, force: true });
  }
}
