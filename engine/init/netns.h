/* Sockets inside network namespaces. */
#ifndef BERTH_NETNS_H
#define BERTH_NETNS_H

/* Remembers the namespace that berth-init itself lives in; once, at the start. */
void netns_open_own(void);

/* A non-blocking socket in the namespace at `path` (NULL: our own), or -1 with errno. We stay in our own. */
int netns_socket(const char *path, int domain, int type);

#endif
