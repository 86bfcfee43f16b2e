// RUN: a process of the student's in the file system so far, as a container of its own; what it changes is the step's layer.

import { randomBytes } from 'node:crypto';
import { connectOne } from '../../container/attachments.ts';
import { INIT_LAYER_LOWERDIR } from '../../container/boot.ts';
import { cgroupDir, cgroupDirs } from '../../container/cgroup.ts';
import { ContainerConfig, HostConfig } from '../../container/config.ts';
import { createFailed, explainStartFailure } from '../../container/failure.ts';
import { bundleDir, resolvConf } from '../../container/files.ts';
import { readText } from '../../container/lab-files.ts';
import { type ContainerRecord, NEW_STATE } from '../../container/record.ts';
import { containerSpec } from '../../container/spec.ts';
import { type ProcessUser, resolveUser } from '../../container/user.ts';
import { InvalidParameter } from '../../errors.ts';
import { formatNanos, nowNanos } from '../../events/clock.ts';
import { netnsPath } from '../../network/bridge.ts';
import { type Attachment, plainAttachment } from '../../network/record.ts';
import type { OciSpec } from '../../runtime/oci.ts';
import { type ProcessSpec, StartFailed, type Step } from '../../sandbox/init-types.ts';
import { IN_SANDBOX } from '../../sandbox/sandbox.ts';
import { BuildError } from '../error.ts';
import type { ExecOperation } from '../graph.ts';
import type { ExecuteParts, StepCall, StepResult } from './executor.ts';
import { overlay } from './file.ts';
import { type PreparedMounts, prepareMounts } from './run-mounts.ts';
import { BUILD_RUN, EMPTY, newLayer } from './snapshot.ts';
import { stubSteps } from './stubs.ts';

const SIGKILL = 9;
const HOSTNAME = 'buildkitsandbox';
/** Keys of these processes begin so: the reconciler knows them by it. */
export const RUN_KEY = 'build.';

/** Where one RUN's things lie. */
export interface RunPlace {
  /** of the layer */
  id: string;
  /** 64 digits: of the container */
  container: string;
  /** the layer's directory */
  directory: string;
  /** on tmpfs */
  run: string;
}

export async function runProcess(
  parts: ExecuteParts,
  operation: ExecOperation,
  call: StepCall,
): Promise<StepResult> {
  const { init } = parts.sandbox;
  const root = operation.root === undefined ? undefined : call.inputs[operation.root];
  const below = root?.kind === 'files' ? root.snapshot : EMPTY;
  const { id, layer, directory } = newLayer();
  const place: RunPlace = {
    id,
    container: `${id}${randomBytes(26).toString('hex')}`,
    directory,
    run: `${BUILD_RUN}/${id}`,
  };
  const mounts = await prepareMounts(parts, operation, call, place);
  const networks =
    operation.network === 'default' ? [connectOne(parts.networks, plainAttachment('bridge'), [])] : [];
  const key = `${RUN_KEY}${id}`;
  let isLeft = true;
  try {
    const setUp = (): Step[] => [
      { kind: 'mkdir', path: `${directory}/files`, mode: 0o755 },
      { kind: 'mkdir', path: `${directory}/work`, mode: 0o700 },
      { kind: 'mkdir', path: `${place.run}/root`, mode: 0o755 },
      { kind: 'mkdir', path: bundleDir(place.container), mode: 0o700 },
      { kind: 'chdir', path: IN_SANDBOX.dockerRoot },
      overlay(`${place.run}/root`, below, id, INIT_LAYER_LOWERDIR),
      ...mounts.steps,
    ];
    // names of users are looked up in the file system before the process starts; root needs no request of its own
    const isNamed = !isRoot(operation.user);
    if (isNamed) await parts.gate.shared(() => init.start(setUp()));
    const { spec, files } = await specOf(parts, operation, call, place, mounts);
    const status = await runContainer(parts, call, {
      key,
      place,
      steps: () => [
        ...(isNamed ? [] : setUp()),
        ...files,
        ...(operation.network === 'host'
          ? []
          : [{ kind: 'netns', path: netnsPath(place.container) } as const]),
        ...parts.networks.connectSteps(networks, netnsPath(place.container)),
        {
          kind: 'write',
          path: `${bundleDir(place.container)}/config.json`,
          data: JSON.stringify(spec),
          mode: 0o600,
        },
      ],
    });
    call.signal.throwIfAborted();
    await cleanUp(parts, place, networks, mounts.undo);
    isLeft = false;
    const stubs = stubSteps(
      directory,
      mounts.specs.map(({ destination }) => destination),
      below,
    );
    if (status === 0 && stubs.length > 0) await init.start(stubs);
    if (status !== 0) throw failed(operation, `exit code: ${status}`, call);
    layer.created = formatNanos(nowNanos());
    return { kind: 'files', snapshot: { layers: [...below.layers, layer] } };
  } catch (error) {
    if (isLeft) await cleanUp(parts, place, networks, mounts.undo);
    await init.start([{ kind: 'rmtree', path: directory }]);
    throw inWords(error, operation, call);
  } finally {
    parts.networks.release(networks);
    mounts.release();
    await init.forget(key).catch(() => undefined);
  }
}

function failed({ args }: ExecOperation, why: string, { vertex }: StepCall): BuildError {
  return new BuildError(`process "${args.join(' ')}" did not complete successfully: ${why}`, vertex.source);
}

function inWords(error: unknown, operation: ExecOperation, call: StepCall): unknown {
  if (call.signal.aborted) return call.signal.reason;
  if (error instanceof StartFailed)
    return failed(operation, createFailed(explainStartFailure(error)).message, call);
  if (error instanceof InvalidParameter)
    return new BuildError(error.message, call.vertex.source, { cause: error });
  return error;
}

/** Runs it to its end; its output becomes the step's log. */
async function runContainer(
  parts: ExecuteParts,
  { vertex, build, signal }: StepCall,
  { key, place, steps }: { key: string; place: RunPlace; steps(): readonly Step[] },
): Promise<number> {
  const { init } = parts.sandbox;
  const bundle = bundleDir(place.container);
  const process: ProcessSpec = {
    key,
    adopt: { pidFile: `${bundle}/pid` },
    cgroup: cgroupDir(parts.sandbox, place.container, 'memory'),
  };
  const crun = [
    'crun',
    `--root=${IN_SANDBOX.crunRoot}`,
    '--cgroup-manager=cgroupfs',
    'run',
    '--detach',
    `--bundle=${bundle}`,
    `--pid-file=${bundle}/pid`,
    place.container,
  ];
  await init.reserve(process);
  const attachment = await init.attach(key, { stdout: true, stderr: true });
  const kill = () => init.signal(key, SIGKILL).catch(() => undefined);
  signal.addEventListener('abort', kill, { once: true });
  try {
    signal.throwIfAborted();
    await parts.gate.shared(() => init.start([...steps(), { kind: 'exec', argv: crun }], process));
    if (signal.aborted) await kill();
    for await (const { stream, data } of attachment.output) {
      build.onProgress({ type: 'log', vertex: vertex.digest, stream, time: nowNanos(), data });
    }
    const { status } = await init.waitExit(key);
    return status;
  } finally {
    signal.removeEventListener('abort', kill);
    attachment.close();
  }
}

/** What a RUN leaves beside its layer. All may be absent. */
export function cleanUpSteps(
  parts: Pick<ExecuteParts, 'sandbox'>,
  place: RunPlace,
  undo: readonly Step[],
): Step[] {
  return [
    ...cgroupDirs(parts.sandbox, place.container).map((path): Step => ({ kind: 'rmcgroup', path })),
    ...undo,
    { kind: 'umount', path: `${place.run}/root` },
    { kind: 'netnsRemove', path: netnsPath(place.container) },
    { kind: 'rmtree', path: `${IN_SANDBOX.crunRoot}/${place.container}` },
    { kind: 'rmtree', path: bundleDir(place.container) },
    { kind: 'rmtree', path: place.run },
    { kind: 'rmtree', path: `${place.directory}/work` },
  ];
}

async function cleanUp(
  parts: ExecuteParts,
  place: RunPlace,
  networks: readonly Attachment[],
  undo: readonly Step[],
): Promise<void> {
  const steps = [...cleanUpSteps(parts, place, undo), ...parts.networks.disconnectSteps(networks)];
  await parts.sandbox.init
    .start(steps)
    .catch((error) => parts.log.warn({ err: error }, 'a step of a build left something'));
}

async function specOf(
  parts: ExecuteParts,
  operation: ExecOperation,
  { build }: StepCall,
  place: RunPlace,
  mounts: PreparedMounts,
): Promise<{ spec: OciSpec; files: Step[] }> {
  const withSecrets = { ...operation, env: [...operation.env, ...mounts.env] };
  const record = recordOf(withSecrets, build, place.container);
  const [user, resolv] = await Promise.all([
    userOf(parts, operation.user, `${place.run}/root`),
    resolvConf(parts.sandbox.init, record, false),
  ]);
  const files: Step[] = [
    { kind: 'write', path: `${place.run}/hosts`, data: hosts(parts, build.extraHosts), mode: 0o644 },
    { kind: 'write', path: `${place.run}/resolv.conf`, data: resolv, mode: 0o644 },
  ];
  const spec = containerSpec(record, {
    user,
    netns: operation.network === 'host' ? undefined : netnsPath(place.container),
    ipcOf: undefined,
    pidOf: undefined,
    seccompProfile: parts.seccompProfile,
    hasSwapLimit: parts.hasSwapLimit,
  });
  const own = new Set(['/etc/hosts', '/etc/resolv.conf', '/etc/hostname']);
  const binds = ['hosts', 'resolv.conf'].map((name) => ({
    destination: `/etc/${name}`,
    type: 'bind',
    source: `${place.run}/${name}`,
    options: ['rbind', 'rprivate', 'ro'],
  }));
  const isOwn = ({ destination }: { destination: string }) => own.has(destination);
  return {
    spec: {
      ...spec,
      root: { path: `${place.run}/root`, readonly: false },
      mounts: [...spec.mounts.filter((mount) => !isOwn(mount)), ...binds, ...mounts.specs],
    },
    files,
  };
}

function hosts({ networks }: ExecuteParts, extra: readonly string[]): string {
  const lines = extra.map((entry) => {
    const colon = entry.indexOf(':');
    const address = entry.slice(colon + 1);
    return `${address === 'host-gateway' ? networks.bridge.record.gateway : address}\t${entry.slice(0, colon)}`;
  });
  return [`127.0.0.1\tlocalhost ${HOSTNAME}`, '::1\tlocalhost ip6-localhost ip6-loopback', ...lines, ''].join(
    '\n',
  );
}

function isRoot(user: string): boolean {
  return ['', '0', 'root', '0:0', 'root:root'].includes(user);
}

/** USER by the accounts of the file system as it is; root needs none. */
async function userOf(parts: ExecuteParts, user: string, root: string): Promise<ProcessUser> {
  if (isRoot(user)) return { uid: 0, gid: 0, additionalGids: [], home: '/root' };
  const read = async (name: string) => (await readText(parts.sandbox.init, `${root}/etc/${name}`)) ?? '';
  const [passwd, group] = await Promise.all([read('passwd'), read('group')]);
  return resolveUser(user, passwd, group);
}

/** A container as the rest of the engine describes one; it is nobody's but this step's. */
function recordOf(operation: ExecOperation, build: StepCall['build'], id: string): ContainerRecord {
  const config = ContainerConfig.parse({
    Hostname: HOSTNAME,
    User: operation.user,
    Env: [...operation.proxyEnv, ...operation.env],
    WorkingDir: operation.cwd,
  });
  const hostConfig = HostConfig.parse({
    NetworkMode: operation.network === 'default' ? 'bridge' : operation.network,
    ShmSize: build.shmSize,
    CgroupnsMode: 'private',
    IpcMode: 'private',
    Ulimits: build.ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
  });
  const [path = '', ...args] = operation.args;
  return {
    id,
    name: HOSTNAME,
    created: '',
    image: '',
    layers: [],
    path,
    args,
    config,
    hostConfig,
    mounts: [],
    state: NEW_STATE,
    intent: 'none',
    stoppedByUser: false,
    removesVolumes: false,
    restartCount: 0,
    networkSandbox: id,
    networks: [],
  };
}
