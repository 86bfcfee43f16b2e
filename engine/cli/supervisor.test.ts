import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Supervised } from './supervisor.ts';

let folder: string;
let services: Supervised[];

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'berth-supervisor-'));
  services = [];
});
afterEach(async () => {
  for (const service of services) await service.end();
  await rm(folder, { recursive: true, force: true });
});

function supervise(script: string, said: string[] = []): Supervised {
  const logFile = path.join(folder, 'log');
  const service = new Supervised(
    {
      name: 'thing',
      argv: ['sh', '-c', script],
      env: process.env,
      cwd: folder,
      logFile,
      isReady: async () => (await readFile(logFile, 'utf8')).includes('ready'),
    },
    (line) => said.push(line),
  );
  services.push(service);
  return service;
}

async function starts(): Promise<number> {
  return (await readFile(path.join(folder, 'log'), 'utf8')).split('ready').length - 1;
}

describe('a supervised service', () => {
  it('is up when it answers, and gone after its end', async () => {
    const service = supervise('echo ready $$ > pid; echo ready; exec sleep 60');
    await service.start(5000);
    const pid = Number((await readFile(path.join(folder, 'pid'), 'utf8')).split(' ')[1]);
    await service.end();
    expect(() => process.kill(pid, 0)).toThrow();
  });

  it('is started again when it dies, and that is said', async () => {
    const said: string[] = [];
    await supervise('echo ready; sleep 0.2; exit 3', said).start(5000);
    while ((await starts()) < 2) await sleep(50);
    expect(said[0]).toContain('the thing ended with exit code 3; starting it again in 0.5 s');
  });

  it('shows the end of its log when it dies before it answers', async () => {
    await expect(supervise('echo no such luck; exit 1').start(5000)).rejects.toThrow(
      /ended at once[\s\S]*no such luck/,
    );
  });
});
