// What Docker checks of a container's configuration before it exists, in Docker's words.

import { isIP } from 'node:net';
import { InvalidParameter, NotImplemented } from '../errors.ts';
import { parseBinding, parsePort } from '../network/ports.ts';
import { parseCapability } from '../runtime/capabilities.ts';
import type { Limits } from '../settings.ts';
import type { ContainerConfig, HostConfig } from './config.ts';
import { validateDevices } from './devices.ts';
import { parseSignal } from './signals.ts';

const MIN_MEMORY = 6 * 2 ** 20;
const RESTART_POLICIES = ['no', 'always', 'unless-stopped', 'on-failure'];

/** Throws InvalidParameter for values that make no sense. */
export function validateConfig(config: ContainerConfig, hostConfig: HostConfig, limits: Limits): void {
  validateProcess(config);
  validateLimits(hostConfig, limits);
  validateDevices(hostConfig);
  validateCapabilities(hostConfig);
  validateNamespaces(hostConfig);
  for (const port of Object.keys(config.ExposedPorts ?? {})) parsePort(port);
  for (const [port, bindings] of Object.entries(hostConfig.PortBindings)) {
    for (const binding of bindings) parseBinding(port, binding);
  }
  for (const host of hostConfig.ExtraHosts ?? []) {
    const [, target] = /^[^:]+:(.+)$/.exec(host) ?? [];
    if (target === undefined) throw new InvalidParameter(`bad format for add-host: "${host}"`);
    if (target !== 'host-gateway' && isIP(target.replace(/^\[(.*)\]$/, '$1')) === 0) {
      throw new InvalidParameter(`invalid IP address in add-host: "${target}"`);
    }
  }
}

/** What docker update may change as well. */
export function validateLimits(host: HostConfig, limits: Limits): void {
  validateResources(host, limits);
  validateRestart(host);
}

function validateProcess(config: ContainerConfig): void {
  for (const variable of config.Env ?? []) {
    if (variable === '' || variable.startsWith('=')) {
      throw new InvalidParameter(`invalid environment variable: ${variable}`);
    }
    if (variable.includes('\0')) throw new InvalidParameter('environment variable contains a NUL byte');
  }
  if (config.WorkingDir !== '' && !config.WorkingDir.startsWith('/')) {
    throw new InvalidParameter(
      `the working directory '${config.WorkingDir}' is invalid, it needs to be an absolute path`,
    );
  }
  if (config.StopSignal) parseSignal(config.StopSignal);
  const words = [...(config.Entrypoint ?? []), ...(config.Cmd ?? []), config.User, config.WorkingDir];
  if (words.some((word) => word.includes('\0'))) throw new InvalidParameter('a NUL byte is not allowed here');
  // sethostname(2) takes 64 bytes; blanks would break /etc/hosts
  if (Buffer.byteLength(config.Hostname) > 64 || /[\s\0]/.test(config.Hostname + config.Domainname)) {
    throw new InvalidParameter(`invalid hostname format: ${config.Hostname}`);
  }
}

function validateResources(host: HostConfig, limits: Limits): void {
  if (host.Memory !== 0 && host.Memory < MIN_MEMORY) {
    throw new InvalidParameter('Minimum memory limit allowed is 6MB');
  }
  if (host.Memory > 0 && host.MemorySwap > 0 && host.MemorySwap < host.Memory) {
    throw new InvalidParameter('Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (host.Memory === 0 && host.MemorySwap > 0) {
    throw new InvalidParameter(
      'You should always set the Memory limit when using Memoryswap limit, see usage',
    );
  }
  if (host.MemoryReservation !== 0 && host.MemoryReservation < MIN_MEMORY) {
    throw new InvalidParameter('Minimum memory reservation allowed is 6MB');
  }
  if (host.Memory > 0 && host.MemoryReservation > host.Memory) {
    throw new InvalidParameter(
      'Minimum memory limit can not be less than memory reservation limit, see usage',
    );
  }
  const swappiness = host.MemorySwappiness;
  if (swappiness !== null && (swappiness < -1 || swappiness > 100)) {
    throw new InvalidParameter(`Invalid value: ${swappiness}, valid memory swappiness range is 0-100`);
  }
  if (host.NanoCpus !== 0) {
    if (host.CpuPeriod > 0) {
      throw new InvalidParameter('Conflicting options: Nano CPUs and CPU Period cannot both be set');
    }
    if (host.CpuQuota > 0) {
      throw new InvalidParameter('Conflicting options: Nano CPUs and CPU Quota cannot both be set');
    }
    const cpus = Math.max(1, Math.ceil(limits.cpus));
    if (host.NanoCpus < 0 || host.NanoCpus > cpus * 1e9) {
      throw new InvalidParameter(
        `Range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`,
      );
    }
  }
  if (host.CpuPeriod !== 0 && (host.CpuPeriod < 1000 || host.CpuPeriod > 1_000_000)) {
    throw new InvalidParameter(
      'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)',
    );
  }
  if (host.CpuQuota > 0 && host.CpuQuota < 1000) {
    throw new InvalidParameter('CPU cfs quota can not be less than 1ms (i.e. 1000)');
  }
  if (host.CpuShares !== 0 && host.CpuShares < 2) {
    throw new InvalidParameter('the minimum allowed cpu-shares is 2');
  }
  if (host.CgroupParent !== '' && !/^\/?[\w-][\w.-]*(\/[\w-][\w.-]*)*$/.test(host.CgroupParent)) {
    throw new InvalidParameter(`invalid cgroup parent: ${host.CgroupParent}`);
  }
  if (host.ShmSize < 0) throw new InvalidParameter('SHM size can not be less than 0');
  if (host.OomScoreAdj < -1000 || host.OomScoreAdj > 1000) {
    throw new InvalidParameter(`Invalid value ${host.OomScoreAdj}, range for oom score adj is [-1000, 1000]`);
  }
  if (host.OomScoreAdj < 0) {
    throw new NotImplemented(
      'a negative --oom-score-adj is not possible in a lab host (no CAP_SYS_RESOURCE on the host)',
    );
  }
}

function validateRestart({ RestartPolicy: policy, AutoRemove }: HostConfig): void {
  if (!RESTART_POLICIES.includes(policy.Name)) {
    throw new InvalidParameter(
      `invalid restart policy: unknown policy '${policy.Name}'; use one of '', 'no', 'always', 'on-failure', or 'unless-stopped'`,
    );
  }
  if (policy.MaximumRetryCount < 0) {
    throw new InvalidParameter('invalid restart policy: maximum retry count cannot be negative');
  }
  if (policy.MaximumRetryCount > 0 && policy.Name !== 'on-failure') {
    throw new InvalidParameter(
      `invalid restart policy: maximum retry count can only be used with 'on-failure'`,
    );
  }
  if (AutoRemove && policy.Name !== 'no') {
    throw new InvalidParameter("can't create 'AutoRemove' container with restart policy");
  }
}

function validateCapabilities(host: HostConfig): void {
  const lists = [
    ['CapAdd', host.CapAdd],
    ['CapDrop', host.CapDrop],
  ] as const;
  for (const [field, names] of lists) {
    for (const name of names ?? []) {
      if (name.toUpperCase() === 'ALL' || name.toUpperCase() === 'CAP_ALL' || parseCapability(name)) continue;
      const full = name.toUpperCase().startsWith('CAP_') ? name.toUpperCase() : `CAP_${name.toUpperCase()}`;
      throw new InvalidParameter(`invalid ${field}: unknown capability: "${full}"`);
    }
  }
}

function validateNamespaces(host: HostConfig): void {
  const check = (option: string, value: string, allowed: readonly string[]) => {
    if (allowed.includes(value) || /^container:[^:]+$/.test(value)) return;
    throw new InvalidParameter(`invalid ${option}: ${value}`);
  };
  check('IPC mode', host.IpcMode, ['', 'none', 'private', 'shareable', 'host']);
  check('PID mode', host.PidMode, ['', 'host']);
  if (!['', 'host'].includes(host.UTSMode)) throw new InvalidParameter(`invalid UTS mode: ${host.UTSMode}`);
  if (!['', 'private', 'host'].includes(host.CgroupnsMode)) {
    throw new InvalidParameter(`invalid cgroup namespace mode: ${host.CgroupnsMode}`);
  }
  const shares = host.NetworkMode === 'host' || host.NetworkMode.startsWith('container:');
  if (host.UTSMode === 'host' && host.NetworkMode.startsWith('container:')) {
    throw new InvalidParameter('conflicting options: hostname and the network mode');
  }
  if (host.NetworkMode.startsWith('container:')) {
    if (Object.values(host.PortBindings).some((list) => list.length > 0) || host.PublishAllPorts) {
      throw new InvalidParameter('conflicting options: port publishing and the container type network mode');
    }
  }
  if (shares && host.Sysctls) {
    const net = Object.keys(host.Sysctls).find((name) => name.startsWith('net.'));
    if (net && host.NetworkMode === 'host') {
      throw new InvalidParameter(`sysctl '${net}' not allowed in host network namespace`);
    }
  }
}
