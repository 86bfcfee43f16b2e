// Reads what is known of one file, in the lab host or below a container's root, by one small script in the lab host.

import type { Look } from './look.ts';

/** What is known of a file that exists. */
export interface FileFacts {
  type: 'file' | 'directory' | 'symlink' | 'device' | 'other';
  /** octal permission bits, `644` */
  mode: string;
  uid: string;
  /** name as the container's (or lab host's) /etc/passwd has it */
  owner: string;
  /** the beginning of a regular file's content */
  content: string;
}

const MAX_CONTENT = 256 * 1024;

// Follows symbolic links as a process with the given root would: an absolute link in a container leads to the container's
// root, not to the lab host's. Prints `absent`, or type, mode, uid, owner and then the content.
const SCRIPT = `
root=$1 rest=$2 limit=$3 here= hops=0
while [ -n "$rest" ]; do
  rest=\${rest#/}; part=\${rest%%/*}
  case $rest in */*) rest=/\${rest#*/};; *) rest=;; esac
  case $part in ''|.) continue;; ..) here=\${here%/*}; continue;; esac
  if [ -L "$root$here/$part" ] && { [ -n "\${rest//\\/}" ] || [ "$4" = follow ]; }; then
    hops=$((hops + 1)); [ $hops -gt 40 ] && { echo absent; exit 0; }
    link=$(readlink "$root$here/$part"; echo .); link=\${link%??}
    case $link in /*) here=;; esac
    rest=/$link$rest
  else
    here=$here/$part
  fi
done
file=$root$here
[ -e "$file" ] || [ -L "$file" ] || { echo absent; exit 0; }
facts=$(stat -c '%F|%a|%u' -- "$file") || exit 1
uid=\${facts##*|} owner=
while IFS=: read -r user _ id _; do [ "$id" = "$uid" ] && { owner=$user; break; }; done 2>/dev/null <"$root/etc/passwd"
printf '%s|%s\\n' "$facts" "$owner"
[ -f "$file" ] && [ ! -L "$file" ] && exec head -c "$limit" -- "$file"
exit 0
`;

/** The file's facts, undefined when there is none, or why it cannot be said. */
export async function lookAtFile(
  path: string,
  container: string | undefined,
  look: Look,
  options: { follow: boolean },
): Promise<{ facts: FileFacts | undefined } | { problem: string }> {
  const roots = container === undefined ? [''] : await rootsOf(container, look);
  if (typeof roots === 'string') return { problem: roots };
  for (const root of roots) {
    const request = {
      argv: [
        'bash',
        '-c',
        SCRIPT,
        'bash',
        root,
        path,
        String(MAX_CONTENT),
        options.follow ? 'follow' : 'nofollow',
      ],
      timeout: 5000,
      maxOutput: MAX_CONTENT + 1024,
    };
    const { exitCode, stdout, stderr } = await look.host.run(request, look.signal);
    if (exitCode !== 0)
      throw new Error(`cannot look at ${path}: ${stderr.trim() || `exit code ${exitCode}`}`);
    const facts = parseFacts(stdout);
    // overlay marks a file that an upper layer removed by a character device
    if (roots.length > 1 && facts?.type === 'device') return { facts: undefined };
    if (facts) return { facts };
  }
  return { facts: undefined };
}

/**
 * Where a container's files are seen from the lab host: below its running process's root (with volumes), or, when it is
 * stopped, in its overlay's layers from the top one down.
 */
async function rootsOf(name: string, look: Look): Promise<string[] | string> {
  const container = await look.container(name);
  if (!container) return `no container ${name}`;
  if (container.State.Pid > 0) return [`/proc/${container.State.Pid}/root`];
  const { UpperDir, LowerDir = '' } = container.GraphDriver?.Data ?? {};
  const layers = [UpperDir ?? '', ...LowerDir.split(':')].filter((layer) => layer.startsWith('/'));
  return layers.length > 0
    ? layers
    : `container ${name} is ${container.State.Status}, its files cannot be read`;
}

function parseFacts(output: string): FileFacts | undefined {
  const end = output.indexOf('\n');
  const line = end === -1 ? output : output.slice(0, end);
  const [kind = '', mode, uid, owner] = line.split('|');
  if (mode === undefined || uid === undefined) return undefined;
  return { type: typeOf(kind), mode, uid, owner: owner || uid, content: output.slice(end + 1) };
}

function typeOf(kind: string): FileFacts['type'] {
  if (kind.startsWith('regular')) return 'file';
  if (kind === 'directory') return 'directory';
  if (kind === 'character special file') return 'device';
  return kind === 'symbolic link' ? 'symlink' : 'other';
}
