/* A picture from a file, in the size that a network takes. */
#ifndef ATLED_TOOLS_PHOTOGRAPH_H
#define ATLED_TOOLS_PHOTOGRAPH_H

#include "network.h"

/* [h, w, 3], 0..255: scaled and cropped at the centre, as the network's photographs usually are, unless it has the
 * network's size.  exact: another size is an error, ATL_INVALID.  Null on failure, see atl_error(); the caller frees
 * it. */
atl_tensor *read_photograph(const loaded_network *network, const char *path, int exact);

/* A picture [h, w, 3] scaled until its short side is `resize`, or as much longer as it must be to cover height x width,
 * which are then cut from its middle. */
atl_tensor *fit_photograph(const atl_tensor *picture, int64_t resize, int64_t height, int64_t width);

#endif
