/* A contact sheet. */
#include "sheet.h"

#include <string.h>

#include "atled/files.h"

enum { COLUMNS = 5, GAP = 6, LEAST_SIDE = 140, WHITE = 255 };

typedef struct layout {
    int64_t height, width; /* of a picture */
    int64_t times;         /* enlarged */
    int64_t sheet_width;
} layout;

/* Every pixel as a square of `times`. */
static void put(const layout *l, const float *picture, int64_t top, int64_t left, float *sheet)
{
    for (int64_t y = 0; y < l->height * l->times; y++)
        for (int64_t x = 0; x < l->width * l->times; x++)
            memcpy(sheet + ((top + y) * l->sheet_width + left + x) * 3,
                   picture + (y / l->times * l->width + x / l->times) * 3, 3 * sizeof *sheet);
}

atl_status write_sheet(const char *path, atl_tensor *const *picture, int count)
{
    atl_shape size = atl_tensor_shape(picture[0]);
    layout l = {size.size[0], size.size[1], 1, 0};
    while (l.width * l.times < LEAST_SIDE)
        l.times++;
    int64_t columns = count < COLUMNS ? count : COLUMNS, rows = (count + COLUMNS - 1) / COLUMNS;
    int64_t tall = l.height * l.times + GAP, wide = l.width * l.times + GAP;
    l.sheet_width = columns * wide + GAP;
    atl_tensor *sheet = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(rows * tall + GAP, l.sheet_width, 3));
    if (!sheet)
        return ATL_OUT_OF_MEMORY;
    for (int64_t i = 0; i < atl_tensor_count(sheet); i++)
        atl_floats(sheet)[i] = WHITE;
    for (int i = 0; i < count; i++)
        put(&l, atl_floats(picture[i]), GAP + i / COLUMNS * tall, GAP + i % COLUMNS * wide, atl_floats(sheet));
    atl_status status = atl_write_png(path, sheet);
    atl_tensor_free(sheet);
    return status;
}
