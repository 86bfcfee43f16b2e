// Every setting of the server, its environment variable and its default, parsed once by main.

import path from 'node:path';
import { z } from 'zod';

const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|::1|localhost)$/;

const Environment = z.object({
  BERTH_HOST: z
    .string()
    .regex(LOOPBACK, 'single-user mode has no login and listens on a loopback address only, like 127.0.0.1')
    .default('127.0.0.1'),
  BERTH_PORT: z.coerce.number().int().min(0).max(65535).default(3000),
  BERTH_PREVIEW_DOMAIN: z
    .string()
    .toLowerCase()
    .regex(/^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/, 'must be a domain name')
    .default('localhost'),
  BERTH_DATA: z.string().default('/var/lib/berth'),
  BERTH_RUN: z.string().default('/run/berth'),
  BERTH_CONTENT: z.string().default('content'),
  BERTH_WEB: z.string().default('dist/web'),
  BERTH_STATE: z.string().optional(),
  BERTH_CONTROL: z.string().optional(),
  BERTH_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

/** The server's settings; README's table of settings documents each. */
export interface ServerSettings {
  /** loopback address to listen on */
  host: string;
  /** 0 takes any free port */
  port: number;
  /** previews are served at `<port>--<session>.<previewDomain>` */
  previewDomain: string;
  /** folder with `labs/` */
  contentDir: string;
  /** the built web application */
  webDir: string;
  /** the server's own writable folder: progress */
  stateDir: string;
  /** the engine's control socket */
  controlSocket: string;
  logLevel: string;
}

/** Parses the environment. Throws an Error naming each wrong variable and what it should be. */
export function parseSettings(environment: NodeJS.ProcessEnv): ServerSettings {
  const result = Environment.safeParse(environment);
  if (!result.success) {
    const lines = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new Error(`settings: ${lines.join('; ')}`);
  }
  const e = result.data;
  return {
    host: e.BERTH_HOST,
    port: e.BERTH_PORT,
    previewDomain: e.BERTH_PREVIEW_DOMAIN,
    contentDir: path.resolve(e.BERTH_CONTENT),
    webDir: path.resolve(e.BERTH_WEB),
    stateDir: path.resolve(e.BERTH_STATE ?? path.join(e.BERTH_DATA, 'server')),
    controlSocket: path.resolve(e.BERTH_CONTROL ?? path.join(e.BERTH_RUN, 'control.sock')),
    logLevel: e.BERTH_LOG_LEVEL,
  };
}
