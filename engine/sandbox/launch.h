// What the parts of berth-launch share: its configuration and the one way to fail.
#pragma once

#include <stdint.h>

#define MAX_CGROUPS 32
#define MAX_ARGS 64

/** What the engine asks for, read from a file of key=value lines that only root can write. */
struct config {
    const char *socket;   /**< listening socket for berth-init, becomes its descriptor 3 */
    const char *disk;     /**< ext4 image of the sandbox */
    const char *template; /**< copied to `disk` when that does not exist */
    const char *image;    /**< root directory of the host image */
    const char *layers;   /**< unpacked shared layers */
    const char *shared;   /**< directory that becomes /run/berth in the sandbox */
    const char *init;     /**< the berth-init binary */
    const char *bundle;   /**< directory with config.json */
    const char *tree;     /**< empty directory; everything is mounted below it first */
    uint32_t uid_base;
    int hide_cgroup;
    const char *cgroups[MAX_CGROUPS]; /**< cgroup.procs files to join */
    int cgroup_count;
    char *runtime[MAX_ARGS + 1]; /**< argv of crun */
    int runtime_count;
};

/** Ends the program with one line on stderr naming the step and errno's text; undoes what outlives the process. */
_Noreturn void fail(const char *step, const char *subject);

/** disk.c: makes `path` from the template when it is absent; sparse, atomic. */
void disk_create(const char *path, const char *template);
/** disk.c: the image, locked for as long as it is open or mounted. */
int disk_open(const char *image);
/** disk.c: attaches the image to a loop device that goes with its last user, and mounts it; closes `file`. */
void disk_mount(int file, const char *image, const char *target);

/** mounts.c: the sandbox's user namespace with its id range, owned by the range's first id. */
int idmap_open(uint32_t uid_base);
/** mounts.c: a descriptor to mount onto; fails at a symlink. */
int open_place(const char *path);
/**
 * mounts.c: the same for a directory in a tree that the student could change: no symlink is followed, what is missing
 * is made.
 */
int open_inside(const char *root, const char *path);
/** mounts.c: clones the mount at `source` onto `target` with the range's ids; optionally read-only. Closes `target`. */
void idmap_bind(int userns, const char *source, int target, int read_only);
/** mounts.c: gives a namespace a name, the file that `target` holds open; closes `target`. */
void bind_namespace(int fd, int target);
void bind_mount(const char *source, int target);
void bind_read_only(const char *source, int target);
/** mounts.c: files are made as this host id from now on, with all of root's capabilities; 0 to be root again. */
void become_owner(uint32_t uid);
/** mounts.c: overlay of image and disk, both relative to the tree. */
void overlay_root(void);

/** unpack.c: unpacks the layer on standard input into `staging`, as root of a user namespace with the ids from `uid_base` on. */
int unpack_main(const char *staging, const char *init, uint32_t uid_base);
