// The messages of a BuildKit session: what the daemon asks the client of a build (moby/buildkit session/*, tonistiigi/fsutil types).

import { BYTES, big, bytes, int, map, message, nested, text } from '../proto/message.ts';

/** fsutil.types.Stat. `mode` is Go's os.FileMode. */
export const Stat = message({
  path: text(1),
  mode: int(2),
  uid: int(3),
  gid: int(4),
  size: int(5),
  /** nanoseconds since the epoch */
  modTime: big(6),
  linkname: text(7),
});

/** fsutil.types.Packet.PacketType */
export const PacketType = { STAT: 0, REQ: 1, DATA: 2, FIN: 3, ERR: 4 } as const;

export const Packet = message({ type: int(1), stat: nested(Stat, 2), id: int(3), data: bytes(4) });

/** moby.filesync.v1.BytesMessage, and those of upload and sshforward. */
export const BytesMessage = message({ data: bytes(1) });

export const GetSecretRequest = message({ id: text(1), annotations: map(BYTES, 2) });
export const GetSecretResponse = message({ data: bytes(1) });

export const CheckAgentRequest = message({ id: text(1) });
export const CheckAgentResponse = message({});

export const CredentialsRequest = message({ host: text(1) });
export const CredentialsResponse = message({ username: text(1), secret: text(2) });

/** Paths of the procedures. */
export const SESSION_METHOD = {
  diffCopy: '/moby.filesync.v1.FileSync/DiffCopy',
  fileSend: '/moby.filesync.v1.FileSend/DiffCopy',
  credentials: '/moby.filesync.v1.Auth/Credentials',
  getSecret: '/moby.buildkit.secrets.v1.Secrets/GetSecret',
  checkAgent: '/moby.sshforward.v1.SSH/CheckAgent',
  forwardAgent: '/moby.sshforward.v1.SSH/ForwardAgent',
  pull: '/moby.upload.v1.Upload/Pull',
} as const;

/** Bits of Go's os.FileMode beside the permissions. */
export const GO_MODE = {
  directory: 2 ** 31,
  symlink: 2 ** 27,
  device: 2 ** 26,
  fifo: 2 ** 25,
  socket: 2 ** 24,
  setuid: 2 ** 23,
  setgid: 2 ** 22,
  charDevice: 2 ** 21,
  sticky: 2 ** 20,
  irregular: 2 ** 19,
} as const;

/** Permissions with setuid, setgid and sticky, as chmod(2) has them. */
export function permissionsOf(mode: number): number {
  const has = (bit: number) => Math.floor(mode / bit) % 2 === 1;
  return (
    (mode % 0o1000) +
    (has(GO_MODE.setuid) ? 0o4000 : 0) +
    (has(GO_MODE.setgid) ? 0o2000 : 0) +
    (has(GO_MODE.sticky) ? 0o1000 : 0)
  );
}

/** chmod(2)'s permissions as Go's. */
export function goPermissions(mode: number): number {
  return (
    (mode & 0o777) +
    (mode & 0o4000 ? GO_MODE.setuid : 0) +
    (mode & 0o2000 ? GO_MODE.setgid : 0) +
    (mode & 0o1000 ? GO_MODE.sticky : 0)
  );
}

/** What a mode says the file is; undefined for a socket and what nobody knows. */
export function typeOf(mode: number): 'file' | 'directory' | 'symlink' | 'fifo' | 'device' | undefined {
  const has = (bit: number) => Math.floor(mode / bit) % 2 === 1;
  if (has(GO_MODE.directory)) return 'directory';
  if (has(GO_MODE.symlink)) return 'symlink';
  if (has(GO_MODE.fifo)) return 'fifo';
  if (has(GO_MODE.device) || has(GO_MODE.charDevice)) return 'device';
  return has(GO_MODE.socket) || has(GO_MODE.irregular) ? undefined : 'file';
}
