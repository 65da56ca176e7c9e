/* The arithmetic of sliding windows. */
#include "common/numbers.h"
#include "ops/window.h"

static const char *const side_name[2][2] = {{"top", "bottom"}, {"left", "right"}};
static const char *const direction_name[2] = {"vertical", "horizontal"};
static const char *const length_name[2] = {"height", "width"};

void atl_window_options(window_options *options, const int *stride, const int *stride_default, const int *dilation,
                        atl_padding padding, const int *pad)
{
    int strided = stride[0] != 0 || stride[1] != 0, dilated = dilation && (dilation[0] != 0 || dilation[1] != 0);
    memset(options, 0, sizeof *options);
    for (int i = 0; i < 2; i++) {
        options->stride[i] = strided ? stride[i] : stride_default ? stride_default[i] : 1;
        options->dilation[i] = dilated ? dilation[i] : 1;
    }
    options->padding = (int32_t)padding;
    memcpy(options->pad, pad, sizeof options->pad);
}

int atl_check_window_options(atl_node *y, const window_options *options)
{
    const int32_t *stride = options->stride, *dilation = options->dilation, *pad = options->pad;
    if (stride[0] < 1 || stride[1] < 1)
        return atl_fail(
            y, "the stride {%d, %d} must be 1 or more, vertically and horizontally; leave both out for the default",
            stride[0], stride[1]);
    if (dilation[0] < 1 || dilation[1] < 1)
        return atl_fail(y, "the dilation {%d, %d} must be 1 or more, vertically and horizontally; 1 is a dense window",
                        dilation[0], dilation[1]);
    if (options->padding != ATL_SAME && options->padding != ATL_VALID && options->padding != ATL_EXPLICIT)
        return atl_fail(
            y, "padding %d is none of ATL_SAME, ATL_VALID, ATL_EXPLICIT; pixels on each side are given by ATL_PAD(%d)",
            options->padding, options->padding > 0 ? options->padding : 1);
    for (int i = 0; i < 4; i++) {
        if (pad[i] && options->padding != ATL_EXPLICIT)
            return atl_fail(y, "pad {%d, %d, %d, %d} counts only with .padding = ATL_EXPLICIT, as in ATL_PAD(1)",
                            pad[0], pad[1], pad[2], pad[3]);
        if (pad[i] < 0)
            return atl_fail(y, "the padding at the %s is %d; it cannot be negative (use atl_slice to cut an image)",
                            side_name[i / 2][i % 2], pad[i]);
    }
    return 1;
}

/* ceil(a / b) without overflow; a >= 0, b > 0. */

/* The padding on both sides that TensorFlow calls SAME: output = ceil(input / stride), the odd pixel after. */
static void pad_same(atl_window *w, int64_t span)
{
    w->output = atl_divide_up(w->input, w->stride);
    int64_t total = (w->output - 1) * w->stride + span - w->input;
    if (total < 0)
        total = 0;
    w->pad_before = total / 2;
    w->pad_after = total - total / 2;
}

static void pad_given(atl_window *w, int64_t span, int64_t before, int64_t after)
{
    w->pad_before = before;
    w->output = (w->input + before + after - span) / w->stride + 1;
    w->pad_after = (w->output - 1) * w->stride + span - w->input - before;
}

/* Pixels from the first filter element to the last one; 0 if that is unreasonably large. */
static int64_t span_of(int64_t size, int64_t dilation)
{
    int64_t span;
    if (__builtin_mul_overflow(size - 1, dilation, &span) || span >= INT32_MAX)
        return 0;
    return span + 1;
}

static int check_fit(atl_node *y, const window_options *options, int direction, int64_t input, int64_t size,
                     int64_t span)
{
    const int32_t *pad = options->pad + 2 * direction;
    long long in = (long long)input, taps = (long long)size, reach = (long long)span;
    if (span == 0)
        return atl_fail(y, "a window %s of %lld with dilation %d reaches over more than 2^31 pixels",
                        length_name[direction], taps, options->dilation[direction]);
    if (input > INT32_MAX)
        return atl_fail(y, "an image %s of %lld is more than 2^31 - 1", length_name[direction], in);
    for (int i = 0; i < 2; i++)
        if (pad[i] >= span)
            return atl_fail(y, "the padding at the %s, %d, must be smaller than the window's %s, %lld",
                            side_name[direction][i], pad[i], length_name[direction], reach);
    if (input == 0)
        return atl_fail(y, "the image has a %s of 0: there is nothing to look at", length_name[direction]);
    if (options->padding != ATL_SAME && input + pad[0] + pad[1] < span)
        return atl_fail(
            y,
            "the window's %s, %lld%s, is larger than the image's, %lld%s: use a smaller window, a larger image, or "
            ".padding = ATL_SAME",
            length_name[direction], reach, options->dilation[direction] > 1 ? " with its dilation" : "",
            in + pad[0] + pad[1], pad[0] + pad[1] > 0 ? " with its padding" : "");
    return 1;
}

int atl_slide_window(atl_node *y, const window_options *options, int direction, int64_t input, int64_t size,
                     int64_t *output, atl_window *result)
{
    *output = ATL_ANY;
    if (size != ATL_ANY && size < 1)
        return atl_fail(y, "the %s size of the window is %lld; it must be 1 or more", direction_name[direction],
                        (long long)size);
    if (input == ATL_ANY || size == ATL_ANY)
        return 1;
    if (!check_fit(y, options, direction, input, size, span_of(size, options->dilation[direction])))
        return 0;
    atl_window w = atl_window_of(options, direction, input, size);
    *output = w.output;
    if (result)
        *result = w;
    return 1;
}

atl_window atl_window_of(const window_options *options, int direction, int64_t input, int64_t size)
{
    const int32_t *pad = options->pad + 2 * direction;
    atl_window w = {.input = input,
                    .size = size,
                    .stride = options->stride[direction],
                    .dilation = options->dilation[direction]};
    int64_t span = (size - 1) * w.dilation + 1;
    if (options->padding == ATL_SAME)
        pad_same(&w, span);
    else
        pad_given(&w, span, pad[0], pad[1]);
    return w;
}

static size_t describe_pair(char *text, size_t size, const char *what, const int32_t *pair)
{
    if (pair[0] == 1 && pair[1] == 1)
        return 0;
    if (pair[0] == pair[1])
        return (size_t)snprintf(text, size, ", %s %d", what, pair[0]);
    return (size_t)snprintf(text, size, ", %s %dx%d", what, pair[0], pair[1]);
}

size_t atl_describe_window(const window_options *options, int64_t height, int64_t width, char *text, size_t size)
{
    size_t at = (size_t)snprintf(text, size, "%lldx%lld", (long long)height, (long long)width);
    if (at < size)
        at += describe_pair(text + at, size - at, "stride", options->stride);
    if (at < size)
        at += describe_pair(text + at, size - at, "dilation", options->dilation);
    if (at < size && options->padding == ATL_VALID)
        at += (size_t)snprintf(text + at, size - at, ", valid");
    if (at < size && options->padding == ATL_EXPLICIT)
        at += (size_t)snprintf(text + at, size - at, ", pad %d %d %d %d", options->pad[0], options->pad[1],
                               options->pad[2], options->pad[3]);
    return at < size ? at : size;
}
