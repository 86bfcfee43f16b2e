// Id-mapped, read-only and overlay mounts in berth-launch's private mount namespace.
#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// By number and value: glibc before 2.36 (Ubuntu 22.04) has no wrappers, and its headers clash with linux/mount.h.
#define OPEN_TREE_CLONE_FLAG 1
#define MOVE_MOUNT_FROM_FD 0x4
#define MOVE_MOUNT_TO_FD 0x40
#define ATTR_RDONLY 0x1
#define ATTR_NOSUID 0x2
#define ATTR_NODEV 0x4
#define ATTR_IDMAP 0x100000
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

struct attributes {
    uint64_t set, clear, propagation, userns;
};

static void write_map(pid_t pid, const char *name, uint32_t base)
{
    char path[64], line[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int length = snprintf(line, sizeof line, "0 %u 65536", base);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, line, (size_t)length) != length)
        fail("user namespace", path);
    close(fd);
}

int idmap_open(uint32_t uid_base)
{
    int ready[2];
    char path[64], byte = 0;
    if (pipe2(ready, O_CLOEXEC) < 0)
        fail("user namespace", "pipe");
    pid_t parent = getpid();
    pid_t child = fork();
    if (child < 0)
        fail("user namespace", "fork");
    if (child == 0) {
        // The namespace lives as long as its descriptor; this process only until the maps are written. Who makes it owns
        // it, and the kernel counts against its owner what is used in it (inotify, namespaces, …): an owner for each.
        if (seteuid(uid_base) < 0)
            _exit(1);
        become_owner(uid_base);
        if (unshare(CLONE_NEWUSER) < 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        close(ready[1]);
        while (getppid() == parent)
            usleep(200);
        _exit(0);
    }
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 1) {
        errno = EPERM;
        fail("user namespace", "unshare (is user.max_user_namespaces 0?)");
    }
    close(ready[0]);
    write_map(child, "uid_map", uid_base);
    write_map(child, "gid_map", uid_base);
    snprintf(path, sizeof path, "/proc/%d/ns/user", (int)child);
    int userns = open(path, O_RDONLY | O_CLOEXEC);
    if (userns < 0)
        fail("user namespace", path);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return userns;
}

/** Clones the mount at `source` onto the directory or file that `target` holds open; closes `target`. */
static void clone_mount(const char *source, int target, struct attributes attributes, const char *step)
{
    int tree = (int)syscall(SYS_open_tree, AT_FDCWD, source, OPEN_TREE_CLONE_FLAG | O_CLOEXEC);
    if (tree < 0)
        fail(step, source);
    if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
        fail(step, source);
    if (syscall(SYS_move_mount, tree, "", target, "", MOVE_MOUNT_FROM_FD | MOVE_MOUNT_TO_FD) < 0)
        fail(step, source);
    close(tree);
    close(target);
}

int open_place(const char *path)
{
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        fail("open", path);
    return fd;
}

int open_inside(const char *root, const char *path)
{
    char parts[256], *rest = parts;
    snprintf(parts, sizeof parts, "%s", path);
    int directory = open_place(root);
    for (char *part; (part = strsep(&rest, "/"));) {
        if (mkdirat(directory, part, 0755) < 0 && errno != EEXIST)
            fail("mkdir", path);
        int next = openat(directory, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0)
            fail("not a directory any more (reset the sandbox)", path);
        close(directory);
        directory = next;
    }
    return directory;
}

void idmap_bind(int userns, const char *source, int target, int read_only)
{
    struct attributes attributes = {
        .set = ATTR_IDMAP | ATTR_NODEV | (read_only ? ATTR_RDONLY : 0),
        .userns = (uint64_t)userns,
    };
    clone_mount(source, target, attributes, "id-mapped mount");
}

void bind_namespace(int fd, int target)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    clone_mount(path, target, (struct attributes){.set = ATTR_RDONLY}, "bind namespace");
}

void bind_mount(const char *source, int target)
{
    clone_mount(source, target, (struct attributes){.set = ATTR_NODEV}, "bind mount");
}

void bind_read_only(const char *source, int target)
{
    struct attributes attributes = {.set = ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV};
    clone_mount(source, target, attributes, "bind mount");
}

/** Effective capabilities back to all permitted ones: a file system id other than 0 takes some away. */
static void restore_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0)
        fail("capabilities", "capget");
    data[0].effective = data[0].permitted;
    data[1].effective = data[1].permitted;
    if (syscall(SYS_capset, &header, data) < 0)
        fail("capabilities", "capset");
}

void become_owner(uint32_t uid)
{
    setfsgid(uid);
    setfsuid(uid);
    restore_capabilities();
}

void overlay_root(void)
{
    if (mount("overlay", "root", "overlay", MS_NODEV | MS_NOATIME,
              "lowerdir=image,upperdir=disk/rootfs/upper,workdir=disk/rootfs/work,index=off") < 0)
        fail("mount overlay", "root");
}
