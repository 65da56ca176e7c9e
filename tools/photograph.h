/* A picture from a file, in the size that a network takes. */
#ifndef ATLED_TOOLS_PHOTOGRAPH_H
#define ATLED_TOOLS_PHOTOGRAPH_H

#include "network.h"

/* [h, w, 3], 0..255: scaled and cropped at the centre, as the network's photographs usually are, unless it has the
 * network's size.  exact: another size is an error, ATL_INVALID.  Null on failure, see atl_error(); the caller frees
 * it. */
atl_tensor *read_photograph(const loaded_network *network, const char *path, int exact);

#endif
