/* Make system calls on chosen files fail, to be loaded before the C library (LD_PRELOAD).

   FAULT_PATH   part of the paths whose files are to fail
   FAULT_CALLS  which calls fail, of: open, write, read, rename, sync
   FAULT_ERRNO  the number of the error that they fail with
   FAULT_AFTER  how many such calls of a process succeed before the first one fails
*/
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static long seen;

static int is_chosen(const char *call, const char *path)
{
    const char *part = getenv("FAULT_PATH"), *calls = getenv("FAULT_CALLS");
    const char *after = getenv("FAULT_AFTER");
    if (!part || !calls || !path || !strstr(path, part) || !strstr(calls, call))
        return 0;
    if (seen++ < (after ? atol(after) : 0))
        return 0;
    errno = atoi(getenv("FAULT_ERRNO"));
    return 1;
}

static int is_chosen_fd(const char *call, int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0)
        return 0;
    path[size] = 0;
    return is_chosen(call, path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t size)
{
    return is_chosen_fd("write", fd) ? -1 : REAL(write)(fd, data, size);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return is_chosen_fd("write", fd) ? -1 : REAL(writev)(fd, parts, count);
}

ssize_t read(int fd, void *data, size_t size)
{
    return is_chosen_fd("read", fd) ? -1 : REAL(read)(fd, data, size);
}

int fsync(int fd)
{
    return is_chosen_fd("sync", fd) ? -1 : REAL(fsync)(fd);
}

int rename(const char *from, const char *to)
{
    return is_chosen("rename", to) ? -1 : REAL(rename)(from, to);
}

static mode_t mode_of(int flags, va_list rest)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return is_chosen("open", path) ? -1 : REAL(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return is_chosen("open", path) ? -1 : REAL(open64)(path, flags, mode);
}
