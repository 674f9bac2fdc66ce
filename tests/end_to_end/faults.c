/* Injects one fault into the file operations of a process, under one directory.
 *
 * Loaded with LD_PRELOAD. Every operation that changes a file under the directory is counted. When
 * the count reaches the chosen number, the operation fails in the chosen way:
 *
 *   'k'  the process is killed before the operation;
 *   't'  half of a write reaches the file, then the process is killed (a torn write);
 *   's'  a write reports that only half was written, as POSIX allows (a short write);
 *   'f'  this and every later operation that needs room fails with ENOSPC (a full disk).
 *
 * A number of 0 only counts.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static char directory[PATH_MAX];
static char mode;
static long chosen;
static atomic_long count;

/* Called from Python once the process is ready: from here on operations count. */
void arm(const char *under, char how, long number) {
    strncpy(directory, under, sizeof directory - 1);
    mode = how;
    chosen = number;
    atomic_store(&count, 0);
}

long counted(void) { return atomic_load(&count); }

static int is_under(const char *path) {
    size_t length = strlen(directory);
    return length && path && !strncmp(path, directory, length);
}

static int is_path_of_interest(int at, const char *path) {
    if (!directory[0] || !path) return 0;
    if (path[0] == '/') return is_under(path);
    char link[64], base[PATH_MAX];
    if (at == AT_FDCWD) {
        if (!getcwd(base, sizeof base)) return 0;
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", at);
        ssize_t size = readlink(link, base, sizeof base - 1);
        if (size < 0) return 0;
        base[size] = 0;
    }
    return is_under(base);
}

static int is_file_of_interest(int file) {
    if (!directory[0]) return 0;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return is_under(path);
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Whether the operation that is about to happen must fail; kills the process where that is asked. */
static int is_struck(int needs_room) {
    long number = atomic_fetch_add(&count, 1) + 1;
    if (!chosen || number < chosen) return 0;
    if (mode == 'f') return needs_room;
    if (number > chosen) return 0;
    if (mode == 'k') die();
    return mode == 't' || mode == 's';
}

/* The same for an operation that cannot be half done: to tear it kills the process before it. */
static int is_refused(int needs_room) {
    if (!is_struck(needs_room)) return 0;
    if (mode == 't') die();
    if (mode == 'f') errno = ENOSPC;
    return mode == 'f';
}

#define REAL(name) __typeof__(name) *real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static int is_for_writing(int flags) { return flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC); }

static mode_t permissions_of(int flags, va_list given) {
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(given, mode_t) : 0;
}

#define OPENS(name, parameters, at, arguments)                              \
    int name parameters {                                                   \
        REAL(name);                                                         \
        va_list given;                                                      \
        va_start(given, flags);                                             \
        mode_t permissions = permissions_of(flags, given);                  \
        va_end(given);                                                      \
        if (is_for_writing(flags) && is_path_of_interest(at, path) &&       \
            is_refused(1))                                                  \
            return -1;                                                      \
        return real arguments;                                              \
    }

OPENS(open, (const char *path, int flags, ...), AT_FDCWD, (path, flags, permissions))
OPENS(open64, (const char *path, int flags, ...), AT_FDCWD, (path, flags, permissions))
OPENS(openat, (int at, const char *path, int flags, ...), at, (at, path, flags, permissions))
OPENS(openat64, (int at, const char *path, int flags, ...), at, (at, path, flags, permissions))

#define WRITES(name, parameters, half, whole)                               \
    ssize_t name parameters {                                               \
        REAL(name);                                                         \
        if (is_file_of_interest(file) && is_struck(1)) {                    \
            if (mode == 'f') {                                              \
                errno = ENOSPC;                                             \
                return -1;                                                  \
            }                                                               \
            ssize_t written = size > 1 ? real half : 0;                     \
            if (mode == 't') die();                                         \
            if (size > 1) return written;                                   \
        }                                                                   \
        return real whole;                                                  \
    }

WRITES(write, (int file, const void *bytes, size_t size), (file, bytes, size / 2),
       (file, bytes, size))
WRITES(pwrite, (int file, const void *bytes, size_t size, off_t at), (file, bytes, size / 2, at),
       (file, bytes, size, at))
WRITES(pwrite64, (int file, const void *bytes, size_t size, off64_t at),
       (file, bytes, size / 2, at), (file, bytes, size, at))

ssize_t writev(int file, const struct iovec *parts, int number) {
    REAL(writev);
    if (is_file_of_interest(file) && is_struck(1)) {
        if (mode == 'f') {
            errno = ENOSPC;
            return -1;
        }
        ssize_t written = number > 1 ? real(file, parts, number / 2) : 0;
        if (mode == 't') die();
        if (number > 1) return written;
    }
    return real(file, parts, number);
}

#define CHANGES(name, parameters, at, path, needs_room, arguments)          \
    int name parameters {                                                   \
        REAL(name);                                                         \
        if (is_path_of_interest(at, path) &&                                \
            is_refused(needs_room))                                         \
            return -1;                                                      \
        return real arguments;                                              \
    }

CHANGES(rename, (const char *from, const char *to), AT_FDCWD, to, 1, (from, to))
CHANGES(renameat, (int at, const char *from, int into, const char *to), into, to, 1,
        (at, from, into, to))
CHANGES(unlink, (const char *path), AT_FDCWD, path, 0, (path))
CHANGES(unlinkat, (int at, const char *path, int flags), at, path, 0, (at, path, flags))
CHANGES(rmdir, (const char *path), AT_FDCWD, path, 0, (path))
CHANGES(mkdir, (const char *path, mode_t permissions), AT_FDCWD, path, 1, (path, permissions))
CHANGES(mkdirat, (int at, const char *path, mode_t permissions), at, path, 1,
        (at, path, permissions))

#define SYNCS(name)                                                         \
    int name(int file) {                                                    \
        REAL(name);                                                         \
        if (is_file_of_interest(file) && is_refused(1)) return -1;          \
        return real(file);                                                  \
    }

SYNCS(fsync)
SYNCS(fdatasync)
