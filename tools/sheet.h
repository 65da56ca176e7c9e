/* A contact sheet: several pictures in one, drawn with cairo. */
#ifndef ATLED_TOOLS_SHEET_H
#define ATLED_TOOLS_SHEET_H

#include "atled/tensor.h"

typedef struct sheet_tile {
    atl_tensor *picture; /* [h, w, 3], 0..255, all of one size */
    char name[64];       /* of its class, as clean_text makes it */
    double probability;  /* of that class; NaN: not shown */
    int is_met;          /* the class is the target */
} sheet_tile;

/* True if that many pictures of that size make a sheet of at most ATL_MAX_PIXELS pixels, which atled can read again. */
int sheet_fits(int count, int64_t height, int64_t width);

/* In rows of five, or in a square from 26 pictures on; small pictures are enlarged; each has its class and probability
 * below.  PNG; ATL_UNSUPPORTED if built without cairo. */
atl_status write_sheet(const char *path, const sheet_tile *tile, int count);

#endif
