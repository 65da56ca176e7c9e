/* Implementations of matrix products: never oneDNN's reference loops. */
#include "onednn/onednn.h"
#include "support.h"

Test(onednn_matmul, no_reference)
{
    char text[100];
    static const int64_t sizes[][4] = {{1, 128, 384, 2304}, {1, 16, 4096, 4096}, {1, 70, 33, 51}, {5, 40, 37, 35}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int way = 0; way < 64; way++) {
            onednn_matmul p = {.batch = sizes[i][0],
                               .m = sizes[i][1],
                               .n = sizes[i][2],
                               .k = sizes[i][3],
                               .transpose_a = way & 1,
                               .transpose_b = way >> 1 & 1,
                               .broadcast_a = sizes[i][0] > 1 && (way >> 2 & 3) == 1,
                               .broadcast_b = sizes[i][0] > 1 && (way >> 2 & 3) == 2,
                               .pack_b = sizes[i][0] == 1 && (way >> 2 & 1),
                               .bias_input = way >> 4 & 1 ? 2 : ONEDNN_NO_INPUT,
                               .relu = way >> 5};
            onednn_matmul_implementation(&p, text, sizeof text);
            cr_expect(text[0] && !strstr(text, "ref"), "%d [%d, %d, %d], way %d: '%s' %s", (int)p.batch, (int)p.m,
                      (int)p.n, (int)p.k, way, text, text[0] ? "" : atl_error());
        }
}
