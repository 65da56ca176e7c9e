/* Windows: sizes, strides, padding of all kinds. */
#include "onnx/window.h"

#include <string.h>

#include "common/plural.h"

enum { LARGEST = 1 << 24 };

int64_t onnx_span(const onnx_window *w, int d) { return (w->size[d] - 1) * w->dilation[d] + 1; }

int64_t onnx_places(const onnx_window *w, int d)
{
    return (w->input[d] + w->before[d] + w->after[d] + w->extra[d] - onnx_span(w, d)) / w->stride[d] + 1;
}

int onnx_read_list(onnx_op *op, const char *name, int numbers, int64_t least, int64_t otherwise, int64_t *to)
{
    int count = onnx_attr_ints(op, name, numbers, to);
    if (count < 0 || (count && count != numbers))
        return onnx_reject(op, "its attribute '%s' should have %d number%s", name, numbers, atl_plural(numbers));
    for (int i = 0; i < numbers; i++) {
        to[i] = count ? to[i] : otherwise;
        if (to[i] < least || to[i] > LARGEST)
            return onnx_reject(op, "its attribute '%s' has %lld", name, (long long)to[i]);
    }
    return 1;
}

/* SAME_UPPER and SAME_LOWER: the output size is that of the input over the stride, rounded up. */
static int pad_same(onnx_op *op, int lower, onnx_window *w)
{
    for (int d = 0; d < w->dims; d++) {
        if (w->input[d] == ATL_ANY)
            return onnx_reject(op, "its padding depends on the size of the picture, which is unknown: fix it");
        int64_t places = (w->input[d] + w->stride[d] - 1) / w->stride[d];
        int64_t total = (places - 1) * w->stride[d] + onnx_span(w, d) - w->input[d];
        total = total > 0 ? total : 0;
        w->before[d] = lower ? total - total / 2 : total / 2;
        w->after[d] = total - w->before[d];
    }
    return 1;
}

static int read_padding(onnx_op *op, onnx_window_kind kind, onnx_window *w)
{
    int64_t pads[2 * ONNX_MOST_SPATIAL];
    const char *automatic = onnx_attr_text(op, "auto_pad", "NOTSET");
    if (strcmp(automatic, "SAME_UPPER") == 0 || strcmp(automatic, "SAME_LOWER") == 0)
        return kind == ONNX_TRANSPOSED_WINDOW || pad_same(op, strcmp(automatic, "SAME_LOWER") == 0, w);
    if (strcmp(automatic, "VALID") == 0)
        return 1;
    if (strcmp(automatic, "NOTSET") != 0)
        return onnx_reject(op, "its auto_pad is '%.40s'", automatic);
    if (!onnx_read_list(op, "pads", 2 * w->dims, 0, 0, pads))
        return 0;
    memcpy(w->before, pads, (size_t)w->dims * sizeof *pads);
    memcpy(w->after, pads + w->dims, (size_t)w->dims * sizeof *pads);
    return 1;
}

/* One place more, if the last window then still begins inside of the picture or the padding before it. */
static int round_up(onnx_op *op, onnx_window *w)
{
    for (int d = 0; d < w->dims; d++) {
        if (w->input[d] == ATL_ANY)
            return onnx_reject(op, "its ceil_mode depends on the size of the picture, which is unknown: fix it");
        int64_t over = (w->input[d] + w->before[d] + w->after[d] - onnx_span(w, d)) % w->stride[d];
        if (over > 0 && onnx_places(w, d) * w->stride[d] < w->input[d] + w->before[d])
            w->extra[d] = w->stride[d] - over;
    }
    return 1;
}

int onnx_read_window(onnx_op *op, const int64_t *size, onnx_window_kind kind, onnx_window *window_out)
{
    onnx_window *w = window_out;
    atl_shape shape = onnx_shape(op, 0);
    memset(w, 0, sizeof *w);
    w->dims = shape.rank - 2;
    if (w->dims < 1 || w->dims > ONNX_MOST_SPATIAL)
        return onnx_reject(op, "its input has %d dimension%s; three to five are read", shape.rank,
                           atl_plural(shape.rank));
    memcpy(w->input, shape.size + 2, (size_t)w->dims * sizeof *w->input);
    if (size)
        memcpy(w->size, size, (size_t)w->dims * sizeof *size);
    if ((!size && !onnx_read_list(op, "kernel_shape", w->dims, 1, 0, w->size)) ||
        !onnx_read_list(op, "strides", w->dims, 1, 1, w->stride) ||
        !onnx_read_list(op, "dilations", w->dims, 1, 1, w->dilation))
        return 0;
    for (int d = 0; d < w->dims; d++)
        if (w->size[d] < 1 || w->size[d] > LARGEST || w->dilation[d] > LARGEST / w->size[d])
            return onnx_reject(op, "a window of %lld element%s, %lld apart", (long long)w->size[d],
                               atl_plural(w->size[d]), (long long)w->dilation[d]);
    if (!read_padding(op, kind, w))
        return 0;
    if (kind == ONNX_TRANSPOSED_WINDOW)
        return 1;
    for (int d = 0; d < w->dims; d++)
        if (w->input[d] != ATL_ANY && w->input[d] + w->before[d] + w->after[d] < onnx_span(w, d))
            return onnx_reject(op, "its window reaches over %lld element%s, but its input has %lld with its padding",
                               (long long)onnx_span(w, d), atl_plural(onnx_span(w, d)),
                               (long long)(w->input[d] + w->before[d] + w->after[d]));
    return kind != ONNX_ROUNDED_WINDOW || !onnx_attr_int(op, "ceil_mode", 0) || round_up(op, w);
}

int onnx_pads_fit(const onnx_window *w)
{
    for (int d = 0; d < w->dims; d++)
        if (w->before[d] >= onnx_span(w, d) || w->after[d] + w->extra[d] >= onnx_span(w, d))
            return 0;
    return 1;
}

atl_node *onnx_pad_window(atl_node *x, onnx_window *w, float value)
{
    atl_pad_args pad = {.x = x, .value = value};
    int any = 0;
    for (int d = 0; d < w->dims; d++) {
        any |= w->before[d] || w->after[d];
        pad.before[d + 1] = w->before[d];
        pad.after[d + 1] = w->after[d];
        w->input[d] += w->input[d] == ATL_ANY ? 0 : w->before[d] + w->after[d];
        w->before[d] = w->after[d] = 0;
    }
    return any ? atl_pad_with(&pad) : x;
}

atl_node *onnx_tap(atl_node *x, const onnx_window *w, const int64_t *tap)
{
    atl_slice_args cut = {.x = x};
    for (int d = 0; d < w->dims; d++) {
        cut.begin[d + 1] = tap[d] * w->dilation[d];
        cut.end[d + 1] = cut.begin[d + 1] + (onnx_places(w, d) - 1) * w->stride[d] + 1;
        cut.stride[d + 1] = w->stride[d];
    }
    return atl_slice_with(&cut);
}

int onnx_next_tap(const onnx_window *w, int64_t *tap)
{
    for (int d = w->dims - 1; d >= 0; d--) {
        if (++tap[d] < w->size[d])
            return 1;
        tap[d] = 0;
    }
    return 0;
}
