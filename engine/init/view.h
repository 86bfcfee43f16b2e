/* berth-init view …: the files of one container as docker cp and docker export see them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** What the engine tells of a mount of the container. */
struct view_mount {
	const char *source, *subpath, *target;
	/* optional: left out when there is no source; plain: without what is mounted below the source */
	bool read_only, optional, creates_source, plain;
};

struct view_request {
	/* where its root is mounted, or to be mounted with these overlay options */
	const char *root, *overlay;
	/* what it is about, absolute in there */
	const char *path;
	bool keeps_kinds, sets_owner, root_is_read_only;
	uid_t uid;
	gid_t gid;
	struct view_mount *mounts;
	int mount_count;
};

enum { VIEW_NOT_FOUND = 4 };

int view_main(int argc, char **argv);

/** Makes the container's files the root of this process, which nobody else sees. */
void view_enter(const struct view_request *request);

void view_stat(const char *path);
/** `name` is what the archive calls it. */
void view_get(const char *path, const char *name);
void view_export(void);
void view_put(const struct view_request *request);

/** In Docker's words. */
_Noreturn void view_refuse(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
