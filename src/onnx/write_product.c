/* Writers of the derivatives of products, and of sums of products.  ONNX has no product without one of the factors: the
 * factors are repeated, and the one that is left out becomes 1. */
#include "onnx/write.h"
#include "ops/attributes.h"

enum { MOST_ELEMENTS = 1 << 20 }; /* of a mask */

typedef struct factors {
    int rank, kept;                                  /* of the input; dimensions that stay */
    int order[ATL_MAX_RANK], back[ATL_MAX_RANK];     /* those that stay, then those that are multiplied; and back */
    int64_t count;                                   /* elements that are multiplied */
    int64_t flat[ATL_MAX_RANK], whole[ATL_MAX_RANK]; /* sizes for reshapes: 0 keeps the input's */
} factors;

/* 0 with the reason. */
static int find_factors(onnx_writer *w, const atl_node *y, factors *f)
{
    unsigned axes = *(const unsigned *)atl_attributes_of(y);
    atl_shape shape = atl_shape_of(y);
    *f = (factors){.rank = shape.rank, .count = 1};
    for (int i = 0; i < shape.rank; i++)
        if (!(axes >> i & 1))
            f->order[f->kept++] = i;
    for (int i = 0, at = f->kept; i < shape.rank; i++)
        if (axes >> i & 1) {
            f->order[at++] = i;
            f->whole[at - 1] = shape.size[i];
            if (shape.size[i] == ATL_ANY || __builtin_mul_overflow(f->count, shape.size[i], &f->count))
                return onnx_cannot_write(w, "'%s': how many elements are multiplied is unknown", atl_name_of(y)) !=
                       NULL;
        }
    for (int i = 0; i < shape.rank; i++)
        f->back[f->order[i]] = i;
    f->flat[f->kept] = f->count;
    return 1;
}

/* x [...] as [kept..., 1 (ones times), count]. */
static const char *lined_up(onnx_writer *w, const char *x, const factors *f, int ones)
{
    int64_t axes[2] = {f->kept, f->kept + 1};
    x = onnx_write_reshape(w, onnx_write_transpose(w, x, f->rank, f->order), f->kept + 1, f->flat);
    return ONNX_EMIT(w, "Unsqueeze", NULL, x, onnx_write_ints(w, ones, axes));
}

/* 1 where two of `dims` indices below n are equal: of the last one with any other, or of the first two. */
static const char *equal_indices(onnx_writer *w, int64_t n, int dims)
{
    int64_t count = dims == 3 ? n * n * n : n * n;
    float *value = onnx_allocate(&w->arena, (size_t)count + 1, sizeof *value);
    for (int64_t i = 0; value && i < count; i++) {
        int64_t l = i % n, j = i / n % n, k = i / n / n;
        value[i] = l == j || (dims == 3 && l == k);
    }
    if (!value)
        return onnx_cannot_write(w, "out of memory");
    return onnx_write_truth(w, onnx_write_floats(w, dims == 3 ? ATL_SHAPE(n, n, n) : ATL_SHAPE(n, n), value));
}

/* x with 1 where the indices are equal, multiplied over the last dimension. */
static const char *product(onnx_writer *w, const char *equal, const char *x, int last)
{
    int64_t axes[] = {last};
    return ONNX_EMIT(w, "ReduceProd", ONNX_ATTRIBUTES({"axes", 1, axes}, {"keepdims", .integer = 0}),
                     ONNX_EMIT(w, "Where", NULL, equal, onnx_write_float(w, 1), x));
}

/* Element k: the product of all x but x_k; with a direction d, the sum over j of d_j times the product of all x but
 * x_j and x_k. */
static const char *product_of_others(onnx_writer *w, const atl_node *y, const char *const *in)
{
    factors f;
    int directions = atl_input_count(y) - 1;
    if (!find_factors(w, y, &f))
        return NULL;
    int64_t n = f.count, elements = directions ? n * n * n : n * n;
    if (directions > 1 || n < 1 || n > 1024 || elements > MOST_ELEMENTS || f.kept + 2 + directions > ATL_MAX_RANK)
        return onnx_cannot_write(w,
                                 "'%s' is the derivative of order %d of a product of %lld elements: it would be too "
                                 "large",
                                 atl_name_of(y), directions + 1, (long long)n);
    const char *z;
    if (!directions)
        z = product(w, equal_indices(w, n, 2), lined_up(w, in[0], &f, 1), f.kept + 1);
    else {
        int64_t axes[] = {f.kept + 1};
        /* [kept..., k, j]: 0 where j is k */
        const char *others = product(w, equal_indices(w, n, 3), lined_up(w, in[0], &f, 2), f.kept + 2);
        others = ONNX_EMIT(w, "Where", NULL, equal_indices(w, n, 2), onnx_write_float(w, 0), others);
        z = ONNX_EMIT(w, "ReduceSum", ONNX_ATTRIBUTES({"keepdims", .integer = 0}),
                      ONNX_EMIT(w, "Mul", NULL, others, lined_up(w, in[1], &f, 1)), onnx_write_ints(w, 1, axes));
    }
    return onnx_write_transpose(w, onnx_write_reshape(w, z, f.rank, f.whole), f.rank, f.back);
}

/* a * b summed over the first dimensions, down to the shape of y. */
static const char *sum_product(onnx_writer *w, const atl_node *y, const char *const *in)
{
    int64_t axes[ATL_MAX_RANK];
    int count = atl_shape_of(atl_input_of(y, 0)).rank - atl_shape_of(y).rank;
    const char *z = ONNX_EMIT(w, "Mul", NULL, in[0], in[1]);
    for (int i = 0; i < count; i++)
        axes[i] = i;
    return count > 0 ? ONNX_EMIT(w, "ReduceSum", ONNX_ATTRIBUTES({"keepdims", .integer = 0}), z,
                                 onnx_write_ints(w, count, axes))
                     : z;
}

const onnx_write_entry onnx_written_products[] = {{"product_of_others", product_of_others},
                                                  {"sum_product", sum_product},
                                                  {0}};
