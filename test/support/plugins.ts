// The docker CLI with its plugins (buildx, compose), run on the host: a configuration folder that has the host image's.

import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, symlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { SETUP_DATA } from './engine.ts';

const FOLDERS = ['usr/libexec/docker/cli-plugins', 'usr/lib/docker/cli-plugins'];

/** Makes a DOCKER_CONFIG folder with the plugins in it; whoever asked removes it. */
export async function pluginConfig(): Promise<string> {
  const config = await mkdtemp(path.join(os.tmpdir(), 'berth-docker-config-'));
  await mkdir(path.join(config, 'cli-plugins'));
  for (const name of ['docker-buildx', 'docker-compose']) {
    const plugin = FOLDERS.map((folder) => path.join(SETUP_DATA, 'host-image/root', folder, name)).find(
      (file) => existsSync(file),
    );
    if (plugin) await symlink(plugin, path.join(config, 'cli-plugins', name));
  }
  return config;
}
