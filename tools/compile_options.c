/* The options for compiling a network. */
#include "compile_options.h"

#include <string.h>
#include <unistd.h>

/* The compiler's passes by their names for --without. */
static const struct named_pass {
    const char *name;
    unsigned pass;
} passes[] = {
    {"cse", ATL_PASS_CSE},
    {"simplify", ATL_PASS_SIMPLIFY},
    {"fold_scale", ATL_PASS_FOLD_SCALE},
    {"epilogue", ATL_PASS_EPILOGUE},
    {"fuse", ATL_PASS_FUSE},
    {"winograd", ATL_PASS_WINOGRAD},
    {"prepack", ATL_PASS_PREPACK},
    {"in_place", ATL_PASS_IN_PLACE},
    {"concat_elimination", ATL_PASS_CONCAT_ELIMINATION},
    {"compress", ATL_PASS_COMPRESS},
    {"arena", ATL_PASS_ARENA},
    {"relu_grad", ATL_PASS_RELU_GRAD},
};

enum { PASSES = sizeof passes / sizeof passes[0] };

static const char *const *pass_names(void)
{
    static const char *names[PASSES + 1];
    for (int i = 0; i < PASSES; i++)
        names[i] = passes[i].name;
    return names;
}

void list_compile_options(compile_options *set, compile_option_table rows)
{
    const compile_option_table all = {
        {"threads", 0, .whole = &set->threads, .argument = "N", .lowest = 0, .highest = 1024,
         .help = "that share the work; 0: what OMP_NUM_THREADS says, or all processors. How many there are shows in "
                 "the last bits of a result"},
        {"without", 0, .several = &set->disabled_passes, .choices = pass_names(), .argument = "PASS,...",
         .help = "leaves passes of the compiler out"},
        {"bfloat16", 0, .flag = &set->bfloat16,
         .help = "rounds the operands of convolutions and matrix products to bfloat16, if the processor has "
                 "instructions for it"},
        {"timing", 0, .flag = &set->timing,
         .help = "times the ways in which a convolution can be computed, once each, and takes the fastest; else they "
                 "are estimated"},
        {"timing-file", 0, .text = &set->times, .argument = "FILE",
         .help = "the same, where the times are kept from one run to the next, so that the choice stays the same"},
        {0}};
    memcpy(rows, all, sizeof all);
}

int begin_compiling(const char *command, const compile_options *set)
{
    if (set->bfloat16 && !atl_has_bfloat16())
        report_error(command, 0, "this processor has no instructions for bfloat16: computing in float32");
    if (!set->times || access(set->times, F_OK) != 0)
        return 0;
    atl_status status = atl_read_timing(set->times);
    return status ? report_error(command, exit_code_of(status), "--timing-file: %s", atl_error()) : 0;
}

atl_compile_args compile_args_of(const compile_options *set)
{
    atl_compile_args args = {.threads = (int)set->threads,
                             .bfloat16 = set->bfloat16,
                             .timing = set->timing || set->times};
    for (int i = 0; i < PASSES; i++)
        args.disabled_passes |= set->disabled_passes >> i & 1 ? passes[i].pass : 0;
    return args;
}

int end_compiling(const char *command, const compile_options *set)
{
    atl_status status = set->times ? atl_write_timing(set->times) : ATL_OK;
    return status ? report_error(command, exit_code_of(status), "--timing-file: %s", atl_error()) : 0;
}
