/* Memory descriptors, the layouts made of them, and the reorders between layouts. */
#include <stdio.h>
#include <string.h>

#include "graph/error.h"
#include "graph/memory.h"
#include "onednn/primitive.h"

/* oneDNN multiplies sizes without overflow checks, and some of its kernels store a size in an int. */
static int sizes_are_sound(int rank, const int64_t *dims)
{
    int64_t count = 1;
    for (int i = 0; i < rank; i++) {
        if (dims[i] < 0 || dims[i] > INT32_MAX) {
            atl_set_error(ATL_UNSUPPORTED, "a dimension of %lld is more than oneDNN can take (2^31 - 1)",
                          (long long)dims[i]);
            return 0;
        }
        if (__builtin_mul_overflow(count, dims[i] > 0 ? dims[i] : 1, &count) || count > INT64_MAX / 8) {
            atl_set_error(ATL_INVALID, "an array of more than 2^60 elements");
            return 0;
        }
    }
    return 1;
}

static void row_major(int rank, const int64_t *dims, int64_t *strides)
{
    int64_t stride = 1;
    for (int i = rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= dims[i] > 0 ? dims[i] : 1;
    }
}

int onednn_describe(onednn_desc *desc, int rank, const int64_t *dims, const int64_t *strides)
{
    dnnl_dims_t sizes = {0}, steps = {0};
    memset(desc, 0, sizeof *desc);
    if (!sizes_are_sound(rank, dims))
        return 0;
    memcpy(sizes, dims, (size_t)rank * sizeof *dims);
    if (strides)
        memcpy(steps, strides, (size_t)rank * sizeof *strides);
    else
        row_major(rank, dims, steps);
#if DNNL_VERSION_MAJOR >= 3
    dnnl_status_t status = dnnl_memory_desc_create_with_strides(&desc->md, rank, sizes, dnnl_f32, steps);
#else
    dnnl_status_t status = dnnl_memory_desc_init_by_strides(&desc->md, rank, sizes, dnnl_f32, steps);
#endif
    return onednn_succeeded(status, "describe an array");
}

int onednn_describe_any(onednn_desc *desc, int rank, const int64_t *dims)
{
    dnnl_dims_t sizes = {0};
    memset(desc, 0, sizeof *desc);
    if (!sizes_are_sound(rank, dims))
        return 0;
    memcpy(sizes, dims, (size_t)rank * sizeof *dims);
#if DNNL_VERSION_MAJOR >= 3
    dnnl_status_t status = dnnl_memory_desc_create_with_tag(&desc->md, rank, sizes, dnnl_f32, dnnl_format_tag_any);
#else
    dnnl_status_t status = dnnl_memory_desc_init_by_tag(&desc->md, rank, sizes, dnnl_f32, dnnl_format_tag_any);
#endif
    return onednn_succeeded(status, "describe an array");
}

int onednn_describe_shape(onednn_desc *desc, atl_shape shape)
{
    static const int64_t one = 1;
    if (shape.rank == 0)
        return onednn_describe(desc, 1, &one, NULL);
    return onednn_describe(desc, shape.rank, shape.size, NULL);
}

int onednn_describe_image(onednn_desc *desc, atl_shape shape)
{
    const int64_t *size = shape.size;
    int64_t strides[4] = {0, 0, 0, 0};
    memset(desc, 0, sizeof *desc);
    if (!sizes_are_sound(4, size))
        return 0;
    row_major(4, size, strides);
    return onednn_describe(desc, 4, (int64_t[]){size[0], size[3], size[1], size[2]},
                           (int64_t[]){strides[0], strides[3], strides[1], strides[2]});
}

int onednn_describe_image_any(onednn_desc *desc, atl_shape shape)
{
    const int64_t *size = shape.size;
    return onednn_describe_any(desc, 4, (int64_t[]){size[0], size[3], size[1], size[2]});
}

int onednn_describe_image_blocked(onednn_desc *desc, atl_shape shape)
{
    const int64_t *size = shape.size;
    dnnl_dims_t dims = {size[0], size[3], size[1], size[2]};
    dnnl_format_tag_t tag = size[3] % 16 ? dnnl_nchw : dnnl_nChw16c;
    memset(desc, 0, sizeof *desc);
    if (!sizes_are_sound(4, dims))
        return 0;
#if DNNL_VERSION_MAJOR >= 3
    dnnl_status_t status = dnnl_memory_desc_create_with_tag(&desc->md, 4, dims, dnnl_f32, tag);
#else
    dnnl_status_t status = dnnl_memory_desc_init_by_tag(&desc->md, 4, dims, dnnl_f32, tag);
#endif
    return onednn_succeeded(status, "describe an array");
}

static int set_type(onednn_desc *desc, dnnl_data_type_t type)
{
#if DNNL_VERSION_MAJOR >= 3
    int rank;
    dnnl_format_kind_t kind;
    const dnnl_dims_t *dims, *strides;
    dnnl_memory_desc_t rounded = NULL;
    dnnl_status_t status = dnnl_memory_desc_query(desc->md, dnnl_query_ndims_s32, &rank);
    if (status == dnnl_success)
        status = dnnl_memory_desc_query(desc->md, dnnl_query_dims, &dims);
    if (status == dnnl_success)
        status = dnnl_memory_desc_query(desc->md, dnnl_query_format_kind, &kind);
    if (status == dnnl_success && kind == dnnl_format_kind_any)
        status = dnnl_memory_desc_create_with_tag(&rounded, rank, *dims, type, dnnl_format_tag_any);
    else if (status == dnnl_success) {
        status = dnnl_memory_desc_query(desc->md, dnnl_query_strides, &strides);
        if (status == dnnl_success)
            status = dnnl_memory_desc_create_with_strides(&rounded, rank, *dims, type, *strides);
    }
    if (!onednn_succeeded(status, "describe an array"))
        return 0;
    dnnl_memory_desc_destroy(desc->md);
    desc->md = rounded;
#else
    desc->md.data_type = type;
#endif
    return 1;
}

int onednn_round_desc(onednn_desc *desc) { return set_type(desc, dnnl_bf16); }

int onednn_retype_desc(onednn_desc *desc, onednn_md like)
{
#if DNNL_VERSION_MAJOR >= 3
    dnnl_data_type_t type;
    return onednn_succeeded(dnnl_memory_desc_query(like, dnnl_query_data_type, &type), "describe an array") &&
           set_type(desc, type);
#else
    return set_type(desc, like->data_type);
#endif
}

int onednn_copy_desc(onednn_desc *desc, onednn_md from)
{
#if DNNL_VERSION_MAJOR >= 3
    memset(desc, 0, sizeof *desc);
    return onednn_succeeded(dnnl_memory_desc_clone(&desc->md, from), "copy a description");
#else
    desc->md = *from;
    return 1;
#endif
}

void onednn_release_desc(onednn_desc *desc)
{
#if DNNL_VERSION_MAJOR >= 3
    if (desc->md)
        dnnl_memory_desc_destroy(desc->md);
#endif
    memset(desc, 0, sizeof *desc);
}

int onednn_same(onednn_md a, onednn_md b) { return dnnl_memory_desc_equal(a, b); }

/* ---- layouts ----------------------------------------------------------------------------------------------------- */

static void release_layout(atl_memory_layout *layout)
{
    onednn_release_desc(&layout->plain);
    onednn_release_desc(&layout->actual);
}

static int make_layout(atl_memory_layout *layout, onednn_md plain, onednn_md actual, const char *letters)
{
    memset(layout, 0, sizeof *layout);
    snprintf(layout->letters, sizeof layout->letters, "%s", letters);
    if (onednn_copy_desc(&layout->plain, plain) && onednn_copy_desc(&layout->actual, actual))
        return 1;
    release_layout(layout);
    return 0;
}

static int is_plain(const atl_memory_layout *layout)
{
    return !layout || onednn_same(ONEDNN_MD(layout->plain), ONEDNN_MD(layout->actual));
}

int atl_layout_equal(const atl_memory_layout *a, const atl_memory_layout *b)
{
    if (a == b)
        return 1;
    if (is_plain(a) || is_plain(b))
        return is_plain(a) && is_plain(b);
    return onednn_same(ONEDNN_MD(a->plain), ONEDNN_MD(b->plain)) &&
           onednn_same(ONEDNN_MD(a->actual), ONEDNN_MD(b->actual));
}

int64_t atl_layout_bytes(const atl_memory_layout *layout)
{
    return layout ? (int64_t)dnnl_memory_desc_get_size(ONEDNN_MD(layout->actual)) : 0;
}

atl_memory_layout *atl_layout_copy(const atl_memory_layout *layout)
{
    if (!layout)
        return NULL;
    atl_memory_layout *copy = atl_allocate(1, sizeof *copy);
    if (!copy) {
        atl_out_of_memory();
        return NULL;
    }
    if (make_layout(copy, ONEDNN_MD(layout->plain), ONEDNN_MD(layout->actual), layout->letters))
        return copy;
    atl_release(copy);
    return NULL;
}

/* The image's layout from that description, which is released. */
static atl_memory_layout *layout_of_image(atl_shape image, onednn_desc *actual)
{
    onednn_desc plain;
    atl_memory_layout *layout = NULL;
    if (onednn_describe_image(&plain, image)) {
        layout = atl_allocate(1, sizeof *layout);
        if (!layout)
            atl_out_of_memory();
        else if (!make_layout(layout, ONEDNN_MD(plain), ONEDNN_MD(*actual), "nchw")) {
            atl_release(layout);
            layout = NULL;
        }
        onednn_release_desc(&plain);
    }
    onednn_release_desc(actual);
    return layout;
}

atl_memory_layout *atl_layout_blocked(atl_shape image)
{
    onednn_desc blocked;
    return onednn_describe_image_blocked(&blocked, image) ? layout_of_image(image, &blocked) : NULL;
}

atl_memory_layout *atl_layout_strided(atl_shape image, int64_t pixel_stride)
{
    onednn_desc desc;
    const int64_t *size = image.size;
    int64_t row = size[2] * pixel_stride;
    return onednn_describe(&desc, 4, (int64_t[]){size[0], size[3], size[1], size[2]},
                           (int64_t[]){size[1] * row, 1, row, pixel_stride})
               ? layout_of_image(image, &desc)
               : NULL;
}

void atl_layout_free(atl_memory_layout *layout)
{
    if (!layout)
        return;
    release_layout(layout);
    atl_release(layout);
}

/* The parts of a layout's name: strides of the blocks, and the blocks from the outermost. */
typedef struct blocking {
    int rank, blocks;
    dnnl_dims_t dims, strides, block_size, block_dim;
} blocking;

static int blocking_of(onednn_md md, blocking *b)
{
#if DNNL_VERSION_MAJOR >= 3
    dnnl_format_kind_t kind;
    const dnnl_dims_t *dims, *strides, *sizes, *which;
    if (dnnl_memory_desc_query(md, dnnl_query_format_kind, &kind) != dnnl_success || kind != dnnl_blocked ||
        dnnl_memory_desc_query(md, dnnl_query_ndims_s32, &b->rank) != dnnl_success ||
        dnnl_memory_desc_query(md, dnnl_query_dims, &dims) != dnnl_success ||
        dnnl_memory_desc_query(md, dnnl_query_strides, &strides) != dnnl_success ||
        dnnl_memory_desc_query(md, dnnl_query_inner_nblks_s32, &b->blocks) != dnnl_success ||
        dnnl_memory_desc_query(md, dnnl_query_inner_blks, &sizes) != dnnl_success ||
        dnnl_memory_desc_query(md, dnnl_query_inner_idxs, &which) != dnnl_success)
        return 0;
    memcpy(b->dims, *dims, sizeof b->dims);
    memcpy(b->strides, *strides, sizeof b->strides);
    memcpy(b->block_size, *sizes, sizeof b->block_size);
    memcpy(b->block_dim, *which, sizeof b->block_dim);
#else
    if (md->format_kind != dnnl_blocked)
        return 0;
    b->rank = md->ndims;
    b->blocks = md->format_desc.blocking.inner_nblks;
    memcpy(b->dims, md->dims, sizeof b->dims);
    memcpy(b->strides, md->format_desc.blocking.strides, sizeof b->strides);
    memcpy(b->block_size, md->format_desc.blocking.inner_blks, sizeof b->block_size);
    memcpy(b->block_dim, md->format_desc.blocking.inner_idxs, sizeof b->block_dim);
#endif
    return 1;
}

/* Dimensions from the outermost to the innermost, by decreasing strides; of equal ones, those of size 1 come first. */
static void order_by_stride(const blocking *b, int *order)
{
    for (int i = 0; i < b->rank; i++) {
        int at = i;
        for (; at > 0; at--) {
            int before = order[at - 1];
            int stays = b->strides[before] > b->strides[i] || (b->strides[before] == b->strides[i] && b->dims[i] != 1);
            if (stays)
                break;
            order[at] = before;
        }
        order[at] = i;
    }
}

static int is_rounded(onednn_md md)
{
#if DNNL_VERSION_MAJOR >= 3
    dnnl_data_type_t type;
    return dnnl_memory_desc_query(md, dnnl_query_data_type, &type) == dnnl_success && type == dnnl_bf16;
#else
    return md->data_type == dnnl_bf16;
#endif
}

const char *atl_layout_name(const atl_memory_layout *layout, char *text, size_t size)
{
    blocking b;
    int order[DNNL_MAX_NDIMS];
    size_t at = 0;
    if (!size)
        return text;
    if (is_plain(layout)) {
        snprintf(text, size, "plain");
        return text;
    }
    if (!blocking_of(ONEDNN_MD(layout->actual), &b)) {
        snprintf(text, size, "%s", dnnl_memory_desc_get_size(ONEDNN_MD(layout->actual)) ? "winograd" : "unknown");
        return text;
    }
    order_by_stride(&b, order);
    for (int i = 0; i < b.rank && at + 1 < size; i++) {
        int blocked = 0;
        for (int k = 0; k < b.blocks; k++)
            blocked |= b.block_dim[k] == order[i];
        text[at++] = (char)(layout->letters[order[i]] - (blocked ? 'a' - 'A' : 0));
    }
    text[at] = 0;
    for (int k = 0; k < b.blocks && at < size; k++)
        at += (size_t)snprintf(text + at, size - at, "%d%c", (int)b.block_size[k], layout->letters[b.block_dim[k]]);
    if (is_rounded(ONEDNN_MD(layout->actual)) && at < size)
        snprintf(text + at, size - at, " bf16");
    return text;
}

/* ---- values in layouts ------------------------------------------------------------------------------------------- */

atl_value_id onednn_input(atl_lowering *lowering, int i, onednn_md plain, onednn_md required, const char *letters)
{
    atl_memory_layout layout;
    if (onednn_same(plain, required))
        return atl_lower_input(lowering, i);
    if (!make_layout(&layout, plain, required, letters))
        return -1;
    atl_value_id value = atl_lower_input_in(lowering, i, &layout);
    release_layout(&layout);
    return value;
}

atl_value_id onednn_output(atl_lowering *lowering, onednn_md plain, onednn_md written, const char *letters)
{
    atl_memory_layout layout;
    if (onednn_same(plain, written))
        return atl_lower_output(lowering);
    if (!make_layout(&layout, plain, written, letters))
        return -1;
    atl_value_id value = atl_lower_output_in(lowering, &layout);
    release_layout(&layout);
    return value;
}

int onednn_lower_reorder(atl_lowering *lowering, onednn_md from_md, atl_value_id from, onednn_md to_md, atl_value_id to)
{
    dnnl_primitive_desc_t desc = NULL;
    dnnl_engine_t engine = onednn_engine();
    dnnl_primitive_attr_t attributes = engine ? onednn_attributes() : NULL;
    if (!attributes)
        return 0;
    int threads = onednn_threads_for(0, (double)dnnl_memory_desc_get_size(to_md) / sizeof(float));
    int before = onednn_use_threads(threads);
    dnnl_status_t status = dnnl_reorder_primitive_desc_create(&desc, from_md, engine, to_md, engine, attributes);
    onednn_use_threads(before);
    dnnl_primitive_attr_destroy(attributes);
    if (!onednn_succeeded(status, "reorder an array"))
        return 0;
    return onednn_lower_primitive(lowering, desc, 2,
                                  (const onednn_argument[]){{DNNL_ARG_FROM, from, ONEDNN_READ},
                                                            {DNNL_ARG_TO, to, ONEDNN_WRITTEN}},
                                  0, threads);
}

int atl_lower_reorder(atl_lowering *lowering, atl_shape shape, atl_value_id from, const atl_memory_layout *from_layout,
                      atl_value_id to, const atl_memory_layout *to_layout)
{
    onednn_desc plain;
    int64_t bytes = atl_shape_count(shape) * (int64_t)sizeof(float);
    if (!from_layout && !to_layout) { /* a copy */
        int ok = onednn_describe_shape(&plain, shape) &&
                 onednn_lower_reorder(lowering, ONEDNN_MD(plain), from, ONEDNN_MD(plain), to);
        onednn_release_desc(&plain);
        return ok;
    }
    if (!from_layout)
        return onednn_lower_reorder(lowering, ONEDNN_MD(to_layout->plain), from, ONEDNN_MD(to_layout->actual), to);
    if (!to_layout)
        return onednn_lower_reorder(lowering, ONEDNN_MD(from_layout->actual), from, ONEDNN_MD(from_layout->plain), to);
    if (onednn_same(ONEDNN_MD(from_layout->plain), ONEDNN_MD(to_layout->plain)))
        return onednn_lower_reorder(lowering, ONEDNN_MD(from_layout->actual), from, ONEDNN_MD(to_layout->actual), to);
    /* Two descriptions with different dimensions, for example of a filter with and without groups: converts via the
     * plain layout. */
    atl_value_id between = atl_lower_scratch(lowering, bytes);
    return between >= 0 && atl_lower_reorder(lowering, shape, from, from_layout, between, NULL) &&
           atl_lower_reorder(lowering, shape, between, NULL, to, to_layout);
}
