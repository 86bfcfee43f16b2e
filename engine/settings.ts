// Every setting of the engine, its environment variable and its default, parsed once by main.

import path from 'node:path';
import { z } from 'zod';
import type { UplinkSettings } from './link/uplink.ts';
import type { RegistrySettings } from './registry/registries.ts';

const UNITS: Record<string, number> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** Bytes from `512m`, `2g`, `1048576` (binary units, as `docker run --memory` takes them). */
export const byteSize = z.string().transform((text, context) => {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text.trim());
  if (!match) {
    context.addIssue({ code: 'custom', message: `"${text}" is not a size; write 512m or 2g` });
    return z.NEVER;
  }
  return Math.round(Number(match[1]) * (UNITS[(match[2] ?? '').toLowerCase()] ?? 1));
});

/** Words between commas or blanks. */
function listOf<T extends z.ZodType<string, string>>(word: T) {
  return z
    .string()
    .transform((text) => text.split(/[\s,]+/).filter((each) => each !== ''))
    .pipe(z.array(word));
}

const Environment = z.object({
  BERTH_DATA: z.string().default('/var/lib/berth'),
  BERTH_RUN: z.string().default('/run/berth'),
  BERTH_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  BERTH_SANDBOX_MEMORY: byteSize.default(2 ** 30),
  BERTH_SANDBOX_CPUS: z.coerce.number().positive().default(1),
  BERTH_SANDBOX_PIDS: z.coerce.number().int().min(64).default(512),
  BERTH_SANDBOX_DISK: byteSize.default(4 * 2 ** 30),
  BERTH_SANDBOX_MAX: z.coerce.number().int().positive().default(200),
  BERTH_UID_BASE: z.coerce.number().int().min(65536).default(3_000_000),
  BERTH_INTERNET: z.enum(['never', 'labs', 'always']).default('labs'),
  BERTH_INTERNET_RATE: byteSize.default(2 ** 20),
  BERTH_INTERNET_CONNECTIONS: z.coerce.number().int().positive().default(256),
  BERTH_INTERNET_DNS: listOf(z.ipv4()).default(['1.1.1.1', '9.9.9.9']),
  BERTH_INTERNET_DENY: listOf(z.cidrv4()).default([]),
  BERTH_REGISTRIES: listOf(
    z.string().regex(/^(?:\*\.)?[a-z0-9.-]+(?::\d+)?$/, 'a host, host:port or *.suffix'),
  ).default([]),
  BERTH_REGISTRY_MIRRORS: listOf(z.url({ protocol: /^https?$/ })).default([]),
  BERTH_OFFICIAL_IMAGES: z.stringbool().default(false),
  BERTH_INSECURE_REGISTRIES: listOf(
    z.string().regex(/^[a-zA-Z0-9.:/[\]-]+$/, 'a host, host:port or network'),
  ).default([]),
  BERTH_SERVER_GID: z.coerce.number().int().nonnegative().optional(),
});

/** What one sandbox may use at most. */
export interface Limits {
  /** bytes */
  memory: number;
  /** whole or fractional processors */
  cpus: number;
  /** processes and threads */
  pids: number;
  /** bytes */
  disk: number;
}

/** The engine's settings; README's table of settings documents each. */
export interface Settings {
  /** everything that must survive a reboot */
  dataDir: string;
  /** sockets and what else may go at a reboot */
  runDir: string;
  logLevel: string;
  /** limits of a sandbox that asks for none */
  sandboxDefaults: Limits;
  maxSandboxes: number;
  /** host uid of the first sandbox's root; sandbox n has uidBase + n * 65536 onwards */
  uidBase: number;
  /** which lab hosts reach the internet, and how much of it */
  internet: UplinkSettings;
  registries: RegistrySettings;
  /** group that may open the control socket besides root */
  serverGid?: number;
}

/** Parses the environment. Throws an Error naming each wrong variable and what it should be. */
export function parseSettings(environment: NodeJS.ProcessEnv): Settings {
  const result = Environment.safeParse(environment);
  if (!result.success) {
    const lines = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new Error(`settings: ${lines.join('; ')}`);
  }
  const e = result.data;
  return {
    dataDir: path.resolve(e.BERTH_DATA),
    runDir: path.resolve(e.BERTH_RUN),
    logLevel: e.BERTH_LOG_LEVEL,
    sandboxDefaults: {
      memory: e.BERTH_SANDBOX_MEMORY,
      cpus: e.BERTH_SANDBOX_CPUS,
      pids: e.BERTH_SANDBOX_PIDS,
      disk: e.BERTH_SANDBOX_DISK,
    },
    maxSandboxes: e.BERTH_SANDBOX_MAX,
    uidBase: e.BERTH_UID_BASE,
    internet: {
      policy: e.BERTH_INTERNET,
      rate: e.BERTH_INTERNET_RATE,
      connections: e.BERTH_INTERNET_CONNECTIONS,
      nameservers: e.BERTH_INTERNET_DNS,
      denied: e.BERTH_INTERNET_DENY,
    },
    registries: {
      hosts: e.BERTH_REGISTRIES,
      mirrors: e.BERTH_REGISTRY_MIRRORS,
      insecure: e.BERTH_INSECURE_REGISTRIES,
      official: e.BERTH_OFFICIAL_IMAGES,
    },
    ...(e.BERTH_SERVER_GID === undefined ? {} : { serverGid: e.BERTH_SERVER_GID }),
  };
}
