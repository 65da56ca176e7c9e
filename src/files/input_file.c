/* Opens a file for reading.  Used by the readers of src/io. */
#include "files/input_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "graph/error.h"

static atl_status refuse_unopened(const char *path, const char *what, int error)
{
    if (error == ENOENT || error == ENOTDIR)
        return atl_set_error(ATL_BAD_FILE, "there is no file '%s' (%s was expected): check the path", path, what);
    if (error == EACCES || error == EPERM)
        return atl_set_error(ATL_BAD_FILE, "'%s' may not be read by this user: check its permissions", path);
    if (error == ENOMEM)
        return atl_set_error(ATL_OUT_OF_MEMORY, "out of memory opening '%s'", path);
    return atl_set_error(ATL_BAD_FILE, "'%s' cannot be opened: %s", path, strerror(error));
}

/* Checks that the open file is a regular file and not empty. */
static atl_status check_file(const struct stat *about, const char *path, const char *what)
{
    if (S_ISDIR(about->st_mode))
        return atl_set_error(ATL_BAD_FILE, "'%s' is a directory, not %s: name a file in it", path, what);
    if (!S_ISREG(about->st_mode))
        return atl_set_error(ATL_BAD_FILE, "'%s' is a pipe or a device, not %s: save it to a file first", path, what);
    if (about->st_size == 0)
        return atl_set_error(ATL_BAD_FILE, "'%s' is empty (%s was expected): make it or fetch it again", path, what);
    return ATL_OK;
}

atl_status atl_open_input(const char *path, const char *what, FILE **stream_out, int64_t *size_out)
{
    *stream_out = NULL;
    if (!path || !*path)
        return atl_set_error(ATL_INVALID, "no path was given for reading %s", what);
    /* O_NONBLOCK avoids waiting for the other end of a pipe; it has no effect on a regular file. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (descriptor < 0)
        return refuse_unopened(path, what, errno);
    struct stat about;
    atl_status status =
        fstat(descriptor, &about) == 0 ? check_file(&about, path, what) : refuse_unopened(path, what, errno);
    if (!status && !(*stream_out = fdopen(descriptor, "rb")))
        status = refuse_unopened(path, what, errno);
    if (status)
        close(descriptor);
    else
        *size_out = (int64_t)about.st_size;
    return status;
}
