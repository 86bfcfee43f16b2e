// The control API's shapes, shared by the engine (which answers) and its client (labs, server, the berth command).

import { z } from 'zod';

/** A sandbox's name as people type it. */
export const SandboxName = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._-]{0,62}$/,
    'a sandbox name is 1 to 63 of a-z 0-9 . _ - and starts with a letter or digit',
  );

export const LimitsSchema = z.object({
  /** bytes */
  memory: z
    .number()
    .int()
    .min(64 * 2 ** 20),
  cpus: z.number().positive().max(1024),
  pids: z.number().int().min(64).max(100_000),
  /** bytes */
  disk: z
    .number()
    .int()
    .min(128 * 2 ** 20),
});

const Hostname = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9-]{0,62}$/);

/** The private link of lab hosts that belong together: nobody else can reach it. */
export const LinkSchema = z.object({
  group: SandboxName,
  /** every hostname on it, in the order of their addresses; the same list for all of them */
  hosts: z
    .array(Hostname)
    .min(1)
    .max(16)
    .refine((hosts) => new Set(hosts).size === hosts.length, 'names a host twice'),
});

/** POST /v1/sandboxes */
export const CreateSandbox = z.object({
  name: SandboxName,
  hostname: Hostname.optional(),
  limits: LimitsSchema.partial().optional(),
  /** the lab hosts that it belongs together with */
  link: LinkSchema.optional(),
  /** whether it should reach the internet, if the operator allows that */
  internet: z.boolean().optional(),
});
export type CreateSandbox = z.infer<typeof CreateSandbox>;

/** A sandbox as the control API shows it. */
export const SandboxInfo = z.object({
  id: z.string(),
  name: z.string(),
  hostname: z.string(),
  /** `stopped`: its PID 1 is gone (host restart, out of memory); it starts again at the next use. */
  state: z.enum(['running', 'frozen', 'stopped']),
  /** RFC 3339 */
  created: z.string(),
  limits: LimitsSchema,
  /** path of its Docker socket on the host; root only */
  dockerSocket: z.string(),
  /** host pid of its PID 1, 0 when stopped */
  pid: z.number().int(),
  /** host id of its root */
  uidBase: z.number().int(),
  link: LinkSchema.optional(),
  /** it asked for internet access when it was made */
  internet: z.boolean(),
  /** bytes of memory in use by everything in it; absent when stopped */
  memoryUsage: z.number().optional(),
});
export type SandboxInfo = z.infer<typeof SandboxInfo>;

/** POST /v1/sandboxes/:name/run: run a program to its end in the lab host (or, with container, in a container). */
export const RunRequest = z.object({
  argv: z.array(z.string()).min(1).max(1000),
  env: z.record(z.string(), z.string()).optional(),
  cwd: z.string().optional(),
  stdin: z.string().optional(),
  /** milliseconds, default 10 s */
  timeout: z.number().int().min(1).max(600_000).optional(),
  /** bytes kept of stdout and of stderr each, default 64 KiB; more is read and dropped */
  maxOutput: z
    .number()
    .int()
    .min(0)
    .max(4 * 2 ** 20)
    .optional(),
});
export type RunRequest = z.infer<typeof RunRequest>;

export const RunResult = z.object({
  /** exit code as a shell reports it; 128+N for signal N */
  exitCode: z.number().int(),
  stdout: z.string(),
  stderr: z.string(),
  truncated: z.boolean(),
  timedOut: z.boolean(),
});
export type RunResult = z.infer<typeof RunResult>;

/** GET /v1/sandboxes/:name/file?path=…&limit=…: JSON; content is base64 of at most `limit` bytes (default 1 MiB). */
export const FileResult = z.object({
  path: z.string(),
  size: z.number(),
  /** permission bits and type, st_mode */
  mode: z.number().int(),
  uid: z.number().int(),
  gid: z.number().int(),
  /** RFC 3339 */
  modified: z.string(),
  content: z.string(),
  truncated: z.boolean(),
});
export type FileResult = z.infer<typeof FileResult>;

/** GET /v1/sandboxes/:name/processes: every process of the sandbox, its containers' too. */
export const ProcessInfo = z.object({
  /** pid as the lab host sees it */
  pid: z.number().int(),
  ppid: z.number().int(),
  /** pids from the lab host's namespace inwards (NSpid less the host's) */
  nspid: z.array(z.number().int()),
  comm: z.string(),
  args: z.array(z.string()),
  /** uid as the lab host sees it */
  uid: z.number().int(),
  /** R, S, D, Z, T … (proc_pid_stat(5)) */
  state: z.string(),
  /** id of the container it runs in, or null for the lab host's own */
  container: z.string().nullable(),
  /** namespace type (pid, mnt, net, ipc, uts, user, cgroup) to inode number */
  namespaces: z.record(z.string(), z.number()),
  /** cgroup path as the lab host sees it */
  cgroup: z.string(),
});
export type ProcessInfo = z.infer<typeof ProcessInfo>;

/** POST /v1/sandboxes/:name/terminals */
export const CreateTerminal = z.object({
  /** chosen by the caller so that a retry does not make two */
  id: z.string().regex(/^[a-zA-Z0-9_-]{1,40}$/),
  rows: z.number().int().min(1).max(1000),
  cols: z.number().int().min(1).max(1000),
  argv: z.array(z.string()).min(1).optional(),
  cwd: z.string().optional(),
});
export type CreateTerminal = z.infer<typeof CreateTerminal>;

export const TerminalInfo = z.object({
  id: z.string(),
  state: z.enum(['running', 'ended']),
  exitCode: z.number().int().optional(),
});
export type TerminalInfo = z.infer<typeof TerminalInfo>;

export const TerminalSize = z.object({
  rows: z.number().int().min(1).max(1000),
  cols: z.number().int().min(1).max(1000),
});
export type TerminalSize = z.infer<typeof TerminalSize>;

/** An image of the catalogue: GET /v1/images */
export const CatalogueImage = z.object({
  references: z.array(z.string()),
  id: z.string(),
  size: z.number(),
  created: z.string(),
  description: z.string(),
});
export type CatalogueImage = z.infer<typeof CatalogueImage>;

/** One event of the Docker Engine API's GET /events (only what Berth's own code reads). */
export const DockerEvent = z.looseObject({
  Type: z.string(),
  Action: z.string(),
  Actor: z.looseObject({ ID: z.string(), Attributes: z.record(z.string(), z.string()) }),
  time: z.number(),
  timeNano: z.number(),
});
export type DockerEvent = z.infer<typeof DockerEvent>;

/** GET /v1/sandboxes/:name/activity (newline-delimited JSON): something happened that a check may care about. */
export const Activity = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('docker'), event: DockerEvent }),
  /** a terminal of the lab host produced output (at most one a second) */
  z.object({ kind: z.literal('terminal'), terminal: z.string() }),
  z.object({
    kind: z.literal('sandbox'),
    state: z.enum(['running', 'frozen', 'stopped', 'reset', 'deleted']),
  }),
]);
export type Activity = z.infer<typeof Activity>;
