/* Opening a file for reading, and refusing early, in words, what is no file to read: used by every reader. */
#ifndef ATLED_FILES_INPUT_FILE_H
#define ATLED_FILES_INPUT_FILE_H

#include <stdint.h>
#include <stdio.h>

#include "atled/status.h"

/* Opens a regular file that is not empty, and gives its size in bytes.  `what` says what the caller hopes for, as in
 * "a .npy array", for the message.  On failure *stream_out is null; else the caller closes the stream. */
atl_status atl_open_input(const char *path, const char *what, FILE **stream_out, int64_t *size_out);

#endif
