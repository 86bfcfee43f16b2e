// berth-launch unpack STAGING INIT UIDBASE: a layer's archive on standard input becomes STAGING/files, without rights over the host.
//
// Archives of registries are hostile. What unpacks them is root of a user namespace only, with ids that nothing else has, in
// a root that holds the staging directory (id-mapped, so that files get the ids 0…65535 there) and its own program.
#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEMORY_LIMIT (512UL << 20)

static void limit(int resource, rlim_t value)
{
    struct rlimit both = {.rlim_cur = value, .rlim_max = value};
    if (setrlimit(resource, &both) < 0)
        fail("setrlimit", "");
}

/** Making files of any owner and with any attribute, and nothing else. */
static void drop_capabilities(void)
{
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
        switch (cap) {
        case CAP_CHOWN:
        case CAP_DAC_OVERRIDE:
        case CAP_FOWNER:
        case CAP_FSETID:
        case CAP_SETFCAP:
        case CAP_SYS_CHROOT:
            continue;
        default:
            if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
                fail("capabilities", "drop");
        }
    }
}

static void make_root(const char *staging, const char *init, int userns)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        fail("unshare", "mount namespace");
    if (mount("berth", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=64k") < 0 || chdir("/run") < 0)
        fail("mount", "/run");
    int file = open("berth-init", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    if (mkdir("work", 0755) < 0 || file < 0)
        fail("mkdir", "work");
    close(file);
    idmap_bind(userns, staging, open_place("work"), 0);
    bind_read_only(init, open_place("berth-init"));
    // the old root ends up above the new one, and goes
    if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        fail("pivot_root", "/run");
    if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) < 0)
        fail("remount", "/");
}

static _Noreturn void run_unpacker(int userns)
{
    if (setgroups(0, NULL) < 0)
        fail("setgroups", "");
    if (setns(userns, CLONE_NEWUSER) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
        fail("setns", "user namespace");
    drop_capabilities();
    limit(RLIMIT_AS, MEMORY_LIMIT);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, 64);
    limit(RLIMIT_NPROC, 8);
    // after the ids, which reset it
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        fail("prctl", "");
    if (close_range(3, ~0U, 0) < 0)
        fail("close_range", "");
    char *const environment[] = {NULL};
    execle("/berth-init", "berth-init", "layer", "unpack", "/work/files", "/work/split", NULL, environment);
    fail("exec", "berth-init");
}

static int exit_status(pid_t child)
{
    int status;
    close(STDIN_FILENO); // the archive is the child's alone
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            fail("waitpid", "");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static pid_t fork_or_fail(void)
{
    pid_t child = fork();
    if (child < 0)
        fail("fork", "");
    return child;
}

int unpack_main(const char *staging, const char *init, uint32_t uid_base)
{
    errno = EINVAL;
    if (uid_base < 65536)
        fail("unpack", "uidbase");
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        fail("prctl", "");
    // made first: what writes its maps needs /proc
    int userns = idmap_open(uid_base);
    make_root(staging, init, userns);
    if (unshare(CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        fail("unshare", "namespaces");
    pid_t first = fork_or_fail();
    if (first > 0)
        return exit_status(first);
    // the first process of the namespace: with it everything in there ends
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        fail("prctl", "");
    pid_t unpacker = fork_or_fail();
    if (unpacker == 0)
        run_unpacker(userns);
    return exit_status(unpacker);
}
