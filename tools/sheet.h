/* A contact sheet: several pictures in one. */
#ifndef ATLED_TOOLS_SHEET_H
#define ATLED_TOOLS_SHEET_H

#include "atled/tensor.h"

/* Pictures [h, w, 3] of one size, in rows of five, enlarged where they are small.  PNG. */
atl_status write_sheet(const char *path, atl_tensor *const *picture, int count);

#endif
