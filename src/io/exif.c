/* The camera's orientation tag of a JPEG: one entry of the first directory of a TIFF header within an APP1 segment. */
#include "io/exif.h"

#include <string.h>

#include "graph/unset_tensor.h"

enum { HEADER = 6, ENTRY = 12, ORIENTATION = 0x0112, IS_SHORT = 3 };

typedef struct tiff {
    const unsigned char *at;
    size_t size;
    int is_big_endian;
} tiff;

/* An unsigned number of two or four bytes; 0 beyond the end. */
static size_t number(const tiff *t, size_t at, int bytes)
{
    size_t value = 0;
    if (at > t->size || t->size - at < (size_t)bytes)
        return 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | t->at[at + (size_t)(t->is_big_endian ? i : bytes - 1 - i)];
    return value;
}

int atl_exif_orientation(const unsigned char *segment, size_t size)
{
    if (size < HEADER + 8 || memcmp(segment, "Exif\0\0", HEADER) != 0)
        return 1;
    tiff t = {segment + HEADER, size - HEADER, segment[HEADER] == 'M'};
    if (memcmp(t.at, t.is_big_endian ? "MM\0*" : "II*\0", 4) != 0)
        return 1;
    size_t directory = number(&t, 4, 4), entries = number(&t, directory, 2);
    for (size_t i = 0; i < entries; i++) {
        size_t at = directory + 2 + i * ENTRY;
        if (at >= t.size)
            return 1;
        if (number(&t, at, 2) == ORIENTATION && number(&t, at + 2, 2) == IS_SHORT) {
            size_t value = number(&t, at + 8, 2);
            return value >= 1 && value <= 8 ? (int)value : 1;
        }
    }
    return 1;
}

atl_tensor *atl_turn_upright(atl_tensor *image, int orientation)
{
    if (!image || orientation <= 1 || orientation > 8)
        return image;
    int64_t h = atl_tensor_shape(image).size[0], w = atl_tensor_shape(image).size[1];
    /* 5 to 8 swap rows and columns first; then 3, 4, 7 and 8 run from the bottom, 2, 3, 6 and 7 from the right. */
    int swaps = orientation >= 5;
    int upward = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
    int leftward = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
    int64_t height = swaps ? w : h, width = swaps ? h : w;
    atl_tensor *turned = atl_tensor_unset(ATL_FLOAT32, ATL_SHAPE(height, width, 3));
    for (int64_t y = 0; turned && y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            int64_t row = upward ? height - 1 - y : y, column = leftward ? width - 1 - x : x;
            int64_t from = swaps ? column * w + row : row * w + column;
            memcpy(atl_floats(turned) + 3 * (y * width + x), atl_floats(image) + 3 * from, 3 * sizeof(float));
        }
    atl_tensor_free(image);
    return turned;
}
