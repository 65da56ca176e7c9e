/* The camera's orientation tag of a JPEG, and turning a picture by it. */
#ifndef ATLED_IO_EXIF_H
#define ATLED_IO_EXIF_H

#include <stddef.h>

#include "atled/tensor.h"

/* 1..8 as in Exif (JEITA CP-3451, tag 0x0112), from the bytes of an APP1 segment; 1, upright, if it has none, or if it
 * is damaged: the picture itself is not. */
int atl_exif_orientation(const unsigned char *segment, size_t size);

/* [height, width, 3] turned so that it is upright; frees the one given.  Null out of memory. */
atl_tensor *atl_turn_upright(atl_tensor *image, int orientation);

#endif
