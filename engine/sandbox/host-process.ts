// Is a host process still the one that it was? A pid and its start time together name a process.

import { readFile } from 'node:fs/promises';

/** starttime of proc_pid_stat(5) in clock ticks since boot; undefined when there is no such process, or it is a zombie. */
export async function processStartTime(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // the name is in parentheses and may hold anything; what follows the last one is fixed
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

export async function isSameProcess(note: { pid: number; startTime: string }): Promise<boolean> {
  return (await processStartTime(note.pid)) === note.startTime;
}
