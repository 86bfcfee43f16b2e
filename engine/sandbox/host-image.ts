// What the engine must know of the host image: the ids of its groups.

import { readFile } from 'node:fs/promises';
import path from 'node:path';

/** The id of a group in the image's /etc/group; 0 when it has none of that name. */
export async function groupId(imageRoot: string, name: string): Promise<number> {
  const text = await readFile(path.join(imageRoot, 'etc', 'group'), 'utf8').catch(() => '');
  const line = text.split('\n').find((entry) => entry.startsWith(`${name}:`));
  const id = Number(line?.split(':')[2]);
  return Number.isInteger(id) && id > 0 && id < 65536 ? id : 0;
}
