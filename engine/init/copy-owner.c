/* Whose files are, and what may be done with them: --chown and --chmod. */
#include "copy.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

static FILE *open_accounts(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size < 1 << 24)
		return fdopen(fd, "r");
	if (fd >= 0)
		close(fd);
	return NULL;
}

static bool find_user(const char *name, struct change *change)
{
	FILE *file = open_accounts("/etc/passwd");
	bool found = false;
	for (struct passwd *entry; file && !found && (entry = fgetpwent(file));)
		if (strcmp(entry->pw_name, name) == 0) {
			change->uid = entry->pw_uid;
			change->gid = entry->pw_gid;
			found = true;
		}
	if (file)
		fclose(file);
	return found;
}

static bool find_group(const char *name, struct change *change)
{
	FILE *file = open_accounts("/etc/group");
	bool found = false;
	for (struct group *entry; file && !found && (entry = fgetgrent(file));)
		if (strcmp(entry->gr_name, name) == 0) {
			change->gid = entry->gr_gid;
			found = true;
		}
	if (file)
		fclose(file);
	return found;
}

void find_owner(const char *user, const char *group, struct change *change)
{
	if (!*user)
		return;
	errno = 0;
	if (is_number(user))
		change->uid = change->gid = strtoll(user, NULL, 10);
	else if (!find_user(user, change))
		layer_fail("unable to convert uid/gid chown string to host mapping: can't find uid for user", user);
	if (!*group)
		return;
	if (is_number(group))
		change->gid = strtoll(group, NULL, 10);
	else if (!find_group(group, change))
		layer_fail("unable to convert uid/gid chown string to host mapping: can't find gid for group", group);
}

/* [ugoa…][-+=][rwxXst…], several joined by commas: chmod(1) */
static mode_t symbolic(const char *wanted, mode_t mode, bool is_directory)
{
	mode_t before = mode;
	for (const char *at = wanted; *at; at += *at == ',') {
		mode_t who = 0, bits;
		for (; *at && strchr("ugoa", *at); at++)
			who |= *at == 'u' ? 04700 : *at == 'g' ? 02070 : *at == 'o' ? 01007 : 07777;
		if (!who)
			who = 07777;
		errno = 0;
		if (!*at || !strchr("+-=", *at))
			layer_fail("invalid chmod parameter:", wanted);
		while (*at && strchr("+-=", *at)) {
			char operation = *at++;
			for (bits = 0; *at && strchr("rwxXstugo", *at); at++)
				bits |= *at == 'r'   ? 0444
					: *at == 'w' ? 0222
					: *at == 'x' ? 0111
					: *at == 'X' ? (is_directory || before & 0111 ? 0111 : 0)
					: *at == 's' ? 06000
					: *at == 't' ? 01000
					: *at == 'u' ? (before >> 6 & 7) * 0111
					: *at == 'g' ? (before >> 3 & 7) * 0111
						     : (before & 7) * 0111;
			bits &= who;
			mode = operation == '+' ? mode | bits : operation == '-' ? mode & ~bits : (mode & ~who) | bits;
		}
		if (*at && *at != ',')
			layer_fail("invalid chmod parameter:", wanted);
	}
	return mode & 07777;
}

mode_t changed_mode(const char *wanted, mode_t mode, bool is_directory)
{
	if (!*wanted)
		return mode & 07777;
	if (isdigit((unsigned char)*wanted))
		return (mode_t)strtoul(wanted, NULL, 8) & 07777;
	return symbolic(wanted, mode, is_directory);
}

void apply_change(int fd, const char *path, const struct change *change, mode_t mode)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		layer_fail("stat", path);
	uid_t uid = change->uid < 0 ? st.st_uid : (uid_t)change->uid;
	gid_t gid = change->gid < 0 ? st.st_gid : (gid_t)change->gid;
	if ((uid != st.st_uid || gid != st.st_gid) && fchown(fd, uid, gid) < 0)
		layer_fail("chown", path);
	if (fchmod(fd, changed_mode(change->mode, mode, S_ISDIR(st.st_mode))) < 0)
		layer_fail("chmod", path);
}

void make_parents_of(const char *path, const struct change *change)
{
	char *copy = strdup(path);
	if (!copy)
		layer_fail("memory", "");
	for (char *slash = copy; (slash = strchr(slash + 1, '/'));) {
		*slash = 0;
		struct stat st;
		if (*copy && stat(copy, &st) < 0) {
			if (mkdir(copy, 0755) < 0)
				layer_fail("mkdir", copy);
			if (change->uid >= 0 && lchown(copy, (uid_t)change->uid, (gid_t)change->gid) < 0)
				layer_fail("chown", copy);
		}
		*slash = '/';
	}
	free(copy);
}
