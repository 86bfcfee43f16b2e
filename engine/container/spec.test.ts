import { describe, expect, it } from 'vitest';
import { ContainerConfig, HostConfig } from './config.ts';
import { requestedMounts } from './mounts.ts';
import { type ContainerRecord, NEW_STATE } from './record.ts';
import { capabilitiesOf, containerSpec, environment } from './spec.ts';

function record(config: unknown = {}, hostConfig: unknown = {}): ContainerRecord {
  return {
    id: 'a'.repeat(64),
    name: 'x',
    created: '2026-01-01T00:00:00Z',
    image: 'sha256:0',
    layers: ['l'],
    mounts: requestedMounts(ContainerConfig.parse(config), HostConfig.parse(hostConfig), () => []),
    path: 'sh',
    args: ['-c', 'true'],
    config: ContainerConfig.parse({ Hostname: 'box', ...Object(config) }),
    hostConfig: HostConfig.parse({ NetworkMode: 'bridge', IpcMode: 'private', ...Object(hostConfig) }),
    state: NEW_STATE,
    intent: 'none',
    stoppedByUser: false,
    removesVolumes: false,
    restartCount: 0,
    networkSandbox: 'b'.repeat(64),
    networks: [],
  };
}

function specOf(config: unknown = {}, hostConfig: unknown = {}) {
  return containerSpec(record(config, hostConfig), {
    user: { uid: 0, gid: 0, additionalGids: [0], home: '/root' },
    netns: '/run/docker/netns/x',
    ipcOf: undefined,
    pidOf: undefined,
    seccompProfile: { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [] },
    hasSwapLimit: true,
  });
}

describe('the runtime configuration of a container', () => {
  it('has Docker’s defaults', () => {
    const spec = specOf();
    expect(spec.process.capabilities?.effective).toHaveLength(14);
    expect(spec.process.noNewPrivileges).toBe(false);
    expect(spec.process.oomScoreAdj).toBeUndefined();
    expect(spec.linux.maskedPaths).toContain('/proc/kcore');
    expect(spec.linux.readonlyPaths).toContain('/proc/sys');
    expect(spec.linux.seccomp?.defaultAction).toBe('SCMP_ACT_ERRNO');
    expect(spec.linux.namespaces.map((each) => each.type).sort()).toEqual([
      'cgroup',
      'ipc',
      'mount',
      'network',
      'pid',
      'uts',
    ]);
    expect(spec.linux.resources).toEqual({});
    expect(spec.mounts.map((mount) => mount.destination)).toContain('/etc/resolv.conf');
  });

  it('never joins the user namespace of the lab host’s outside, nor makes one', () => {
    expect(specOf({}, { Privileged: true }).linux.namespaces.some((each) => each.type === 'user')).toBe(
      false,
    );
  });

  it('turns limits into resources', () => {
    const { resources } = specOf(
      {},
      { Memory: 64 * 2 ** 20, NanoCpus: 500_000_000, PidsLimit: 20, CpuShares: 512 },
    ).linux;
    expect(resources).toEqual({
      memory: { limit: 64 * 2 ** 20, swap: 128 * 2 ** 20 },
      cpu: { shares: 512, period: 100_000, quota: 50_000 },
      pids: { limit: 20 },
    });
  });

  it('leaves out what --privileged takes away', () => {
    const { linux, process } = specOf({}, { Privileged: true });
    expect(linux.seccomp).toBeUndefined();
    expect(linux.maskedPaths).toEqual([]);
    expect(process.capabilities?.bounding).toContain('CAP_SYS_ADMIN');
    expect(process.capabilities?.bounding).not.toContain('CAP_SYS_MODULE');
  });

  it('mounts what the user asks for in place of its own', () => {
    const { mounts } = specOf({}, { Binds: ['/my-hosts:/etc/hosts:ro'], Tmpfs: { '/dev/shm': 'size=1m' } });
    expect(mounts.filter((mount) => mount.destination === '/etc/hosts')).toMatchObject([
      { source: '/my-hosts' },
    ]);
    expect(mounts.filter((mount) => mount.destination === '/dev/shm')).toHaveLength(1);
  });

  it('joins the lab host where that is asked for', () => {
    const { linux, hostname } = specOf({}, { PidMode: 'host', IpcMode: 'host', UTSMode: 'host' });
    expect(linux.namespaces.map((each) => each.type).sort()).toEqual(['cgroup', 'mount', 'network']);
    expect(hostname).toBeUndefined();
  });
});

describe('docker run --cap-add and --cap-drop', () => {
  const of = (CapAdd: string[], CapDrop: string[]) => capabilitiesOf(HostConfig.parse({ CapAdd, CapDrop }));

  it('adds to and drops from the default set, in any spelling', () => {
    expect(of(['net_admin'], ['CAP_CHOWN'])).toContain('CAP_NET_ADMIN');
    expect(of(['net_admin'], ['CAP_CHOWN'])).not.toContain('CAP_CHOWN');
  });

  it('understands ALL on both sides', () => {
    expect(of([], ['ALL'])).toEqual([]);
    expect(of(['NET_ADMIN'], ['all'])).toEqual(['CAP_NET_ADMIN']);
    expect(of(['ALL'], ['SYS_ADMIN'])).not.toContain('CAP_SYS_ADMIN');
    expect(of(['ALL'], [])).toContain('CAP_SYS_ADMIN');
  });
});

describe('the environment of a process', () => {
  it('has defaults, the container’s own over them, and exec’s over those', () => {
    const own = record({ Env: ['A=1', 'B=2', 'PATH=/p', 'UNSET'] });
    expect(environment(own, '/home/x', true, ['B=3'])).toEqual([
      'PATH=/p',
      'HOSTNAME=box',
      'TERM=xterm',
      'A=1',
      'B=3',
      'HOME=/home/x',
    ]);
    expect(environment(record({ Env: ['HOME=/mine'] }), '/home/x', false)).toContain('HOME=/mine');
  });
});
