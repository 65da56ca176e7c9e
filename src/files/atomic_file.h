/* Writes a file atomically: the data goes to a temporary file beside the target, which replaces the target at the end.
 * Everything that writes uses it: arrays, archives, images, DOT, CSV. */
#ifndef ATLED_FILES_ATOMIC_FILE_H
#define ATLED_FILES_ATOMIC_FILE_H

#include <stdio.h>

#include "atled/status.h"

typedef struct atl_atomic_file atl_atomic_file;

/* Begins a new version of the file at `path`.  A symbolic link is followed, so that the link stays; the permissions of
 * an existing file are kept.  A device or a pipe (/dev/stdout) is written directly; a named pipe must already have a
 * reader.  Removes temporary files of earlier writers of the same file that were killed.  On failure *file_out is
 * null. */
atl_status atl_atomic_open(atl_atomic_file **file_out, const char *path);

/* The stream to write to; owned by the file.  The caller need not check for write errors: commit does. */
FILE *atl_atomic_stream(const atl_atomic_file *file);

/* Replaces the target by the new file, safely on the disk.  On failure the target is unchanged and the new file is
 * removed.  Frees `file` in every case. */
atl_status atl_atomic_commit(atl_atomic_file *file);

/* Discards the new file and frees `file`; the target and atl_error() are unchanged.  Null is allowed. */
void atl_atomic_abandon(atl_atomic_file *file);

/* Abandons after a write error: sets the message, with `why` such as strerror(errno), and returns status. */
atl_status atl_atomic_fail(atl_atomic_file *file, atl_status status, const char *why);

#endif
