// The parameters of the check `container`, as an author writes them.

import { z } from 'zod';
import { byteSize, name, oneOrMore, range, strictMap, text, textMap } from './schema.ts';

export const CONTAINER_STATES = [
  'created',
  'running',
  'paused',
  'restarting',
  'removing',
  'exited',
  'dead',
] as const;

/** A published port as `docker run -p` takes it: `8080:80`, `127.0.0.1:8080:80/udp`, or `80` for any host port. */
const port = text.transform((value, context) => {
  const match = /^(?:(?:([0-9.]+):)?(\d{1,5}):)?(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(value);
  if (!match) {
    context.addIssue({ code: 'custom', message: `"${value}" is not a port; write 8080:80 or 80/udp` });
    return z.NEVER;
  }
  const [, address, host, container, protocol = 'tcp'] = match;
  return { text: value, address, host, container: `${container}/${protocol}` };
});
export type WantedPort = z.output<typeof port>;

/** A mount: `data:/var/lib/data`, `/src:/app:ro`, or `/app` for whatever is mounted there. */
const mount = text.transform((value, context) => {
  const parts = value.split(':');
  const access = parts.length > 1 && /^(ro|rw)$/.test(parts.at(-1) ?? '') ? parts.pop() : undefined;
  const destination = parts.pop();
  const source = parts.pop();
  if (!destination?.startsWith('/') || parts.length > 0) {
    context.addIssue({
      code: 'custom',
      message: `"${value}" is not a mount; write source:/path or source:/path:ro`,
    });
    return z.NEVER;
  }
  return { text: value, source, destination, access };
});
export type WantedMount = z.output<typeof mount>;

export const ContainerParameters = strictMap({
  /** name or id; without it every container is considered */
  name: name.optional(),
  /** true: there must be no such container */
  absent: z.literal(true, 'can only be true').optional(),
  /** how many containers must match; 1 or more when not given */
  count: range.optional(),
  state: oneOrMore(z.enum(CONTAINER_STATES, `must be one of ${CONTAINER_STATES.join(', ')}`)).optional(),
  image: name.optional(),
  /** exit code */
  exit: range.optional(),
  ports: oneOrMore(port).optional(),
  env: textMap.optional(),
  labels: textMap.optional(),
  /** contained in the entry point and arguments, joined by spaces */
  command: name.optional(),
  user: text.optional(),
  hostname: text.optional(),
  health: z
    .enum(['none', 'starting', 'healthy', 'unhealthy'], 'must be none, starting, healthy or unhealthy')
    .optional(),
  /** how often its restart policy started it again */
  restarts: range.optional(),
  /** restart policy */
  restart: z
    .enum(
      ['no', 'always', 'on-failure', 'unless-stopped'],
      'must be no, always, on-failure or unless-stopped',
    )
    .optional(),
  /** networks that it must be connected to; `none` and `host` too */
  networks: oneOrMore(name).optional(),
  mounts: oneOrMore(mount).optional(),
  /** true when its root file system is read-only */
  readonly: z.boolean('must be true or false').optional(),
  limits: strictMap({
    memory: byteSize.optional(),
    cpus: z.number('must be a number').positive().optional(),
    pids: z.number('must be a number').int().positive().optional(),
  }).optional(),
}).refine((value) => !(value.absent && value.count), 'absent and count cannot both be given');
