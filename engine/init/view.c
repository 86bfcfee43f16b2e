/*
 * The container's files become the root of a process of their own: its overlay and what is mounted into it, in a mount
 * namespace that ends with the process, and nothing else. So no link in there, whoever changes it meanwhile, leads out,
 * and nothing of the container is executed or loaded.
 */
#include "view.h"

#include "layer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

enum { ARGUMENTS = 8, MOUNT_ARGUMENTS = 4 };

_Noreturn void view_refuse(int status, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(status);
}

/* Where the container has nothing to mount on, it is made, as a start would. */
static void make_target(const char *target, bool is_directory)
{
	char path[PATH_LIMIT];
	struct stat st;
	errno = ENAMETOOLONG;
	if (snprintf(path, sizeof path, "%s", target) >= (int)sizeof path)
		layer_fail("mkdir", target);
	if (stat(path, &st) == 0)
		return;
	for (char *slash = path; (slash = strchr(slash + 1, '/'));) {
		*slash = 0;
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			layer_fail("mkdir", path);
		*slash = '/';
	}
	int made = is_directory ? mkdir(path, 0755) : open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0755);
	if (made < 0 && errno != EEXIST)
		layer_fail("mkdir", path);
	if (made > 0)
		close(made);
}

/* A copy of the mount that `mount` names, in no directory yet; -1 when it may be absent and is. */
static int clone_source(const struct view_mount *mount)
{
	int from = open(mount->source, O_PATH | O_CLOEXEC);
	if (from < 0 && errno == ENOENT && mount->optional)
		return -1;
	if (from < 0 && errno == ENOENT && mount->creates_source) {
		make_target(mount->source, true);
		from = open(mount->source, O_PATH | O_CLOEXEC);
	}
	if (from < 0)
		layer_fail("open", mount->source);
	if (*mount->subpath) {
		struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
		int below = (int)syscall(SYS_openat2, from, mount->subpath, &how, sizeof how);
		if (below < 0)
			layer_fail("open", mount->subpath);
		close(from);
		from = below;
	}
	unsigned flags = OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH | (mount->plain ? 0 : AT_RECURSIVE);
	int copy = (int)syscall(SYS_open_tree, from, "", flags);
	if (copy < 0)
		layer_fail("open_tree", mount->source);
	close(from);
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	if (mount->read_only && syscall(SYS_mount_setattr, copy, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) < 0)
		layer_fail("mount_setattr", mount->source);
	return copy;
}

static void attach(int copy, const struct view_mount *mount)
{
	struct stat st;
	if (fstat(copy, &st) < 0)
		layer_fail("stat", mount->source);
	make_target(mount->target, S_ISDIR(st.st_mode));
	if (syscall(SYS_move_mount, copy, "", AT_FDCWD, mount->target, MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS) < 0)
		layer_fail("mount", mount->target);
	close(copy);
}

void view_enter(const struct view_request *request)
{
	const char *root = request->root;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		layer_fail("unshare", "");
	int *copies = calloc((size_t)request->mount_count + 1, sizeof *copies);
	if (!copies)
		layer_fail("memory", "");
	for (int i = 0; i < request->mount_count; i++)
		copies[i] = clone_source(&request->mounts[i]);
	int mounted = *request->overlay ? mount("overlay", root, "overlay", 0, request->overlay)
					: mount(root, root, NULL, MS_BIND, NULL);
	if (mounted < 0)
		layer_fail("mount", root);
	/* the old root goes on top of the new one, and away (pivot_root(2)) */
	if (chdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		layer_fail("pivot_root", root);
	for (int i = 0; i < request->mount_count; i++)
		if (copies[i] >= 0)
			attach(copies[i], &request->mounts[i]);
	free(copies);
}

static int usage(void)
{
	fputs("usage: berth-init view stat|get|put|export ROOT OVERLAY PATH NAME FLAGS UID GID [SOURCE SUBPATH TARGET FLAGS]...\n",
	      stderr);
	return 2;
}

static void read_mounts(struct view_request *request, int argc, char **argv)
{
	request->mount_count = argc / MOUNT_ARGUMENTS;
	request->mounts = calloc((size_t)request->mount_count + 1, sizeof *request->mounts);
	if (!request->mounts)
		layer_fail("memory", "");
	for (int i = 0; i < request->mount_count; i++, argv += MOUNT_ARGUMENTS)
		request->mounts[i] = (struct view_mount){
			.source = argv[0],
			.subpath = argv[1],
			.target = argv[2],
			.read_only = strchr(argv[3], 'r') != NULL,
			.optional = strchr(argv[3], 'o') != NULL,
			.creates_source = strchr(argv[3], 'c') != NULL,
			.plain = strchr(argv[3], 'b') != NULL,
		};
}

int view_main(int argc, char **argv)
{
	if (argc < ARGUMENTS || (argc - ARGUMENTS) % MOUNT_ARGUMENTS)
		return usage();
	const char *verb = argv[0], *flags = argv[5];
	struct view_request request = {
		.root = argv[1],
		.overlay = argv[2],
		.path = argv[3],
		.keeps_kinds = strchr(flags, 'k') != NULL,
		.sets_owner = strchr(flags, 'u') != NULL,
		.root_is_read_only = strchr(flags, 'r') != NULL,
		.uid = (uid_t)strtoul(argv[6], NULL, 10),
		.gid = (gid_t)strtoul(argv[7], NULL, 10),
	};
	umask(0);
	read_mounts(&request, argc - ARGUMENTS, argv + ARGUMENTS);
	view_enter(&request);
	if (strcmp(verb, "stat") == 0)
		view_stat(request.path);
	else if (strcmp(verb, "get") == 0)
		view_get(request.path, argv[4]);
	else if (strcmp(verb, "export") == 0)
		view_export();
	else if (strcmp(verb, "put") == 0)
		view_put(&request);
	else
		return usage();
	return 0;
}
