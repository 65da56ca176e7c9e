/* Samples of a pooling op of either kind: POOL_SAMPLES(prefix, builder) defines prefix_samples. */
#ifndef ATLED_OPS_POOL_SAMPLES_H
#define ATLED_OPS_POOL_SAMPLES_H

#define POOL_SAMPLES(prefix, pool)                                                                                     \
    static atl_node *prefix##_2x2(atl_node *x) { return pool(x, .window = {2, 2}); }                                   \
    static atl_node *prefix##_3x3_same(atl_node *x) { return pool(x, .window = {3, 3}, .stride = {2, 2}); }            \
    static atl_node *prefix##_3x2_valid(atl_node *x)                                                                   \
    {                                                                                                                  \
        return pool(x, .window = {3, 2}, .stride = {2, 1}, .padding = ATL_VALID);                                      \
    }                                                                                                                  \
    static atl_node *prefix##_explicit(atl_node *x)                                                                    \
    {                                                                                                                  \
        return pool(x, .window = {3, 3}, .stride = {2, 3}, .padding = ATL_EXPLICIT, .pad = {2, 0, 1, 2});              \
    }                                                                                                                  \
    static atl_node *prefix##_global(atl_node *x) { return pool(x); }                                                  \
    static atl_node *prefix##_nchw(atl_node *x)                                                                        \
    {                                                                                                                  \
        return pool(x, .window = {3, 3}, .stride = {2, 2}, .layout = ATL_NCHW);                                        \
    }                                                                                                                  \
    static atl_node *prefix##_gaps(atl_node *x) { return pool(x, .window = {1, 2}, .stride = {3, 3}); }                \
    static atl_node *prefix##_no_height(atl_node *x) { return pool(x, .window = {0, 3}); }                             \
    static atl_node *prefix##_negative(atl_node *x) { return pool(x, .window = {3, -3}); }                             \
    static atl_node *prefix##_stride(atl_node *x) { return pool(x, .window = {2, 2}, .stride = {-1, 1}); }             \
    static atl_node *prefix##_wide_pad(atl_node *x)                                                                    \
    {                                                                                                                  \
        return pool(x, .window = {2, 2}, .padding = ATL_EXPLICIT, .pad = {2, 0, 0, 0});                                \
    }                                                                                                                  \
    static atl_node *prefix##_large(atl_node *x) { return pool(x, .window = {9, 9}, .padding = ATL_VALID); }           \
    static const atl_sample prefix##_samples[] = {                                                                     \
        {"2x2", .unary = prefix##_2x2, .input = {{4, {2, 4, 6, 3}, -8, 8}}, .inputs = 1},                              \
        {"2x2, odd sizes", .unary = prefix##_2x2, .input = {{4, {1, 5, 7, 2}, -8, 8}}, .inputs = 1},                   \
        {"3x3, stride 2, same", .unary = prefix##_3x3_same, .input = {{4, {2, 6, 7, 3}, -8, 8}}, .inputs = 1},         \
        {"3x3, stride 2, 17 channels", .unary = prefix##_3x3_same, .input = {{4, {1, 5, 4, 17}, -8, 8}}, .inputs = 1}, \
        {"3x2, valid", .unary = prefix##_3x2_valid, .input = {{4, {2, 7, 4, 2}, -8, 8}}, .inputs = 1},                 \
        {"explicit padding", .unary = prefix##_explicit, .input = {{4, {2, 5, 6, 2}, -8, 8}}, .inputs = 1},            \
        {"negative values beside padding", .unary = prefix##_3x3_same, .input = {{4, {1, 3, 4, 1}, -9, -1}},           \
         .inputs = 1},                                                                                                 \
        {"global", .unary = prefix##_global, .input = {{4, {2, 3, 4, 5}, -8, 8}}, .inputs = 1},                        \
        {"NCHW", .unary = prefix##_nchw, .input = {{4, {2, 3, 5, 6}, -8, 8}}, .inputs = 1},                            \
        {"stride over gaps", .unary = prefix##_gaps, .input = {{4, {1, 7, 8, 2}, -8, 8}}, .inputs = 1},                \
        {"window {0, 3}", .unary = prefix##_no_height, .input = {{4, {1, 5, 5, 1}}}, .inputs = 1, .error = "{0, 3}"},  \
        {"window {3, -3}", .unary = prefix##_negative, .input = {{4, {1, 5, 5, 1}}}, .inputs = 1, .error = "{3, -3}"}, \
        {"stride {-1, 1}", .unary = prefix##_stride, .input = {{4, {1, 5, 5, 1}}}, .inputs = 1,                        \
         .error = "stride {-1, 1}"},                                                                                   \
        {"padding as wide as the window", .unary = prefix##_wide_pad, .input = {{4, {1, 5, 5, 1}}}, .inputs = 1,       \
         .error = "must be smaller"},                                                                                  \
        {"window larger than the image", .unary = prefix##_large, .input = {{4, {1, 5, 5, 1}}}, .inputs = 1,           \
         .error = "9"},                                                                                                \
        {"three dimensions", .unary = prefix##_2x2, .input = {{3, {5, 5, 1}}}, .inputs = 1,                            \
         .error = "four dimensions"},                                                                                  \
        {"NCHW of three dimensions", .unary = prefix##_nchw, .input = {{3, {5, 5, 1}}}, .inputs = 1,                   \
         .error = "four dimensions"},                                                                                  \
        {"int32", .unary = prefix##_2x2, .input = {{4, {1, 4, 4, 1}, 0, 9, 1}}, .inputs = 1,                           \
         .error = "must be float32"},                                                                                  \
        {0}}

#endif
