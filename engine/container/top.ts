// docker top: ps in the lab host, less what is not the container's.

import { Conflict, InvalidParameter, SystemError } from '../errors.ts';
import { capture } from './capture.ts';
import { cgroupDir } from './cgroup.ts';
import type { Container } from './container.ts';
import { readText } from './lab-files.ts';
import type { ContainerParts } from './parts.ts';
import { isRunning } from './record.ts';

export interface Top {
  Titles: string[];
  Processes: string[][];
}

/** The container's processes as `ps` with these arguments lists them. */
export async function topContainer(
  parts: ContainerParts,
  container: Container,
  psArgs: string,
): Promise<Top> {
  if (!isRunning(container.record)) throw new Conflict(`container ${container.id} is not running`);
  const words = (psArgs || '-ef').split(/\s+/).filter(Boolean);
  const [own, listed] = await Promise.all([
    readText(
      parts.sandbox.init,
      `${cgroupDir(parts.sandbox, container.id, 'memory', container.record.hostConfig.CgroupParent)}/cgroup.procs`,
    ),
    capture(parts.sandbox.init, ['ps', ...words]),
  ]);
  if (listed.exitCode !== 0)
    throw new SystemError(`error running ps: exit status ${listed.exitCode}: ${listed.stderr.trim()}`);
  const top = select(listed.stdout, new Set((own ?? '').split('\n').filter(Boolean)));
  parts.events.publish('container', 'top', container.id, container.attributes);
  return top;
}

/** The last column takes the rest of the line, as the command does in ps. */
function select(output: string, pids: ReadonlySet<string>): Top {
  const [header = '', ...lines] = output.split('\n').filter((line) => line.trim() !== '');
  const titles = header.trim().split(/\s+/);
  const pidColumn = titles.indexOf('PID');
  if (pidColumn < 0) throw new InvalidParameter("Couldn't find PID field in ps output");
  const rows = lines.map((line) => {
    const words = line.trim().split(/\s+/);
    return [...words.slice(0, titles.length - 1), words.slice(titles.length - 1).join(' ')];
  });
  return { Titles: titles, Processes: rows.filter((row) => pids.has(row[pidColumn] ?? '')) };
}
