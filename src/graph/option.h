/* Options that have a default: zero stands for it, and ATL_ZERO for the zero itself. */
#ifndef ATLED_GRAPH_OPTION_H
#define ATLED_GRAPH_OPTION_H

#include "atled/status.h"

/* What an option means whose default is `usual`. */
static inline double atl_option(double given, double usual)
{
    return given == 0 ? usual : given == ATL_ZERO ? 0 : given;
}

#endif
