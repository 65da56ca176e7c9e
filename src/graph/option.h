/* Options with a default: zero stands for the default, and ATL_ZERO for the value zero. */
#ifndef ATLED_GRAPH_OPTION_H
#define ATLED_GRAPH_OPTION_H

#include "atled/status.h"

/* The value of an option whose default is `usual`. */
static inline double atl_option(double given, double usual)
{
    return given == 0 ? usual : given == ATL_ZERO ? 0 : given;
}

#endif
