// Where everything of one sandbox lies on the host.

import path from 'node:path';

/** The folders that hold all sandboxes, and what set-up has put in place for them. */
export interface HostPaths {
  /** BERTH_DATA/sandboxes: what must survive a reboot */
  sandboxes: string;
  /** BERTH_RUN/sandboxes: sockets, what crun reads */
  running: string;
  templates: string;
  hostImage: string;
  layers: string;
  initBinary: string;
  launchBinary: string;
}

export function hostPaths(dataDir: string, runDir: string): HostPaths {
  return {
    sandboxes: path.join(dataDir, 'sandboxes'),
    running: path.join(runDir, 'sandboxes'),
    templates: path.join(dataDir, 'templates'),
    hostImage: path.join(dataDir, 'host-image', 'root'),
    layers: path.join(dataDir, 'images', 'layers'),
    initBinary: path.join(dataDir, 'bin', 'berth-init'),
    launchBinary: path.join(dataDir, 'bin', 'berth-launch'),
  };
}

/** One sandbox's files; `data` and `run` are directories of its own, all else lies in them. */
export interface SandboxPaths {
  data: string;
  record: string;
  disk: string;
  /** the engine's records of what is in the sandbox */
  state: string;
  run: string;
  /** pid and start time of its PID 1 */
  runtime: string;
  /** berth-init's listener; 108 bytes is all that a Unix socket's path may have */
  initSocket: string;
  /** /run/berth in the sandbox */
  shared: string;
  dockerSocket: string;
  bundle: string;
  tree: string;
  launchConfig: string;
}

export function sandboxPaths(host: HostPaths, id: string): SandboxPaths {
  const data = path.join(host.sandboxes, id);
  const run = path.join(host.running, id);
  return {
    data,
    record: path.join(data, 'sandbox.json'),
    disk: path.join(data, 'disk.img'),
    state: path.join(data, 'state'),
    run,
    runtime: path.join(run, 'runtime.json'),
    initSocket: path.join(run, 'init.sock'),
    shared: path.join(run, 'shared'),
    dockerSocket: path.join(run, 'shared', 'docker.sock'),
    bundle: path.join(run, 'bundle'),
    tree: path.join(run, 'tree'),
    launchConfig: path.join(run, 'launch.conf'),
  };
}
