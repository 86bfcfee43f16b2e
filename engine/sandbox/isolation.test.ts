import { copyFile, mkdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabHost } from './lab-host.ts';
import { missing, RealHost, shell } from './test/real-host.ts';

/** x86-64 and arm64 numbers of system calls that no sandbox may make, and the errno that it gets. */
const DENIED: [name: string, x64: number, arm64: number, errno: string][] = [
  ['bpf', 321, 280, 'EPERM'],
  ['perf_event_open', 298, 241, 'EPERM'],
  ['open_by_handle_at', 304, 265, 'EPERM'],
  ['init_module', 175, 105, 'EPERM'],
  ['kexec_load', 246, 104, 'EPERM'],
  ['syslog', 103, 116, 'EPERM'],
  ['reboot', 169, 142, 'EPERM'],
  ['swapon', 167, 224, 'EPERM'],
  ['settimeofday', 164, 170, 'EPERM'],
  ['quotactl', 179, 60, 'EPERM'],
  ['fanotify_init', 300, 262, 'EPERM'],
  ['keyctl', 250, 219, 'ENOSYS'],
  ['add_key', 248, 217, 'ENOSYS'],
  ['userfaultfd', 323, 282, 'ENOSYS'],
  ['io_uring_setup', 425, 425, 'ENOSYS'],
];

describe.skipIf(missing)(`a sandbox is closed${missing ? ` (${missing})` : ''}`, () => {
  let real: RealHost;
  let sandbox: LabHost;
  let neighbor: LabHost;

  beforeAll(async () => {
    real = await RealHost.make();
    const manager = await real.manager();
    [sandbox, neighbor] = await Promise.all([
      manager.create({ name: 'me' }),
      manager.create({ name: 'you' }),
    ]);
  });
  afterAll(() => real?.dispose());

  it.each(DENIED)('to the system call %s', async (_name, x64, arm64, errno) => {
    const number = process.arch === 'arm64' ? arm64 : x64;
    const { output } = await shell(
      sandbox,
      `perl -MPOSIX -e 'syscall(${number},0,0,0,0,0); print $!==${errno} ? "ok" : $!'`,
    );
    expect(output).toBe('ok');
  });

  it.each([
    ['AF_VSOCK', 40],
    ['AF_ALG', 38],
  ])('to sockets of family %s, which know no network namespace', async (_name, family) => {
    const { output } = await shell(
      sandbox,
      `perl -MSocket -e 'socket(S,${family},SOCK_STREAM,0) or print $!+0'`,
    );
    expect(output).toBe('97');
  });

  it.each([
    ['the core pattern', 'echo x > /proc/sys/kernel/core_pattern'],
    ['memory settings', 'echo 1 > /proc/sys/vm/overcommit_memory'],
    ['a writable sysfs', 'mount -o remount,rw /sys'],
    ['device nodes', 'mknod /root/sda b 8 0'],
    ['the disks of the host', 'mount -t ext4 /dev/vda /mnt'],
    ['loop devices', 'losetup -f /root/x'],
    ['debugfs', 'mount -t debugfs debugfs /mnt'],
    ['tracefs', 'mount -t tracefs tracefs /mnt'],
    ['the kernel log', 'dmesg'],
    ['the clock', 'date -s 2001-01-01'],
    ['its memory limit', 'echo 8G > /sys/fs/cgroup/memory/memory.limit_in_bytes'],
    ['the host image', 'echo x > /proc/1/exe'],
    ['the shared layers', 'touch /var/lib/docker/shared/x'],
    ["the engine's directory", 'touch /run/berth/x'],
    ['making the shared layers writable', 'mount -o remount,rw,bind /var/lib/docker/shared'],
    ['uncovering what is below the shared layers', 'umount /var/lib/docker/shared'],
    [
      'a writable copy of the shared layers',
      'mkdir /tmp/l; mount --bind /var/lib/docker/shared /tmp/l; mount -o remount,rw,bind /tmp/l',
    ],
    ["another sandbox's ids", 'touch /root/c && chown 70000 /root/c'],
  ])('against %s', async (_what, command) => {
    const { exitCode } = await shell(sandbox, `(${command}) >/dev/null 2>&1`);
    expect(exitCode).not.toBe(0);
  });

  it('to changes of the host image that others or the host would see', async () => {
    await shell(sandbox, 'echo changed > /etc/debian_version; rm /usr/bin/env');
    const image = await readFile(path.join(real.host.hostImage, 'etc/debian_version'), 'utf8');
    expect(image).not.toContain('changed');
    expect((await stat(path.join(real.host.hostImage, 'usr/bin/env'))).isFile()).toBe(true);
    expect((await shell(neighbor, 'cat /etc/debian_version')).output).toBe(image.trim());
  });

  it('to processes, sockets and networks of others', async () => {
    const { output } = await shell(
      sandbox,
      'ls -d /proc/[0-9]* | wc -l; ip -br link | wc -l; ip route | wc -l; wc -l < /proc/net/unix',
    );
    const [processes, links, routes, sockets] = output.split('\n').map(Number);
    expect(processes).toBeLessThan(8);
    expect([links, routes]).toEqual([1, 0]);
    expect(sockets).toBeLessThan(12);
  });

  it('to what the kernel counts by user: one that uses up its inotify instances leaves others theirs', async () => {
    const number = process.arch === 'arm64' ? 26 : 294;
    const make = (count: number, after: string) =>
      `perl -e '$| = 1; $n = 0; while ($n < ${count} && syscall(${number}, 0) >= 0) { $n++ } print $n; ${after}'`;
    const limit = Number(await readFile('/proc/sys/fs/inotify/max_user_instances', 'utf8'));
    const wanted = Math.min(limit + 1, 10_000);
    // both at the same time: the greedy one holds what it has until the other has tried
    const greedy = shell(sandbox, make(wanted, 'sleep 2'));
    await shell(sandbox, 'sleep 1');
    expect((await shell(neighbor, make(1, ''))).output).toBe('1');
    expect(Number((await greedy).output)).toBe(Math.min(limit, wanted));
  });

  it('with descriptors of PID 1 that lead to nothing outside but its listener', async () => {
    const { output } = await shell(sandbox, 'ls -l /proc/1/fd');
    expect(output).not.toMatch(/-> \/(?!dev\/null)/);
  });

  it('yet has what a nested engine needs: crun with limits, overlay on shared layers, bridge, nftables, namespaces', async () => {
    // a shared layer, as the catalogue has them
    const layer = path.join(real.host.layers, 'busybox');
    await mkdir(path.join(layer, 'bin'), { recursive: true });
    for (const name of ['proc', 'sys', 'dev']) await mkdir(path.join(layer, name), { recursive: true });
    await copyFile('/bin/busybox', path.join(layer, 'bin', 'sh'));
    const { output } = await shell(
      sandbox,
      `set -e; cd /var/lib/docker; mkdir -p c1/up c1/work c1/m bundle
       mount -t overlay overlay -o lowerdir=shared/busybox,upperdir=c1/up,workdir=c1/work,userxattr c1/m
       cd bundle; crun spec
       jq '.process.terminal=false | .root={path:"/var/lib/docker/c1/m"} | .linux.cgroupsPath="/docker/c1"
         | .process.args=["sh","-c","echo uid $(id -u); cat /proc/self/cgroup; echo made > /f"]
         | .linux.resources={memory:{limit:33554432},pids:{limit:20},cpu:{quota:50000,period:100000}}' config.json > c
       mv c config.json
       crun --root /run/crun --cgroup-manager=cgroupfs run c1 < /dev/null
       cat /var/lib/docker/c1/up/f
       ip link add docker0 type bridge; ip addr add 172.17.0.1/16 dev docker0; ip link set docker0 up
       ip link add v0 type veth peer name v1
       printf 'table ip t { chain c { type nat hook prerouting priority -100; tcp dport 80 dnat to 172.17.0.2:80; }; }' | nft -f -
       echo 1 > /proc/sys/net/ipv4/ip_forward
       unshare -m true; nsenter -t 1 -n true; echo done`,
    );
    expect(output).toContain('uid 0\n');
    expect(output).toContain('/docker/c1\n');
    expect(output).toMatch(/made\ndone$/);
  });
});
