// What is kept of a sandbox on disk, and the runtime note on its PID 1.

import { z } from 'zod';

/** BERTH_DATA/sandboxes/<id>/sandbox.json */
export const SandboxRecord = z.object({
  version: z.literal(1),
  id: z.string().regex(/^[0-9a-f]{12}$/),
  name: z.string(),
  hostname: z.string(),
  created: z.string(),
  limits: z.object({ memory: z.number(), cpus: z.number(), pids: z.number(), disk: z.number() }),
  uidBase: z.number().int(),
  /** the private link that it is on */
  link: z.object({ group: z.string(), hosts: z.array(z.string()) }).optional(),
  /** it asked for internet access */
  internet: z.boolean().optional(),
  /** Intent, written before acting: after a crash `creating` and `deleting` end in removal, `resetting` in an empty disk. */
  phase: z.enum(['creating', 'ready', 'resetting', 'deleting']),
});
export type SandboxRecord = z.infer<typeof SandboxRecord>;

/** BERTH_RUN/sandboxes/<id>/runtime.json */
export const RuntimeNote = z.object({
  pid: z.number().int().min(2),
  /** clock ticks since the host's boot, so that a reused pid is not taken for it */
  startTime: z.string(),
  /** its boot steps are done */
  isBooted: z.boolean(),
});
export type RuntimeNote = z.infer<typeof RuntimeNote>;
