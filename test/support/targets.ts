// What a script of the real docker CLI runs against: Berth, and a real dockerd where BERTH_PEER names its socket.

import path from 'node:path';
import { DockerCli, dockerCommand } from './docker.ts';
import { SETUP_DATA, TestEngine } from './engine.ts';

export interface Target {
  title: string;
  isBerth: boolean;
  open(): Promise<DockerCli>;
  close(): Promise<void>;
  /** the engine, once it is open; of Berth only */
  engine(): TestEngine;
}

/** Each with the image `busybox`; the sandbox of Berth is called `sandbox`. */
export function dockerTargets(sandbox: string): Target[] {
  let engine: TestEngine | undefined;
  const running = () => {
    if (!engine) throw new Error('there is no engine');
    return engine;
  };
  const berth: Target = {
    title: 'Berth',
    isBerth: true,
    async open() {
      engine = await TestEngine.start();
      await engine.control.createSandbox({ name: sandbox });
      const docker = await engine.docker(sandbox);
      await docker.ok('pull', 'busybox');
      return docker;
    },
    close: async () => engine?.dispose(),
    engine: running,
  };
  const peer = process.env.BERTH_PEER;
  if (!peer) return [berth];
  const dockerd: Target = {
    title: 'dockerd',
    isBerth: false,
    open: async () => new DockerCli(dockerCommand(path.join(SETUP_DATA, 'host-image/root')), peer),
    close: async () => {},
    engine: running,
  };
  return [berth, dockerd];
}
