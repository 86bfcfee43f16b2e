import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DOCKER_DEFAULT_CAPABILITIES, parseCapability, SANDBOX_CAPABILITIES } from './capabilities.ts';
import { sandboxSeccomp } from './sandbox-seccomp.ts';
import { resolveSeccomp } from './seccomp.ts';

const profile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: 1,
  archMap: [
    { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] },
    { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
  ],
  syscalls: [
    { names: ['read'], action: 'SCMP_ACT_ALLOW', args: [], includes: {}, excludes: {} },
    { names: ['mount'], action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_SYS_ADMIN'] } },
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38, excludes: { caps: ['CAP_SYS_ADMIN'] } },
    { names: ['arch_prctl'], action: 'SCMP_ACT_ALLOW', includes: { arches: ['amd64', 'x32'] } },
    { names: ['ptrace'], action: 'SCMP_ACT_ALLOW', includes: { minKernel: '4.8' } },
    {
      names: ['socket'],
      action: 'SCMP_ACT_ALLOW',
      args: [{ index: 0, value: 40, valueTwo: 0, op: 'SCMP_CMP_NE' }],
    },
  ],
};

const names = (resolved: ReturnType<typeof resolveSeccomp>) =>
  resolved.syscalls?.flatMap((rule) => rule.names);

describe('resolving a seccomp profile', () => {
  const context = { capabilities: [] as string[], arch: 'x64', kernel: '6.1.0-13-amd64' };

  it('drops rules whose capabilities are not held and keeps those that exclude them', () => {
    expect(names(resolveSeccomp(profile, context))).toEqual([
      'read',
      'clone3',
      'arch_prctl',
      'ptrace',
      'socket',
    ]);
  });

  it('turns the same rules round for a process with the capability', () => {
    const resolved = resolveSeccomp(profile, { ...context, capabilities: ['CAP_SYS_ADMIN'] });
    expect(names(resolved)).toEqual(['read', 'mount', 'arch_prctl', 'ptrace', 'socket']);
  });

  it('chooses by architecture and kernel', () => {
    const resolved = resolveSeccomp(profile, { ...context, arch: 'arm64', kernel: '4.7.9' });
    expect(resolved.architectures).toEqual(['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM']);
    expect(names(resolved)).toEqual(['read', 'clone3', 'socket']);
  });

  it('keeps errno values and arguments, and none of the conditions', () => {
    const resolved = resolveSeccomp(profile, context);
    expect(resolved.syscalls?.[1]).toEqual({ names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 });
    expect(resolved.syscalls?.[0]).toEqual({ names: ['read'], action: 'SCMP_ACT_ALLOW' });
    expect(resolved.syscalls?.at(-1)?.args).toEqual([
      { index: 0, value: 40, valueTwo: 0, op: 'SCMP_CMP_NE' },
    ]);
  });

  it('refuses what is not a profile', () => {
    expect(() => resolveSeccomp({ syscalls: [] }, context)).toThrow();
  });

  it('takes the profile that Debian ships', (test) => {
    let shipped: unknown;
    try {
      shipped = JSON.parse(readFileSync('/usr/share/containers/seccomp.json', 'utf8'));
    } catch {
      return test.skip('golang-github-containers-common is not installed');
    }
    const resolved = resolveSeccomp(shipped, { ...context, capabilities: [...DOCKER_DEFAULT_CAPABILITIES] });
    expect(names(resolved)).toContain('execve');
    const allowed = resolved.syscalls
      ?.filter((rule) => rule.action === 'SCMP_ACT_ALLOW')
      .flatMap((rule) => rule.names);
    expect(allowed).not.toContain('init_module');
    expect(allowed).toContain('chroot');
  });
});

describe("the sandbox's own profile", () => {
  it('denies by list, for the native architecture only', () => {
    const denied = sandboxSeccomp('x64');
    expect(denied.defaultAction).toBe('SCMP_ACT_ALLOW');
    expect(denied.architectures).toEqual(['SCMP_ARCH_X86_64']);
    expect(names(denied)).toEqual(
      expect.arrayContaining(['kexec_load', 'bpf', 'open_by_handle_at', 'keyctl']),
    );
    expect(denied.syscalls?.every((rule) => rule.action === 'SCMP_ACT_ERRNO')).toBe(true);
  });

  it('is not known for an architecture without a table', () => {
    expect(() => sandboxSeccomp('mips')).toThrow(/mips/);
  });
});

describe('capabilities', () => {
  it('are known by the names that people type', () => {
    expect(parseCapability('net_admin')).toBe('CAP_NET_ADMIN');
    expect(parseCapability('CAP_SYS_ADMIN')).toBe('CAP_SYS_ADMIN');
    expect(parseCapability('NOSUCH')).toBeUndefined();
  });

  it('of a sandbox include all that containers get by default, and none that act on the host', () => {
    expect(SANDBOX_CAPABILITIES).toEqual(expect.arrayContaining([...DOCKER_DEFAULT_CAPABILITIES]));
    for (const name of ['CAP_SYS_MODULE', 'CAP_SYS_TIME', 'CAP_SYS_BOOT', 'CAP_BPF', 'CAP_SYSLOG'] as const) {
      expect(SANDBOX_CAPABILITIES).not.toContain(name);
    }
  });
});
