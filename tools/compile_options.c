/* The options for compiling a network. */
#include "compile_options.h"

#include <string.h>
#include <unistd.h>

enum { MOST_PASSES = 32 }; /* a bit each */

/* The names of the compiler's passes for --without. */
static const char *const *pass_names(void)
{
    static const char *names[MOST_PASSES + 1];
    int64_t count;
    const atl_named_pass *passes = atl_pass_table(&count);
    for (int i = 0; i < count; i++)
        names[i] = passes[i].name;
    return names;
}

void list_compile_options(compile_options *set, compile_option_table rows)
{
    const compile_option_table all = {
        {"threads", 0, .whole = &set->threads, .argument = "N", .lowest = 0, .highest = 1024,
         .help = "threads that share the work; 0: OMP_NUM_THREADS, or all processors. The number affects the last bits "
                 "of a result"},
        {"without", 0, .several = &set->disabled_passes, .choices = pass_names(), .argument = "PASS,...",
         .help = "disables passes of the compiler"},
        {"bfloat16", 0, .flag = &set->bfloat16,
         .help = "rounds the operands of convolutions and matrix products to bfloat16, if the processor has "
                 "instructions for it"},
        {"timing", 0, .flag = &set->timing,
         .help =
             "times the algorithms for each convolution once, and uses the fastest; otherwise the times are estimated"},
        {"timing-file", 0, .text = &set->times, .argument = "FILE",
         .help = "the same, and keeps the times in this file, so that later runs make the same choice"},
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
    int64_t count;
    const atl_named_pass *passes = atl_pass_table(&count);
    for (int i = 0; i < count; i++)
        args.disabled_passes |= set->disabled_passes >> i & 1 ? passes[i].flag : 0;
    return args;
}

int end_compiling(const char *command, const compile_options *set)
{
    atl_status status = set->times ? atl_write_timing(set->times) : ATL_OK;
    return status ? report_error(command, exit_code_of(status), "--timing-file: %s", atl_error()) : 0;
}
