/* Writes files atomically.  Everything that writes a file uses it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* realpath, fchmod, O_CLOEXEC whatever -std= says */
#endif
#include "files/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h> /* realpath */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "atled/files.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "files/temporary_file.h"

struct atl_atomic_file {
    FILE *stream;
    char *asked;     /* the caller's path, for messages */
    char *target;    /* the same without symbolic links */
    char *temporary; /* beside the target; null when a device or a pipe is written directly */
    int lock;        /* keeps the temporary file locked until it is renamed; -1: none */
};

static void free_file(atl_atomic_file *file)
{
    if (file->lock >= 0)
        close(file->lock);
    atl_release(file->asked);
    atl_release(file->target);
    atl_release(file->temporary);
    atl_release(file);
}

static atl_status cannot_begin(const char *path, int error)
{
    if (error == ENOENT || error == ENOTDIR)
        return atl_set_error(ATL_BAD_FILE, "'%s' cannot be written: there is no such directory: make it first", path);
    if (error == EACCES || error == EPERM || error == EROFS)
        return atl_set_error(ATL_BAD_FILE, "'%s' cannot be written: %s: choose a directory you may write to", path,
                             strerror(error));
    if (error == ENXIO)
        return atl_set_error(ATL_BAD_FILE,
                             "'%s' cannot be written: it is a pipe that nobody reads: start its reader first", path);
    if (error == ENAMETOOLONG && strlen(path) > 60) /* the whole of it would leave no room for the reason */
        return atl_set_error(ATL_BAD_FILE, "'%.60s...' cannot be written: a path of %zu characters is too long", path,
                             strlen(path));
    if (error == ENOMEM)
        return atl_set_error(ATL_OUT_OF_MEMORY, "out of memory writing '%s'", path);
    return atl_set_error(ATL_BAD_FILE, "'%s' cannot be written: %s", path, strerror(error));
}

/* Opens a device or a pipe.  Opening a pipe for writing could wait for a reader for ever: without a reader it fails
 * with ENXIO.  The writes themselves block as usual. */
static int open_device(const char *path)
{
    int descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int flags = descriptor < 0 ? -1 : fcntl(descriptor, F_GETFL);
    if (flags >= 0)
        fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK);
    return descriptor;
}

/* A descriptor to write to, or -1 with the message set in *status_out.  `old` describes the existing file, or is
 * null. */
static int open_descriptor(atl_atomic_file *file, const struct stat *old, atl_status *status_out)
{
    if (old && S_ISDIR(old->st_mode)) {
        *status_out =
            atl_set_error(ATL_BAD_FILE, "'%s' cannot be written: it is a directory: name a file in it", file->asked);
        return -1;
    }
    if (old && S_ISREG(old->st_mode) && access(file->target, W_OK) != 0) {
        /* rename would replace a write-protected file without asking */
        *status_out = atl_set_error(ATL_BAD_FILE, "'%s' cannot be written: %s: make it writable or choose another name",
                                    file->asked, strerror(errno));
        return -1;
    }
    int direct = old && !S_ISREG(old->st_mode);
    if (!direct)
        atl_remove_dead_temporaries(file->target);
    int descriptor = direct ? open_device(file->asked) : atl_create_temporary(file->target, &file->temporary);
    if (descriptor < 0)
        *status_out = cannot_begin(file->asked, errno);
    else if (old && !direct && fchmod(descriptor, old->st_mode & 07777) != 0)
        errno = 0; /* keeping the permissions is optional: some file systems have none */
    return descriptor;
}

/* Opens the stream.  On failure nothing is left behind. */
static atl_status open_stream(atl_atomic_file *file, const struct stat *old)
{
    atl_status status = ATL_OK;
    int descriptor = open_descriptor(file, old, &status);
    if (descriptor < 0)
        return status;
    file->stream = fdopen(descriptor, "wb");
    if (file->stream) {
        if (file->temporary) /* a duplicate shares the lock */
            file->lock = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
        return ATL_OK;
    }
    status = cannot_begin(file->asked, errno);
    close(descriptor);
    if (file->temporary)
        unlink(file->temporary);
    return status;
}

/* Follows a symbolic link whose target does not exist yet.  Writes the resulting path to `resolved`; returns 0 with
 * errno. */
static int follow_link(char resolved[PATH_MAX])
{
    enum { MOST_LINKS = 40 }; /* as Linux */
    char link[PATH_MAX], next[PATH_MAX];
    for (int i = 0; i < MOST_LINKS; i++) {
        ssize_t length = readlink(resolved, link, sizeof link - 1);
        if (length < 0)
            return errno == EINVAL || errno == ENOENT; /* the end of the chain: no link, or nothing */
        link[length] = '\0';
        const char *slash = strrchr(resolved, '/');
        int directory = link[0] != '/' && slash ? (int)(slash - resolved) + 1 : 0;
        if (snprintf(next, sizeof next, "%.*s%s", directory, resolved, link) >= (int)sizeof next) {
            errno = ENAMETOOLONG;
            return 0;
        }
        memcpy(resolved, next, strlen(next) + 1);
    }
    errno = ELOOP;
    return 0;
}

/* The path behind all links, whether or not the file exists.  Returns 0 with errno. */
static int resolve(const char *path, int exists, char resolved[PATH_MAX])
{
    if (exists && realpath(path, resolved))
        return 1;
    if (strlen(path) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return 0;
    }
    memcpy(resolved, path, strlen(path) + 1);
    return exists || follow_link(resolved); /* the pipe behind /dev/stdout exists, and has no path */
}

atl_status atl_atomic_open(atl_atomic_file **file_out, const char *path)
{
    *file_out = NULL;
    if (!path || !*path)
        return atl_set_error(ATL_INVALID, "no path was given for writing a file");
    struct stat old;
    char target[PATH_MAX];
    int exists = stat(path, &old) == 0;
    if ((!exists && errno != ENOENT) || !resolve(path, exists, target))
        return cannot_begin(path, errno);
    atl_atomic_file *file = atl_allocate(1, sizeof *file);
    if (!file)
        return cannot_begin(path, ENOMEM);
    file->lock = -1;
    file->asked = atl_copy_text(path);
    file->target = atl_copy_text(target);
    atl_status status =
        file->asked && file->target ? open_stream(file, exists ? &old : NULL) : cannot_begin(path, ENOMEM);
    if (status)
        free_file(file);
    else
        *file_out = file;
    return status;
}

FILE *atl_atomic_stream(const atl_atomic_file *file) { return file->stream; }

void atl_atomic_abandon(atl_atomic_file *file)
{
    if (!file)
        return;
    if (file->stream)
        fclose(file->stream);
    if (file->temporary)
        unlink(file->temporary);
    free_file(file);
}

atl_status atl_atomic_fail(atl_atomic_file *file, atl_status status, const char *why)
{
    if (file->temporary)
        atl_set_error(status,
                      "'%s' could not be written: %s; what was there before is unchanged: make room or write elsewhere",
                      file->asked, why);
    else
        atl_set_error(status, "'%s' could not be written: %s", file->asked, why);
    atl_atomic_abandon(file);
    return status;
}

/* After a rename the name is on the disk only when its directory is.  If a file system cannot flush a directory, the
 * file still counts as written. */
static void flush_directory_of(char *target)
{
    char *slash = strrchr(target, '/');
    if (slash)
        slash[slash == target ? 1 : 0] = '\0';
    int directory = open(slash ? target : ".", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    if (directory >= 0) {
        fsync(directory);
        close(directory);
    }
}

atl_status atl_atomic_commit(atl_atomic_file *file)
{
    if (ferror(file->stream)) /* its errno is long gone */
        return atl_atomic_fail(file, ATL_BAD_FILE, "a write failed (is the disk full?)");
    if (fflush(file->stream) != 0)
        return atl_atomic_fail(file, ATL_BAD_FILE, strerror(errno));
    /* Pipes and devices have nothing to sync: EINVAL. */
    if (file->temporary && fsync(fileno(file->stream)) != 0)
        return atl_atomic_fail(file, ATL_BAD_FILE, strerror(errno));
    int closed = fclose(file->stream);
    file->stream = NULL;
    if (closed != 0)
        return atl_atomic_fail(file, ATL_BAD_FILE, strerror(errno));
    if (file->temporary) {
        if (rename(file->temporary, file->target) != 0)
            return atl_atomic_fail(file, ATL_BAD_FILE, strerror(errno));
        flush_directory_of(file->target);
    }
    free_file(file);
    return ATL_OK;
}

atl_status atl_write_bytes(const char *path, const void *bytes, size_t size)
{
    atl_atomic_file *file;
    if (!bytes && size)
        return atl_set_error(ATL_INVALID, "'%s' was not written: there are no bytes", path ? path : "");
    atl_status status = atl_atomic_open(&file, path);
    if (status)
        return status;
    errno = 0;
    if (size && fwrite(bytes, 1, size, file->stream) != size)
        return atl_atomic_fail(file, ATL_BAD_FILE, strerror(errno));
    return atl_atomic_commit(file);
}
