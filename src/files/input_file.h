/* Opens a file for reading, and rejects early what is not a regular file.  Every reader uses it. */
#ifndef ATLED_FILES_INPUT_FILE_H
#define ATLED_FILES_INPUT_FILE_H

#include <stdint.h>
#include <stdio.h>

#include "atled/status.h"

/* Opens a regular file that is not empty, and gives its size in bytes.  `what` names the expected content for the
 * message, as in "a .npy array".  On failure *stream_out is null; otherwise the caller closes the stream. */
atl_status atl_open_input(const char *path, const char *what, FILE **stream_out, int64_t *size_out);

#endif
