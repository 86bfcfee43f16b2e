// Reads what is known of one file, in the lab host or in a container, by one small script in the lab host.

import type { Look } from './look.ts';

/** What is known of a file that exists. */
export interface FileFacts {
  type: 'file' | 'directory' | 'symlink' | 'other';
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

// A stopped container is mounted by nobody: a mount namespace of the script's own gets a read-only overlay of its layers, and
// takes it along when the script ends. Where the reader is in a user namespace, overlay's marks are user.* attributes.
const MOUNT = `
layers=$1
read -r _ _ ids < /proc/self/uid_map
[ "$ids" = 4294967295 ] || marks=,userxattr
mount -t overlay -o "ro,lowerdir=$layers$marks" overlay /mnt || exit 1
shift; set -- /mnt "$@"
`;
const PRIVATE_MOUNTS = ['unshare', '--mount', '--propagation', 'private'];

/** The file's facts, undefined when there is none, or why it cannot be said. */
export async function lookAtFile(
  path: string,
  container: string | undefined,
  look: Look,
  options: { follow: boolean },
): Promise<{ facts: FileFacts | undefined } | { problem: string }> {
  const place = container === undefined ? { root: '' } : await placeOf(container, look);
  if ('problem' in place) return place;
  const command =
    'root' in place
      ? ['bash', '-c', SCRIPT, 'bash', place.root]
      : [...PRIVATE_MOUNTS, 'bash', '-c', MOUNT + SCRIPT, 'bash', place.layers];
  const request = {
    argv: [...command, path, String(MAX_CONTENT), options.follow ? 'follow' : 'nofollow'],
    timeout: 5000,
    maxOutput: MAX_CONTENT + 1024,
  };
  const { exitCode, stdout, stderr } = await look.host.run(request, look.signal);
  if (exitCode !== 0) throw new Error(`cannot look at ${path}: ${stderr.trim() || `exit code ${exitCode}`}`);
  return { facts: parseFacts(stdout) };
}

/** Where a container's files are: below its running process's root (with volumes), or in its layers, from the top one down. */
async function placeOf(
  name: string,
  look: Look,
): Promise<{ root: string } | { layers: string } | { problem: string }> {
  const container = await look.container(name);
  if (!container) return { problem: `no container ${name}` };
  if (container.State.Pid > 0) return { root: `/proc/${container.State.Pid}/root` };
  const { UpperDir, LowerDir } = container.GraphDriver?.Data ?? {};
  if (UpperDir && LowerDir) return { layers: `${UpperDir}:${LowerDir}` };
  return { problem: `container ${name} is ${container.State.Status}, its files cannot be read` };
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
  return kind === 'symbolic link' ? 'symlink' : 'other';
}
