/* A picture from a file, in the size that a network takes. */
#ifndef ATLED_TOOLS_PHOTOGRAPH_H
#define ATLED_TOOLS_PHOTOGRAPH_H

#include "network.h"

/* [h, w, 3], 0..255: scaled and cropped at the centre, as the network's photographs usually are, unless it has the
 * network's size.  exact: another size is an error, ATL_INVALID.  Null on failure, see atl_error(); the caller frees
 * it. */
atl_tensor *read_photograph(const loaded_network *network, const char *path, int exact);

/* Call it when a picture of several cannot be read: tells why, and counts it.  Returns 0 if the others can be done all
 * the same, or the exit code. */
int leave_picture_out(const char *command, int64_t *unread);
/* The exit code of a command that would end with `code` and could not read so many of its pictures. */
int end_without_pictures(const char *command, int code, int64_t unread);

/* A picture [h, w, 3] scaled until its short side is `resize`, or as much longer as it must be to cover height x width,
 * which are then cut from its middle. */
atl_tensor *fit_photograph(const atl_tensor *picture, int64_t resize, int64_t height, int64_t width);

#endif
