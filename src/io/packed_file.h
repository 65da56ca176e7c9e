/* Reading a file that may be packed by gzip.  zlib's own gzread takes a file that ends just before its checksum for a
 * whole one where a read ends with the data: here every member ends with its checksum, or the file is cut short. */
#ifndef ATLED_IO_PACKED_FILE_H
#define ATLED_IO_PACKED_FILE_H

#include <stdint.h>

#include "atled/status.h"

typedef struct atl_packed_file atl_packed_file;

/* Opens a regular file that is not empty, plain or packed, and gives its size on the disk in bytes.  `what` as for
 * atl_open_input.  The caller closes the file. */
atl_status atl_open_packed(const char *path, const char *what, atl_packed_file **file_out, int64_t *size_out);

/* Reads up to `size` bytes of the unpacked data; fewer only where the file ends. */
atl_status atl_read_packed(atl_packed_file *file, void *bytes, int64_t size, int64_t *got_out);

/* Whether the file ended within packed data or before its checksum.  Asked after a read that gave less than it was
 * to. */
int atl_is_cut_short(const atl_packed_file *file);

/* Null does nothing. */
void atl_close_packed(atl_packed_file *file);

#endif
