// The names of Linux capabilities, and which of them a sandbox and a container get.

/** Every capability of capabilities(7), in the kernel's order. */
export const ALL_CAPABILITIES = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
] as const;

export type Capability = (typeof ALL_CAPABILITIES)[number];

/** What Docker gives a container that asks for nothing. */
export const DOCKER_DEFAULT_CAPABILITIES: readonly Capability[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
];

/** Honored by the kernel in the initial user namespace only: of no use in a sandbox, so it does not get them. */
const HOST_ONLY: ReadonlySet<Capability> = new Set<Capability>([
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_PACCT',
  'CAP_SYS_BOOT',
  'CAP_SYS_TIME',
  'CAP_AUDIT_CONTROL',
  'CAP_AUDIT_READ',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_PERFMON',
  'CAP_BPF',
]);

/** What a sandbox's root has over its own user namespace; the most that a privileged container in it can have. */
export const SANDBOX_CAPABILITIES: readonly Capability[] = ALL_CAPABILITIES.filter(
  (name) => !HOST_ONLY.has(name),
);

const KNOWN: ReadonlyMap<string, Capability> = new Map(ALL_CAPABILITIES.map((name) => [name, name]));

/**
 * The capability that a user means by `NET_ADMIN`, `net_admin` or `CAP_NET_ADMIN`; undefined when there is none.
 *
 * @example parseCapability('net_admin') // 'CAP_NET_ADMIN'
 */
export function parseCapability(text: string): Capability | undefined {
  const upper = text.toUpperCase();
  return KNOWN.get(upper.startsWith('CAP_') ? upper : `CAP_${upper}`);
}
