// The sandbox's disk: a sparse ext4 image made from a template, attached by a loop device that cleans itself up.
#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (1 << 20)

static void copy_extent(int from, int to, off_t at, off_t end)
{
    static char buffer[CHUNK];
    while (at < end) {
        size_t want = end - at < CHUNK ? (size_t)(end - at) : CHUNK;
        ssize_t got = pread(from, buffer, want, at);
        if (got <= 0)
            fail("disk", "read template");
        for (ssize_t done = 0; done < got;) {
            ssize_t put = pwrite(to, buffer + done, (size_t)(got - done), at + done);
            if (put < 0)
                fail("disk", "write image");
            done += put;
        }
        at += got;
    }
}

static void copy_sparse(int from, int to)
{
    struct stat st;
    if (fstat(from, &st) < 0 || ftruncate(to, st.st_size) < 0)
        fail("disk", "size");
    if (ioctl(to, FICLONE, from) == 0)
        return; // btrfs and xfs share the blocks
    off_t at = 0;
    while (at < st.st_size) {
        off_t data = lseek(from, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            break; // only a hole is left
        off_t hole = data < 0 ? -1 : lseek(from, data, SEEK_HOLE);
        if (data < 0 || hole < 0)
            fail("disk", "find data in template");
        copy_extent(from, to, data, hole);
        at = hole;
    }
}

void disk_create(const char *path, const char *template)
{
    char partial[4096];
    if (access(path, F_OK) == 0)
        return;
    if (snprintf(partial, sizeof partial, "%s.partial", path) >= (int)sizeof partial) {
        errno = ENAMETOOLONG;
        fail("disk", path);
    }
    int from = open(template, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        fail("disk", template);
    int to = open(partial, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0)
        fail("disk", partial);
    copy_sparse(from, to);
    close(from);
    close(to);
    if (rename(partial, path) < 0)
        fail("disk", path);
}

/** Opens the numbered device; its node may appear a moment after the kernel made it. */
static int open_loop(int number, char *path, size_t size)
{
    snprintf(path, size, "/dev/loop%d", number);
    for (int attempt = 0; attempt < 40; attempt++) {
        int device = open(path, O_RDWR | O_CLOEXEC);
        if (device >= 0 || (errno != ENOENT && errno != ENXIO))
            return device;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    return -1;
}

int disk_open(const char *image)
{
    int file = open(image, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0)
        fail("disk", image);
    // The loop device keeps this open file, and the lock with it: never is one image mounted twice.
    if (flock(file, LOCK_EX | LOCK_NB) < 0)
        fail("disk is in use", image);
    return file;
}

void disk_mount(int file, const char *image, const char *target)
{
    // Direct I/O: the sandbox's own page cache, charged to its cgroup, is the only copy.
    struct loop_config config = {
        .block_size = 4096,
        .info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO,
    };
    char path[64];
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0)
        fail("loop", "/dev/loop-control");
    config.fd = (uint32_t)file;
    snprintf((char *)config.info.lo_file_name, sizeof config.info.lo_file_name, "%s", image);
    for (int attempt = 0;; attempt++) {
        int number = ioctl(control, LOOP_CTL_GET_FREE);
        if (number < 0)
            fail("loop", "no free device");
        int device = open_loop(number, path, sizeof path);
        if (device < 0)
            fail("loop", path);
        if (ioctl(device, LOOP_CONFIGURE, &config) == 0) {
            // The image is ours and new: errors stop writes, blank inode tables stay holes.
            if (mount(path, target, "ext4", MS_NODEV | MS_NOATIME, "discard,noinit_itable,errors=remount-ro") < 0)
                fail("mount disk", path);
            close(device);
            break;
        }
        if (errno != EBUSY || attempt >= 64)
            fail("loop", path);
        close(device); // another launch took it between the two calls
    }
    close(control);
    close(file);
}
