/* Writing a file whole or not at all.  Called by everything that writes a file. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* realpath, fchmod, O_CLOEXEC whatever -std= says */
#endif
#include "io/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h> /* realpath */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "graph/error.h"
#include "graph/memory.h"

struct atl_atomic_file {
    FILE *stream;
    char *asked;     /* the path as the caller gave it, for messages */
    char *target;    /* the same without symbolic links */
    char *temporary; /* beside the target; null when a device or a pipe is written directly */
};

static void free_file(atl_atomic_file *file)
{
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
    if (error == ENOMEM)
        return atl_set_error(ATL_OUT_OF_MEMORY, "out of memory writing '%s'", path);
    return atl_set_error(ATL_BAD_FILE, "'%s' cannot be written: %s", path, strerror(error));
}

/* ".picture.png.1234-5": hidden, beside the target so that rename stays within one file system, and of this process and
 * call alone.  Null if out of memory. */
static char *temporary_name(const char *target)
{
    static atomic_uint calls;
    const char *slash = strrchr(target, '/');
    size_t directory = slash ? (size_t)(slash - target) + 1 : 0;
    size_t room = strlen(target) + 64;
    char *name = atl_allocate(room, 1);
    /* The base is cut so that a long name does not grow over the 255 bytes a file name may have. */
    if (name)
        snprintf(name, room, "%.*s.%.160s.%ld-%u", (int)directory, target, target + directory, (long)getpid(),
                 atomic_fetch_add(&calls, 1u));
    return name;
}

/* Makes and opens the temporary file with a name that nobody has.  A descriptor, or -1 with errno. */
static int create_temporary(atl_atomic_file *file)
{
    enum { TRIES = 1000 }; /* names left behind by killed processes that had the same number */
    for (int i = 0; i < TRIES; i++) {
        atl_release(file->temporary);
        file->temporary = temporary_name(file->target);
        if (!file->temporary) {
            errno = ENOMEM;
            return -1;
        }
        int descriptor = open(file->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor >= 0 || errno != EEXIST)
            return descriptor;
    }
    errno = EEXIST;
    return -1;
}

/* A descriptor to write to, or -1 with the message set in *status_out.  `old` describes the file that is there, or is
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
    int descriptor = direct ? open(file->asked, O_WRONLY | O_CLOEXEC | O_NOCTTY) : create_temporary(file);
    if (descriptor < 0)
        *status_out = cannot_begin(file->asked, errno);
    else if (old && !direct && fchmod(descriptor, old->st_mode & 07777) != 0)
        errno = 0; /* keeping the permissions is a courtesy: some file systems have none */
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
    if (file->stream)
        return ATL_OK;
    status = cannot_begin(file->asked, errno);
    close(descriptor);
    if (file->temporary)
        unlink(file->temporary);
    return status;
}

atl_status atl_atomic_open(atl_atomic_file **file_out, const char *path)
{
    *file_out = NULL;
    if (!path || !*path)
        return atl_set_error(ATL_INVALID, "no path was given for writing a file");
    struct stat old;
    int exists = stat(path, &old) == 0;
    if (!exists && errno != ENOENT)
        return cannot_begin(path, errno);
    /* A new file has no path without links yet; nor has the pipe behind /dev/stdout. */
    char resolved[PATH_MAX];
    const char *target = exists && realpath(path, resolved) ? resolved : path;
    atl_atomic_file *file = atl_allocate(1, sizeof *file);
    if (!file)
        return cannot_begin(path, ENOMEM);
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

/* After a rename the name itself is on the disk only when its directory is.  A file system that cannot do this is no
 * reason to call the file unwritten. */
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
