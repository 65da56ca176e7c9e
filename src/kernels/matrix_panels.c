/* Products whose rows are wanted a few at a time: see matrix.h.  B lies packed in panels of as many columns as a tile
 * has. */
#include "kernels/matrix.h"
#include "kernels/product_tiles.h"

void KERNEL(panel_pack)(const atl_product *p, const float *b, float *packed)
{
    const int64_t panel = tile_vectors(p->n) * VECTOR;
    for (int64_t first = 0; first < p->n; first += panel)
        for (int64_t q = 0; q < p->k; q++, packed += panel)
            for (int64_t j = 0; j < panel; j += VECTOR)
                store(packed + j, load(b + q * p->n + first + j));
}

/* Some rows from `row` on, and the columns of the panel that starts with column `first`. */
INLINE void some_rows(const int rows, const int vectors, const atl_product *p, int64_t row, int64_t first,
                      const float *a, const float *packed, float *c)
{
    product_tile sum;
    clear_tile(rows, vectors, sum);
    add_to_tile(rows, vectors, p->k, a + row * p->a_row, p->a_row, p->a_column, packed + first * p->k, vectors * VECTOR,
                sum);
    store_tile(rows, vectors, sum, c + row * p->n + first, p->n);
}

INLINE void all_panels(const int rows, const int vectors, const atl_product *p, const float *a, const float *packed,
                       float *c)
{
    for (int64_t first = 0; first < p->n; first += vectors * VECTOR) {
        int64_t row = 0;
        for (int64_t less = shorter_tiles(p->m, rows); less > 0; less--, row += rows - 1)
            some_rows(rows - 1, vectors, p, row, first, a, packed, c);
        for (; row + rows <= p->m; row += rows)
            some_rows(rows, vectors, p, row, first, a, packed, c);
        for (; row < p->m; row++)
            some_rows(1, vectors, p, row, first, a, packed, c);
    }
}

void KERNEL(panel_rows)(const atl_product *p, const float *a, const float *packed, float *c)
{
    FOR_TILE(p->n, all_panels, p, a, packed, c)
}
