// berth-launch: makes a sandbox's mounts in a mount namespace of its own and starts its PID 1 there through crun.
//
// Everything is mounted in a private namespace, which ends with the sandbox: nothing shows in the host's mount table,
// and the death of PID 1 undoes it all. Run by the engine as root; usage: berth-launch CONFIG. Prints PID 1's host pid.
#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

// The tree of mounts is moved here last, so that its paths are short, the same for every sandbox, and open to the
// sandbox's root, who is nobody on the host. It also hides crun's state, which would stay behind otherwise.
#define STAGE "/run"

// The socket is unlinked on failure through its directory's descriptor: its path is hidden once the stage is set.
static int socket_directory = -1;
static const char *socket_name;

static void remove_socket(void)
{
    if (socket_directory >= 0)
        unlinkat(socket_directory, socket_name, 0);
}

_Noreturn void fail(const char *step, const char *subject)
{
    int error = errno;
    fprintf(stderr, "%s: %s: %s\n", step, subject, strerror(error));
    remove_socket();
    exit(1);
}

struct option {
    const char *key;
    const char **value;
};

static void set_option(struct config *config, const char *key, char *value)
{
    const struct option options[] = {
        {"socket", &config->socket}, {"disk", &config->disk},     {"template", &config->template},
        {"image", &config->image},   {"layers", &config->layers}, {"shared", &config->shared},
        {"init", &config->init},     {"bundle", &config->bundle}, {"tree", &config->tree},
    };
    errno = EINVAL;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strcmp(key, options[i].key) == 0) {
            *options[i].value = value;
            return;
        }
    if (strcmp(key, "uidbase") == 0)
        config->uid_base = (uint32_t)strtoul(value, NULL, 10);
    else if (strcmp(key, "hide-cgroup") == 0)
        config->hide_cgroup = strcmp(value, "1") == 0;
    else if (strcmp(key, "cgroup") == 0 && config->cgroup_count < MAX_CGROUPS)
        config->cgroups[config->cgroup_count++] = value;
    else if (strcmp(key, "runtime") == 0 && config->runtime_count < MAX_ARGS)
        config->runtime[config->runtime_count++] = value;
    else
        fail("config", key);
}

static void read_config(struct config *config, const char *path)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    if (!file)
        fail("config", path);
    while (getline(&line, &size, file) > 0) {
        line[strcspn(line, "\n")] = 0;
        char *equals = strchr(line, '=');
        errno = EINVAL;
        if (!equals)
            fail("config", line);
        *equals = 0;
        set_option(config, line, equals + 1);
        line = NULL; // kept: the configuration points into it
        size = 0;
    }
    free(line);
    fclose(file);
    errno = EINVAL;
    if (!config->socket || !config->disk || !config->template || !config->image || !config->layers ||
        !config->shared || !config->init || !config->bundle || !config->tree || !config->runtime_count)
        fail("config", "a key is missing");
    if (config->uid_base < 65536)
        fail("config", "uidbase");
}

static int listen_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *slash = strrchr(path, '/');
    char directory[sizeof address.sun_path];
    errno = ENAMETOOLONG;
    if (!slash || strlen(path) >= sizeof address.sun_path)
        fail("socket", path);
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("socket", path);
    unlink(path);
    mode_t mask = umask(0177);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail("socket", path);
    umask(mask);
    snprintf(directory, sizeof directory, "%.*s", (int)(slash - path), path);
    socket_name = slash + 1;
    socket_directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (socket_directory < 0)
        fail("socket", directory);
    if (listen(fd, SOMAXCONN) < 0)
        fail("socket", path);
    return fd;
}

static void make_directory(const char *path, mode_t mode)
{
    if (mkdir(path, mode) < 0 && errno != EEXIST)
        fail("mkdir", path);
}

static void make_file(const char *path)
{
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    if (file < 0)
        fail("create", path);
    close(file);
}

/** Everything the sandbox sees, mounted below the tree, which is the working directory here. */
static void mount_tree(const struct config *config, int disk)
{
    static const char *const places[] = {"disk", "image", "root", "shared", "bundle"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        make_directory(places[i], 0755);
    make_file("berth-init");
    make_file("userns");

    disk_mount(disk, config->disk, "disk");
    // The disk holds ids 0…65535, as the sandbox sees them: an image fits any range. Made before the ids are mapped.
    make_directory("disk/rootfs", 0755);
    make_directory("disk/rootfs/upper", 0755);
    make_directory("disk/rootfs/work", 0700);
    make_directory("disk/docker", 0710);

    int userns = idmap_open(config->uid_base);
    idmap_bind(userns, "disk", open_place("disk"), 0);
    idmap_bind(userns, config->image, open_place("image"), 1);
    // Overlay makes files with the mounter's ids, which must exist on the id-mapped disk; so must what we make in it.
    become_owner(config->uid_base);
    overlay_root();
    int docker = open_inside("root", "var/lib/docker");
    become_owner(0);
    // These two are mounted here, and not by crun from its configuration: what a user namespace inherits with its mount
    // namespace is locked, so that the sandbox's root can neither make the layers writable nor uncover what is below.
    bind_mount("disk/docker", docker);
    become_owner(config->uid_base);
    int layers = open_inside("root", "var/lib/docker/shared");
    become_owner(0);
    idmap_bind(userns, config->layers, layers, 1);
    bind_namespace(userns, open_place("userns"));
    close(userns);
    bind_read_only(config->shared, open_place("shared"));
    bind_read_only(config->bundle, open_place("bundle"));
    bind_read_only(config->init, open_place("berth-init"));
}

static void enter_stage(const struct config *config, int disk)
{
    if (unshare(CLONE_NEWNS) < 0)
        fail("unshare", "mount namespace");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        fail("mount", "make private");
    if (mount("berth", config->tree, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m") < 0)
        fail("mount", config->tree);
    if (chdir(config->tree) < 0)
        fail("chdir", config->tree);
    mount_tree(config, disk);
    if (chdir("/") < 0 || mount(config->tree, STAGE, NULL, MS_MOVE, NULL) < 0)
        fail("mount", STAGE);
}

static void join_cgroups(const struct config *config)
{
    for (int i = 0; i < config->cgroup_count; i++) {
        int fd = open(config->cgroups[i], O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "0", 1) != 1)
            fail("join cgroup", config->cgroups[i]);
        close(fd);
    }
    // crun refuses a host with controllers on both versions; it need not see any, for it is told to manage none.
    if (config->hide_cgroup && mount("none", "/sys/fs/cgroup", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=4k") < 0)
        fail("mount", "/sys/fs/cgroup");
}

static void run_child(const struct config *config, int listener)
{
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
        _exit(125);
    // Descriptor 3 is berth-init's listener; nothing else crosses over.
    if (listener == 3) {
        if (fcntl(3, F_SETFD, 0) < 0)
            _exit(125);
    } else if (dup2(listener, 3) < 0) {
        _exit(125);
    }
    if (close_range(4, ~0U, 0) < 0)
        _exit(125);
    execvp(config->runtime[0], config->runtime);
    _exit(127);
}

/** The last line that crun logged. */
static void print_log(void)
{
    char text[4096];
    int fd = open(STAGE "/log", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (length < 0)
        length = 0;
    while (length > 0 && text[length - 1] == '\n')
        length--;
    text[length] = 0;
    char *line = strrchr(text, '\n');
    fprintf(stderr, "crun: %s\n", line ? line + 1 : text);
}

static int read_pid(void)
{
    int pid = 0;
    FILE *file = fopen(STAGE "/pid", "re");
    if (file) {
        if (fscanf(file, "%d", &pid) != 1)
            pid = 0;
        fclose(file);
    }
    return pid;
}

/** In the sandbox's namespaces, as its root: is making the layers writable refused? Never returns. */
static _Noreturn void try_to_unlock(pid_t pid)
{
    static const char *const namespaces[] = {"user", "mnt"};
    int fds[2];
    for (int i = 0; i < 2; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, namespaces[i]);
        fds[i] = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (setns(fds[0], CLONE_NEWUSER) < 0 || setns(fds[1], CLONE_NEWNS) < 0)
        _exit(2);
    _exit(mount(NULL, "/var/lib/docker/shared", NULL, MS_REMOUNT | MS_BIND, NULL) < 0 && errno == EPERM ? 0 : 1);
}

/**
 * That mounts stay locked depends on how crun makes the sandbox's mount namespace. It is too much to rest on a version
 * of it, so it is tried, before anything of the student's has run.
 */
static int layers_are_locked(pid_t pid)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        try_to_unlock(pid);
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static void run(const struct config *config, int listener)
{
    int status;
    pid_t child = fork();
    if (child < 0)
        fail("crun", "fork");
    if (child == 0)
        run_child(config, listener);
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            fail("crun", "wait");
    int pid = read_pid();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        errno = ENOENT;
        fail("crun", config->runtime[0]);
    }
    if (status != 0 || pid <= 1) {
        if (pid > 1)
            kill(pid, SIGKILL);
        print_log();
        remove_socket();
        exit(1);
    }
    if (!layers_are_locked(pid)) {
        kill(pid, SIGKILL);
        errno = EPERM;
        fail("the sandbox could write to the shared layers", "crun is not supported");
    }
    printf("%d\n", pid);
}

int main(int argc, char **argv)
{
    struct config config = {0};
    if (argc == 5 && strcmp(argv[1], "unpack") == 0)
        return unpack_main(argv[2], argv[3], (uint32_t)strtoul(argv[4], NULL, 10));
    if (argc != 2) {
        fprintf(stderr, "usage: berth-launch CONFIG | unpack STAGING INIT UIDBASE\n");
        return 2;
    }
    // an engine that dies meanwhile starts its sandboxes anew, and shall not meet this one
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    umask(022);
    read_config(&config, argv[1]);
    disk_create(config.disk, config.template);
    int disk = disk_open(config.disk);
    int listener = listen_socket(config.socket);
    enter_stage(&config, disk);
    join_cgroups(&config);
    run(&config, listener);
    return 0;
}
