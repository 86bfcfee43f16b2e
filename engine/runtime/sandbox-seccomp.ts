// The system calls that nothing in a sandbox may make: those that reach the host's kernel beyond any namespace.

import type { OciSeccomp, OciSyscallRule } from './oci.ts';
import { seccompArchitecture } from './seccomp.ts';

const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

/** Refused as if root lacked the right. */
const FORBIDDEN = [
  // loading code into the kernel, or replacing it
  'kexec_load',
  'kexec_file_load',
  'init_module',
  'finit_module',
  'delete_module',
  'create_module',
  'get_kernel_syms',
  'query_module',
  'bpf',
  // watching the kernel or other users
  'perf_event_open',
  'lookup_dcookie',
  'syslog',
  'fanotify_init',
  'fanotify_mark',
  // the machine's state
  'reboot',
  'swapon',
  'swapoff',
  'settimeofday',
  'clock_settime',
  'adjtimex',
  'clock_adjtime',
  'stime',
  'iopl',
  'ioperm',
  'acct',
  'quotactl',
  'quotactl_fd',
  'nfsservctl',
  'vm86',
  'vm86old',
  // files without a path: gets round mount namespaces
  'open_by_handle_at',
];

/** Refused as if the kernel were built without it, which programs are prepared for. */
const ABSENT = [
  'userfaultfd',
  'io_uring_setup',
  'io_uring_enter',
  'io_uring_register',
  // keyrings are not confined by namespaces; crun goes on without one
  'add_key',
  'request_key',
  'keyctl',
];

/** Socket families that know no network namespace, or are attack surface only (socket(2)'s first argument). */
const SOCKET_FAMILIES = { AF_ALG: 38, AF_VSOCK: 40 };

/**
 * The sandbox's own profile; containers in it get Docker's on top. Only the native architecture's calls are allowed,
 * since the arguments of 32-bit `socketcall` cannot be checked.
 */
export function sandboxSeccomp(arch: string): OciSeccomp {
  const sockets = Object.values(SOCKET_FAMILIES).map(
    (family): OciSyscallRule => ({
      names: ['socket', 'socketpair'],
      action: 'SCMP_ACT_ERRNO',
      errnoRet: EAFNOSUPPORT,
      args: [{ index: 0, value: family, op: 'SCMP_CMP_EQ' }],
    }),
  );
  return {
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures: [seccompArchitecture(arch).scmp],
    syscalls: [
      { names: FORBIDDEN, action: 'SCMP_ACT_ERRNO', errnoRet: EPERM },
      { names: ABSENT, action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
      ...sockets,
    ],
  };
}
