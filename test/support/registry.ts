// A real registry (Debian's docker-registry) as an image that students would run: `registry:2`, made of the host's own files.

import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type DockerCli, runCommand } from './docker.ts';

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
  const work = await mkdtemp(path.join(os.tmpdir(), 'berth-registry-'));
  const root = path.join(work, 'root');
  const put = async (file: string, write: (to: string) => Promise<void>) => {
    const to = path.join(root, file);
    await mkdir(path.dirname(to), { recursive: true });
    await write(to);
  };
  try {
    const libraries = (await runCommand(['ldd', PROGRAM])).stdout.matchAll(/(\/\S+) \(0x/g);
    for (const [, file = ''] of [['', PROGRAM], ...libraries]) await put(file, (to) => copyFile(file, to));
    for (const [file, text] of Object.entries({ '/etc/registry.yml': CONFIG, ...files })) {
      await put(file, (to) => writeFile(to, text));
    }
    await mkdir(path.join(root, 'var/lib/registry'), { recursive: true });
    await mkdir(path.join(root, 'tmp'));
    const archive = path.join(work, 'registry.tar');
    const packed = await runCommand(['tar', '-C', root, '-cf', archive, '.']);
    if (packed.code !== 0) throw new Error(packed.stderr);
    await docker.ok(
      ...['import', '-c', 'ENTRYPOINT ["/usr/bin/docker-registry"]'],
      ...['-c', 'CMD ["serve", "/etc/registry.yml"]', archive, name],
    );
  } finally {
    await rm(work, { recursive: true, force: true });
  }
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
