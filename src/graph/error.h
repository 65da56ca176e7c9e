/* The message of the last failure on each thread. */
#ifndef ATLED_GRAPH_ERROR_H
#define ATLED_GRAPH_ERROR_H

#include "atled/status.h"

#define ATL_ERROR_SIZE 2048

atl_status atl_out_of_memory(void);
/* The status given with that message: for a caller that was told of a failure by a null pointer. */
atl_status atl_error_status(void);

#endif
