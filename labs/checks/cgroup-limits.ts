// Reads the limits of a process's cgroup in the lab host, cgroup v1 and v2 (Documentation/admin-guide/cgroup-v{1,2}).

import type { ProcessInfo } from '../../engine/client/types.ts';
import type { Look } from './look.ts';

/** Limits that a cgroup sets; absent where it sets none. */
export interface CgroupLimits {
  memory?: number;
  cpus?: number;
  pids?: number;
}

// One line a fact: v2 has everything in one folder, v1 one tree for each controller. /proc/PID/cgroup names the folder as
// the reader's cgroup namespace sees it.
const SCRIPT = `
while IFS=: read -r _ controllers path; do
  case ",$controllers," in
    ,,) base=/sys/fs/cgroup
        [ -e "$base/cgroup.controllers" ] || continue
        for f in memory.max cpu.max pids.max; do [ -r "$base$path/$f" ] && echo "$f $(cat "$base$path/$f")"; done;;
    *) for pair in memory:memory.limit_in_bytes cpu:cpu.cfs_quota_us cpu:cpu.cfs_period_us pids:pids.max; do
         controller=\${pair%%:*} f=\${pair#*:}
         case ",$controllers," in *",$controller,"*) ;; *) continue;; esac
         for base in "/sys/fs/cgroup/$controllers" "/sys/fs/cgroup/$controller"; do
           [ -r "$base$path/$f" ] && { echo "$f $(cat "$base$path/$f")"; break; }
         done
       done;;
  esac
done < "/proc/$1/cgroup"
exit 0
`;

/** cgroup v1 says "no limit" by a number near 2^63 */
const NO_LIMIT_V1 = 2 ** 60;

/** The limits of the process's own cgroup. */
export async function limitsOfProcess(process: ProcessInfo, look: Look): Promise<CgroupLimits> {
  const request = { argv: ['bash', '-c', SCRIPT, 'bash', String(process.pid)], timeout: 5000 };
  const { stdout } = await look.host.run(request, look.signal);
  return parseLimits(stdout);
}

/** `memory.max 67108864` lines to limits. */
export function parseLimits(output: string): CgroupLimits {
  const facts = new Map<string, string[]>();
  for (const line of output.split('\n')) {
    const [file = '', ...values] = line.split(' ');
    facts.set(file, values);
  }
  const number = (file: string, index = 0): number | undefined => {
    const value = Number(facts.get(file)?.[index]);
    return Number.isFinite(value) && value > 0 && value < NO_LIMIT_V1 ? value : undefined;
  };
  const memory = number('memory.max') ?? number('memory.limit_in_bytes');
  const quota = number('cpu.max') ?? number('cpu.cfs_quota_us');
  const period = number('cpu.max', 1) ?? number('cpu.cfs_period_us');
  const pids = number('pids.max');
  return {
    ...(memory === undefined ? {} : { memory }),
    ...(quota === undefined || period === undefined ? {} : { cpus: quota / period }),
    ...(pids === undefined ? {} : { pids }),
  };
}
