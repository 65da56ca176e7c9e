/* Layouts: equality, names, bytes, copies. */
#include "onednn/primitive.h"

#include "graph/memory.h"
#include "support.h"

/* n, c, h, w with the given tag, of a plain NHWC image. */
static void make(atl_memory_layout *layout, atl_shape shape, dnnl_format_tag_t tag)
{
    dnnl_dims_t dims = {shape.size[0], shape.size[3], shape.size[1], shape.size[2]};
    memset(layout, 0, sizeof *layout);
    strcpy(layout->letters, "nchw");
    cr_assert(onednn_describe_image(&layout->plain, shape), "%s", atl_error());
#if DNNL_VERSION_MAJOR >= 3
    cr_assert_eq(dnnl_memory_desc_create_with_tag(&layout->actual.md, 4, dims, dnnl_f32, tag), dnnl_success);
#else
    cr_assert_eq(dnnl_memory_desc_init_by_tag(&layout->actual.md, 4, dims, dnnl_f32, tag), dnnl_success);
#endif
}

static void discard(atl_memory_layout *layout)
{
    onednn_release_desc(&layout->plain);
    onednn_release_desc(&layout->actual);
}

Test(layout, names_and_bytes)
{
    static const struct {
        dnnl_format_tag_t tag;
        const char *name;
        int64_t floats;
    } cases[] = {{dnnl_nhwc, "plain", 2 * 5 * 7 * 20},
                 {dnnl_nchw, "nchw", 2 * 5 * 7 * 20},
                 {dnnl_nChw16c, "nChw16c", 2 * 5 * 7 * 32},
                 {dnnl_nChw8c, "nChw8c", 2 * 5 * 7 * 24}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[40], shorter[4];
        atl_memory_layout layout;
        make(&layout, ATL_SHAPE(2, 5, 7, 20), cases[i].tag);
        cr_expect_str_eq(atl_layout_name(&layout, text, sizeof text), cases[i].name);
        cr_expect_eq(strlen(atl_layout_name(&layout, shorter, sizeof shorter)), 3u);
        cr_expect_eq(atl_layout_bytes(&layout), cases[i].floats * 4);
        discard(&layout);
    }
    char text[40];
    cr_assert_str_eq(atl_layout_name(NULL, text, sizeof text), "plain");
}

Test(layout, equality)
{
    atl_memory_layout plain, planes, blocks, other;
    make(&plain, ATL_SHAPE(2, 5, 7, 20), dnnl_nhwc);
    make(&planes, ATL_SHAPE(2, 5, 7, 20), dnnl_nchw);
    make(&blocks, ATL_SHAPE(2, 5, 7, 20), dnnl_nChw16c);
    make(&other, ATL_SHAPE(2, 5, 7, 20), dnnl_nChw16c);
    cr_expect(atl_layout_equal(NULL, NULL));
    cr_expect(atl_layout_equal(&plain, NULL));
    cr_expect(atl_layout_equal(NULL, &plain));
    cr_expect(atl_layout_equal(&blocks, &other));
    cr_expect_not(atl_layout_equal(&planes, NULL));
    cr_expect_not(atl_layout_equal(&plain, &blocks));
    cr_expect_not(atl_layout_equal(&planes, &blocks));
    atl_memory_layout *copy = atl_layout_copy(&blocks);
    cr_expect(copy && atl_layout_equal(copy, &blocks));
    atl_layout_free(copy);
    atl_layout_free(NULL);
    cr_expect_null(atl_layout_copy(NULL));
    atl_fail_allocations_after(0);
    cr_expect_null(atl_layout_copy(&blocks));
    atl_fail_allocations_after(-1);
    discard(&plain);
    discard(&planes);
    discard(&blocks);
    discard(&other);
}

Test(layout, sizes_are_looked_at)
{
    onednn_desc desc;
    cr_expect_not(onednn_describe(&desc, 2, (int64_t[]){3, -1}, NULL));
    cr_expect_not(onednn_describe(&desc, 2, (int64_t[]){3, (int64_t)1 << 31}, NULL));
    cr_assert_mentions(atl_error(), "2147483648");
    cr_expect_not(onednn_describe(&desc, 3, (int64_t[]){1 << 30, 1 << 30, 1 << 10}, NULL));
    cr_assert_mentions(atl_error(), "2^60");
    cr_expect(onednn_describe_shape(&desc, ATL_SCALAR), "%s", atl_error());
    onednn_release_desc(&desc);
}
