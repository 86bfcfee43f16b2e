/* berth-init copy: files of a build step made and copied below the target, which is the process's root. */
#pragma once

#include "layer.h"
#include "steps.h"

/** Owner and mode that a step asks for; -1 and "" leave them as they are. */
struct change {
	int64_t uid, gid;
	/** octal digits, or as in chmod(1) */
	const char *mode;
};

enum copy_flag {
	/** of a directory what is in it, not itself */
	COPY_CONTENTS = 1,
	/** the source may be a symbolic link to what is meant */
	COPY_FOLLOW = 2,
	/** the source is a pattern */
	COPY_WILDCARD = 4,
	/** and may match nothing */
	COPY_EMPTY = 8,
	/** archives are unpacked */
	COPY_UNPACK = 16,
	/** the target keeps the source's path, from `/./` on */
	COPY_PARENTS = 32,
};

int copy_main(int argc, char **argv);

struct copy {
	/** the source's root (O_PATH) */
	int root;
	const char *source, *target;
	long flags;
	struct change change;
	/** paths below the source's root that stay behind, sorted */
	char **skips;
	size_t skip_count;
};

/** Copies what the source names to the target; ends the program when it is not there. */
void copy_all(const struct copy *copy);

/** Unpacks an open file into the target; false when it is no archive. */
bool copy_unpacked(const struct copy *copy, int from);
/** Before the root is left: programs that unpack are there. */
void copy_remember_root(void);

/** Looks names up in the target's own passwd and group files. "" is nobody in particular. */
void find_owner(const char *user, const char *group, struct change *change);
/** The mode that `wanted` makes of one; ends the program when it is no mode. */
mode_t changed_mode(const char *wanted, mode_t mode, bool is_directory);
/** Gives an open file the owner and mode asked for, `mode` where none is. */
void apply_change(int fd, const char *path, const struct change *change, mode_t mode);
/** The path of the target that an absolute one leads to, whether it is there or not; a slash at its end stays. The caller frees it. */
char *resolved_path(const char *path);
/** Makes the directories above a path of the target. */
void make_parents_of(const char *path, const struct change *change);
