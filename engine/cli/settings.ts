// What the berth command needs to know: places, and the server's address, from the same variables as engine and server.

import path from 'node:path';
import { z } from 'zod';
import { parseSettings } from '../settings.ts';

const Environment = z.object({
  BERTH_PROJECT: z.string().optional(),
  BERTH_HOST: z.string().default('127.0.0.1'),
  BERTH_PORT: z.coerce.number().int().min(1).max(65535).default(3000),
});

/** The berth command's settings. */
export interface CliSettings {
  dataDir: string;
  runDir: string;
  /** the checkout */
  projectDir: string;
  controlSocket: string;
  host: string;
  port: number;
}

/** Parses the environment. Throws an Error naming each wrong variable and what it should be. */
export function parseCliSettings(environment: NodeJS.ProcessEnv): CliSettings {
  const { dataDir, runDir } = parseSettings(environment);
  const result = Environment.safeParse(environment);
  if (!result.success) {
    throw new Error(
      `settings: ${result.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; ')}`,
    );
  }
  return {
    dataDir,
    runDir,
    projectDir: path.resolve(result.data.BERTH_PROJECT ?? '.'),
    controlSocket: path.join(runDir, 'control.sock'),
    host: result.data.BERTH_HOST,
    port: result.data.BERTH_PORT,
  };
}

/** The address that people open. */
export function serverUrl({ host, port }: CliSettings): string {
  const name = host === '127.0.0.1' || host === '::1' || host === '0.0.0.0' ? 'localhost' : host;
  return `http://${name}:${port}/`;
}
