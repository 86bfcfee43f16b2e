// A server with a fake engine and labs of its own, for one test file.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createLogger } from '../log.ts';
import { type BerthServer, startServer } from '../server.ts';
import { type FakeEngine, startFakeEngine } from './fake-engine.ts';

export const TEST_LAB = `---
format: 1
title: A file of your own
summary: Make two files and read a little.
minutes: 5
difficulty: beginner
ports:
  - port: 8080
    title: The page
---

The terminal beside this text is yours. *Welcome.*

## Make a file {#file}

Files hold things:

\`\`\`sh run
echo hello > one.txt
\`\`\`

:::hint Where is it?
Look with \`ls\`.
:::

\`\`\`yaml check
- script: { run: test -e one.txt }
  title: there is a file \`one.txt\`
  hint: The command \`echo\` writes, and \`>\` says where to.
\`\`\`

\`\`\`sh solution
echo hello > one.txt
\`\`\`

## Read {#read}

Nothing to do here but read. The page is [here](preview:8080).

## Make another {#another}

\`\`\`sh
echo there > two.txt
\`\`\`

\`\`\`yaml check
- script: { run: test -e two.txt }
  title: there is a file two.txt
\`\`\`

\`\`\`sh solution
echo there > two.txt
\`\`\`
`;

export interface TestServer {
  directory: string;
  engine: FakeEngine;
  server: BerthServer;
  /** a new server process in all but name, on the same state and another port */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** Starts both; \`webDir\` is the built page, or one is made up. */
export async function startTestServer(options: { webDir?: string } = {}): Promise<TestServer> {
  const directory = await mkdtemp(path.join(tmpdir(), 'berth-server-'));
  const home = path.join(directory, 'home');
  await mkdir(home);
  await writeLab(directory, 'a-file', TEST_LAB);
  await writeFile(path.join(directory, 'content/labs/order.json'), '["a-file"]');
  const webDir = options.webDir ?? (await writePage(directory));
  const engine = await startFakeEngine(home);
  const start = (port: number) =>
    startServer(
      {
        host: '127.0.0.1',
        port,
        previewDomain: 'localhost',
        contentDir: path.join(directory, 'content'),
        webDir,
        stateDir: path.join(directory, 'state'),
        controlSocket: engine.socketPath,
        logLevel: 'silent',
      },
      createLogger('silent'),
    );
  const test: TestServer = {
    directory,
    engine,
    server: await start(0),
    restart: async () => {
      const { port } = test.server;
      await test.server.close();
      test.server = await start(port);
    },
    close: async () => {
      await test.server.close();
      await engine.dispose();
      await rm(directory, { recursive: true, force: true, maxRetries: 3 });
    },
  };
  return test;
}

export async function writeLab(directory: string, slug: string, text: string): Promise<void> {
  const folder = path.join(directory, 'content/labs', slug);
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'lab.md'), text);
}

async function writePage(directory: string): Promise<string> {
  const webDir = path.join(directory, 'web');
  await mkdir(path.join(webDir, 'assets'), { recursive: true });
  await writeFile(path.join(webDir, 'index.html'), '<!doctype html><title>Berth</title>');
  await writeFile(path.join(webDir, 'assets/app.js'), 'export {};');
  return webDir;
}
