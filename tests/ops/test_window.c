/* Sliding windows: sizes and padding compared with counting, and invalid ones. */
#include "ops/window.h"

#include "support.h"

static window_options options_of(atl_padding padding, int stride, int dilation, int before, int after)
{
    window_options options;
    atl_window_options(&options, (int[]){stride, stride}, NULL, (int[]){dilation, dilation}, padding,
                       (int[]){before, after, before, after});
    return options;
}

/* Outputs whose window lies within the padded image, one by one. */
static int64_t count_outputs(int64_t input, int64_t span, int64_t stride, int64_t before, int64_t after)
{
    int64_t count = 0;
    while (count * stride + span <= input + before + after)
        count++;
    return count;
}

Test(window, same_is_as_in_tensorflow)
{
    for (int input = 1; input < 12; input++)
        for (int size = 1; size < 6; size++)
            for (int stride = 1; stride < 5; stride++)
                for (int dilation = 1; dilation < 3; dilation++) {
                    window_options options = options_of(ATL_SAME, stride, dilation, 0, 0);
                    atl_window w = atl_window_of(&options, 0, input, size);
                    int64_t span = (size - 1) * dilation + 1, pad = w.pad_before + w.pad_after;
                    cr_assert_eq(w.output, (input + stride - 1) / stride);
                    cr_assert_geq(w.pad_before, 0);
                    cr_assert(w.pad_after == w.pad_before || w.pad_after == w.pad_before + 1);
                    cr_assert_eq(count_outputs(input, span, stride, w.pad_before, w.pad_after), w.output);
                    cr_assert(pad == 0 || (w.output - 1) * stride + span == input + pad, "more padding than needed");
                }
}

Test(window, valid_and_explicit_count_what_fits)
{
    for (int input = 1; input < 12; input++)
        for (int size = 1; size < 5; size++)
            for (int stride = 1; stride < 4; stride++)
                for (int before = 0; before < size; before++) {
                    int after = (before + 1) % size;
                    if (input + before + after < size)
                        continue;
                    window_options options = options_of(ATL_EXPLICIT, stride, 1, before, after);
                    atl_window w = atl_window_of(&options, 1, input, size);
                    cr_assert_eq(w.output, count_outputs(input, size, stride, before, after));
                    cr_assert_eq(w.pad_before, before);
                    cr_assert_eq((w.output - 1) * stride + size, input + before + w.pad_after);
                    cr_assert_gt(w.pad_after, -stride);
                    cr_assert_leq(w.pad_after, after);
                }
}

Test(window, describes_what_is_not_the_default)
{
    char text[100];
    window_options options = options_of(ATL_SAME, 1, 1, 0, 0);
    atl_describe_window(&options, 3, 5, text, sizeof text);
    cr_assert_str_eq(text, "3x5");
    options = options_of(ATL_EXPLICIT, 2, 3, 1, 0);
    options.stride[1] = 4;
    atl_describe_window(&options, 3, 3, text, sizeof text);
    cr_assert_str_eq(text, "3x3, stride 2x4, dilation 3, pad 1 0 1 0");
    cr_assert_eq(atl_describe_window(&options, 3, 3, text, 10), 10, "a short text is cut");
}
