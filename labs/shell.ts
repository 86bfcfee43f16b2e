// How a lab's shell scripts are run in the lab host.

import type { RunRequest } from '../engine/client/types.ts';

/**
 * Runs a script with bash, as root, in /root. The script is handed over in the environment: on the command line, a `pgrep -f` or
 * `pkill -f` in it would find the script itself.
 */
export function shellRequest(script: string, timeout: number): RunRequest {
  return {
    argv: ['bash', '-c', 'berth_script=$BERTH_SCRIPT; unset BERTH_SCRIPT; eval "$berth_script"'],
    env: { BERTH_SCRIPT: script },
    cwd: '/root',
    timeout,
  };
}
