/* A disk and a memory that fail: loaded before the C library (LD_PRELOAD), it makes the nth call of a kind fail.

   Calls count where they are about a file under one of the given places; allocations count from 64 KiB on. The counter
   is shared with the process that forked this one, so that it can tell whether the failure was reached. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define LEAST_ALLOCATION 65536

static char kind[16], place[PATH_MAX];
static long nth;
static int error, lasts;
static long *seen;

__attribute__((constructor)) static void begin(void) {
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* Make the nth call of a kind fail, and with `lasting` all after it; no call fails where n is 0, they are counted. */
void failing_arm(const char *a_kind, long n, int an_error, int lasting, const char *a_place) {
    *seen = 0;
    nth = n, error = an_error, lasts = lasting;
    snprintf(place, sizeof place, "%s", a_place);
    snprintf(kind, sizeof kind, "%s", a_kind);
}

long failing_seen(void) { return *seen; }

static int counts(void) {
    long now = __sync_add_and_fetch(seen, 1);
    if (nth == 0 || (lasts ? now < nth : now != nth)) return 0;
    errno = error;
    return 1;
}

static int is_there(const char *path) {
    size_t length = strlen(place);
    return strncmp(path, place, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static int named(const char *a_kind, int fd, char *path, size_t size) {
    if (strcmp(kind, a_kind) != 0 || fd < 0) return 0;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return 1;
}

static int fails(const char *a_kind, int fd) {
    char path[PATH_MAX];
    int before = errno;
    int due = named(a_kind, fd, path, sizeof path) && is_there(path) && counts();
    if (!due) errno = before;
    return due;
}

static int fails_at(const char *a_kind, int folder, const char *path) {
    char whole[2 * PATH_MAX];
    if (strcmp(kind, a_kind) != 0) return 0;
    if (path[0] == '/') return is_there(path) && counts();
    if (folder == AT_FDCWD) {
        if (getcwd(whole, PATH_MAX) == NULL) return 0;
    } else if (!named(a_kind, folder, whole, PATH_MAX)) {
        return 0;
    }
    strcat(whole, "/");
    strncat(whole, path, PATH_MAX - 1);
    return is_there(whole) && counts();
}

#define REAL(name) static __typeof__(name) *real; if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)
#define FAILING_FD(a_kind, type, name, parameters, arguments) \
    type name parameters { REAL(name); return fails(a_kind, fd) ? (type)-1 : real arguments; }

FAILING_FD("write", ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
FAILING_FD("write", ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
FAILING_FD("write", ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
FAILING_FD("write", ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))
FAILING_FD("read", ssize_t, read, (int fd, void *data, size_t size), (fd, data, size))
FAILING_FD("read", ssize_t, pread, (int fd, void *data, size_t size, off_t at), (fd, data, size, at))
FAILING_FD("read", ssize_t, pread64, (int fd, void *data, size_t size, off64_t at), (fd, data, size, at))
FAILING_FD("fsync", int, fsync, (int fd), (fd))
FAILING_FD("fsync", int, fdatasync, (int fd), (fd))
FAILING_FD("truncate", int, ftruncate, (int fd, off_t size), (fd, size))
FAILING_FD("truncate", int, ftruncate64, (int fd, off64_t size), (fd, size))
FAILING_FD("map", void *, mmap, (void *at, size_t size, int protection, int flags, int fd, off_t from),
           (at, size, protection, flags, fd, from))
FAILING_FD("map", void *, mmap64, (void *at, size_t size, int protection, int flags, int fd, off64_t from),
           (at, size, protection, flags, fd, from))

int rename(const char *old, const char *new) {
    REAL(rename);
    return fails_at("rename", AT_FDCWD, new) ? -1 : real(old, new);
}
int renameat(int from, const char *old, int to, const char *new) {
    REAL(renameat);
    return fails_at("rename", to, new) ? -1 : real(from, old, to, new);
}
int renameat2(int from, const char *old, int to, const char *new, unsigned int flags) {
    REAL(renameat2);
    return fails_at("rename", to, new) ? -1 : real(from, old, to, new, flags);
}
int unlink(const char *path) {
    REAL(unlink);
    return fails_at("unlink", AT_FDCWD, path) ? -1 : real(path);
}
int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    return fails_at("mkdir", AT_FDCWD, path) ? -1 : real(path, mode);
}

#define MODE mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }
#define OPENING(name) \
    int name(const char *path, int flags, ...) { \
        MODE REAL(name); \
        return fails_at(flags & O_CREAT ? "create" : "open", AT_FDCWD, path) ? -1 : real(path, flags, mode); }
#define OPENING_AT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        MODE REAL(name); \
        return fails_at(flags & O_CREAT ? "create" : "open", folder, path) ? -1 : real(folder, path, flags, mode); }

OPENING(open)
OPENING(open64)
OPENING_AT(openat)
OPENING_AT(openat64)

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);

static int lacks(size_t size) { return size >= LEAST_ALLOCATION && strcmp(kind, "allocate") == 0 && counts(); }

void *malloc(size_t size) { return lacks(size) ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) {
    return lacks(count > LEAST_ALLOCATION ? count : count * size) ? NULL : __libc_calloc(count, size);
}
void *realloc(void *old, size_t size) { return lacks(size) ? NULL : __libc_realloc(old, size); }
