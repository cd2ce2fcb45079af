/* A disk that fails: preloaded into the daemon, for files under FAULT_DIR. FAULT_CONTROL holds "ROUND MODE NTH": the NTH
   write or sync since that round began fails. Once it has, "ROUND" stands in FAULT_FIRED. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long seen_round, count;

enum { GOOD, EIO_ONCE, ENOSPC_ONCE, SHORT_ONCE, STALL_ONCE, EIO_EVER, LONG_STALL_ONCE };

static int of_the_data(int fd) {
    char link[64], path[4096];
    const char *dir = getenv("FAULT_DIR");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    return dir && length > 0 && !strncmp(path, dir, strlen(dir));
}

static int fault(int fd) {
    char text[64] = {0};
    long round = 0, nth = 0;
    int mode = GOOD, file;
    if (!of_the_data(fd)) return GOOD;
    file = syscall(SYS_openat, AT_FDCWD, getenv("FAULT_CONTROL"), O_RDONLY | O_CLOEXEC);
    if (file < 0) return GOOD;
    syscall(SYS_read, file, text, sizeof text - 1);
    syscall(SYS_close, file);
    if (sscanf(text, "%ld %d %ld", &round, &mode, &nth) != 3 || mode == GOOD) return GOOD;
    if (__atomic_exchange_n(&seen_round, round, __ATOMIC_SEQ_CST) != round) __atomic_store_n(&count, 0, __ATOMIC_SEQ_CST);
    long now = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
    if (mode == EIO_EVER ? now < nth : now != nth) return GOOD;
    int length = snprintf(text, sizeof text, "%ld", round);
    file = syscall(SYS_openat, AT_FDCWD, getenv("FAULT_FIRED"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    syscall(SYS_write, file, text, length);
    syscall(SYS_close, file);
    if (mode == STALL_ONCE || mode == LONG_STALL_ONCE) {
        struct timespec pause = {mode == STALL_ONCE ? 5 : 60, 0};
        nanosleep(&pause, NULL);
        return GOOD;
    }
    return mode;
}

#define REAL(name, type) ((type) dlsym(RTLD_NEXT, name))
#define REFUSE(mode) if (mode == EIO_ONCE || mode == EIO_EVER) { errno = EIO; return -1; } \
    if (mode == ENOSPC_ONCE) { errno = ENOSPC; return -1; }

ssize_t write(int fd, const void *bytes, size_t length) {
    int mode = fault(fd);
    REFUSE(mode)
    return REAL("write", ssize_t (*)(int, const void *, size_t))(fd, bytes, mode == SHORT_ONCE ? (length + 1) / 2 : length);
}

static ssize_t placed(const char *name, int fd, const void *bytes, size_t length, off_t at) {
    int mode = fault(fd);
    REFUSE(mode)
    return REAL(name, ssize_t (*)(int, const void *, size_t, off_t))(fd, bytes, mode == SHORT_ONCE ? (length + 1) / 2 : length, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return placed("pwrite", fd, bytes, length, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at) { return placed("pwrite64", fd, bytes, length, at); }

static int of_a_file(const char *name, int fd) {
    int mode = fault(fd);
    REFUSE(mode)
    return REAL(name, int (*)(int))(fd);
}

int fsync(int fd) { return of_a_file("fsync", fd); }
int fdatasync(int fd) { return of_a_file("fdatasync", fd); }

static int cut(const char *name, int fd, off_t length) {
    int mode = fault(fd);
    REFUSE(mode)
    return REAL(name, int (*)(int, off_t))(fd, length);
}

int ftruncate(int fd, off_t length) { return cut("ftruncate", fd, length); }
int ftruncate64(int fd, off_t length) { return cut("ftruncate64", fd, length); }
