/* Writing a file so that it is there whole or not at all: what is written goes to a file beside the target, which is
 * renamed over it at the end.  Used by everything that writes: arrays, archives, pictures, DOT, CSV. */
#ifndef ATLED_FILES_ATOMIC_FILE_H
#define ATLED_FILES_ATOMIC_FILE_H

#include <stdio.h>

#include "atled/status.h"

typedef struct atl_atomic_file atl_atomic_file;

/* Begins a new version of the file at `path`.  A symbolic link is followed, so that the link stays; the permissions of
 * an existing file are kept.  A device or a pipe (/dev/stdout) is written directly; a named pipe must have a reader, for
 * which nobody waits.  Removes what earlier writers of the same file left behind when they were killed.  On failure
 * *file_out is null. */
atl_status atl_atomic_open(atl_atomic_file **file_out, const char *path);

/* Where to write; belongs to the file.  Errors of writing may be left unchecked: commit sees them. */
FILE *atl_atomic_stream(const atl_atomic_file *file);

/* Puts what was written in the place of the target, safely on the disk.  On failure the target is as it was and the
 * new file is gone.  Frees `file` in every case. */
atl_status atl_atomic_commit(atl_atomic_file *file);

/* Drops what was written and frees `file`; the target is as it was, and so is atl_error().  Null is allowed. */
void atl_atomic_abandon(atl_atomic_file *file);

/* Abandons because writing failed: sets the message, with `why` such as strerror(errno), and returns status. */
atl_status atl_atomic_fail(atl_atomic_file *file, atl_status status, const char *why);

#endif
