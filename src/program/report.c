/* Reports about plans: their steps as text, table and JSON, and the time of each step. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/plural.h"
#include "compiler/plan/plan.h"
#include "distributed/all_reduce.h"
#include "graph/memory.h"
#include "onednn/onednn.h"
#include "program/json.h"
#include "program/peak.h"
#include "program/threads.h"

int64_t atl_program_step_count(const atl_program *program)
{
    const atl_plan *plan = atl_program_plan(program);
    return plan ? plan->prepack_count + plan->step_count : 0;
}

int64_t atl_program_prepack_count(const atl_program *program)
{
    const atl_plan *plan = atl_program_plan(program);
    return plan ? plan->prepack_count : 0;
}

int64_t atl_program_arena_bytes(const atl_program *program)
{
    const atl_plan *plan = atl_program_plan(program);
    return plan ? plan->arena_bytes : 0;
}

int64_t atl_program_prepared_bytes(const atl_program *program)
{
    const atl_plan *plan = atl_program_plan(program);
    return plan ? plan->prepacked_bytes : 0;
}

/* True if an op computes the same as `fused`, without what is fused into that: "conv2d" of "conv2d_fused",
 * "conv2d_input_grad" of "conv2d_input_relu_grad". */
static int is_within(const char *op, const char *fused)
{
    static const char *const extra[] = {"_fused", "_relu6", "_relu"};
    for (size_t i = 0; i < sizeof extra / sizeof *extra; i++) {
        const char *at = strstr(fused, extra[i]);
        size_t before = at ? (size_t)(at - fused) : 0;
        if (at && before > 0 && strncmp(op, fused, before) == 0 && strcmp(op + before, at + strlen(extra[i])) == 0)
            return 1;
    }
    return 0;
}

/* The user's node for which a step works: of a convolution or product with bias, residual and relu the convolution
 * itself, not the relu whose place it takes.  Behind the relu it is the latest, as the pass of epilogues chooses it. */
static const atl_node *node_of(const atl_plan_step *step)
{
    enum { MOST = 32 };
    const atl_node *origin = step->node->origin, *open[MOST] = {origin};
    const char *fused = step->node->op->name;
    int count = origin && strcmp(origin->op->name, fused) != 0;
    for (int looked = 0; count > 0 && looked < MOST; looked++) {
        int latest = 0;
        for (int i = 1; i < count; i++)
            latest = open[i]->index > open[latest]->index ? i : latest;
        const atl_node *node = open[latest];
        open[latest] = open[--count];
        if (is_within(node->op->name, fused))
            return node;
        int passes = atl_is_elementwise(node->op) || node->op->flags & (ATL_OP_ALIAS | ATL_OP_BROADCAST);
        for (int i = 0; passes && i < node->input_count && count < MOST; i++)
            open[count++] = node->inputs[i];
    }
    return origin ? origin : step->node;
}

atl_status atl_program_step(const atl_program *program, int64_t index, atl_step_info *info_out)
{
    const atl_plan *plan = atl_program_plan(program);
    if (!plan || index < 0 || index >= plan->prepack_count + plan->step_count)
        return atl_set_error(ATL_INVALID, "plan: there is no step %" PRId64 " of %" PRId64, index,
                             atl_program_step_count(program));
    if (!info_out)
        return atl_null_argument("atl_program_step", "info_out is");
    const atl_plan_step *step =
        index < plan->prepack_count ? &plan->prepack[index] : &plan->steps[index - plan->prepack_count];
    *info_out = (atl_step_info){.op = step->node->op->name,
                                .node = atl_name_of(node_of(step)),
                                .implementation = step->implementation,
                                .shape = *step->node->shape,
                                .flops = step->flops,
                                .prepack = step->prepack,
                                .turns = 1,
                                .origin = step->node->origin};
    atl_layout_name(plan->values[step->write[0]].layout, info_out->layout, sizeof info_out->layout);
    for (int i = 0; i < step->reads; i++)
        info_out->bytes += plan->values[atl_step_reads(step)[i]].bytes;
    for (int i = 0; i < step->writes; i++)
        info_out->bytes += plan->values[step->write[i]].bytes;
    if (!step->prepack)
        info_out->turns = atl_turns_of(plan, index - plan->prepack_count);
    info_out->bytes *= info_out->turns;
    info_out->flops *= (double)info_out->turns;
    if (plan->microseconds && !step->prepack)
        info_out->microseconds = plan->microseconds[index - plan->prepack_count];
    return ATL_OK;
}

/* "[4, 55, 55, 64] x 8": of eight turns of the loop over the batch. */
static const char *shape_text(const atl_step_info *info, char *text, size_t size)
{
    size_t length = strlen(atl_shape_text(info->shape, text, size));
    if (info->turns > 1)
        snprintf(text + length, size - length, " x %" PRId64, info->turns);
    return text;
}

static atl_status no_plan(void)
{
    return atl_set_error(ATL_INVALID, "plan: there is none before the first run of a program with unknown sizes");
}

atl_status atl_program_write_plan(const atl_program *program, FILE *file)
{
    const atl_plan *plan = atl_program_plan(program);
    if (!plan)
        return no_plan();
    if (!file)
        return atl_null_argument("atl_program_write_plan", "the file is");
    fprintf(file, "%-5s %-4s %-18s %-28s %-22s %-14s %12s  %s\n", "step", "", "op", "implementation", "shape", "layout",
            "bytes", "node");
    for (int64_t i = 0; i < plan->prepack_count + plan->step_count; i++) {
        char shape[160];
        atl_step_info info;
        atl_program_step(program, i, &info);
        fprintf(file, "%-5" PRId64 " %-4s %-18s %-28s %-22s %-14s %12" PRId64 "  %s\n", i, info.prepack ? "once" : "",
                info.op, info.implementation, shape_text(&info, shape, sizeof shape), info.layout, info.bytes,
                info.node);
    }
    fprintf(file, "%" PRId64 " step%s in each run, %" PRId64 " only after variables have changed; ", plan->step_count,
            atl_plural(plan->step_count), plan->prepack_count);
    fprintf(file, "arena %" PRId64 " bytes, prepacked %" PRId64 " bytes\n", plan->arena_bytes, plan->prepacked_bytes);
    return ATL_OK;
}

/* ---- profiling --------------------------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, ascending);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* time[step * runs + run]; null: the steps run without being timed. */
static atl_status time_run(atl_plan_context *context, int runs, int run, double *time)
{
    const atl_plan *plan = context->plan;
    for (int64_t s = atl_first_step(context); s < plan->step_count; s = atl_step_after(context, s)) {
        double start = atl_seconds_now();
        if (plan->steps[s].run(&plan->steps[s], context->memory, context->bound[s]))
            return atl_failed_status();
        if (time)
            time[s * runs + run] += 1e6 * (atl_seconds_now() - start);
    }
    return ATL_OK;
}

/* With a meter, the peak is measured before some of the runs; each time, an untimed run fills the caches again. */
static atl_status time_steps(atl_plan_context *context, int runs, double *time, atl_peak_meter *meter)
{
    int every = (runs + ATL_PEAK_SAMPLES - 1) / ATL_PEAK_SAMPLES;
    for (int run = 0; run < runs; run++) {
        if (meter && run % every == 0) {
            atl_status status = atl_peak_sample(meter);
            if (!status)
                status = time_run(context, runs, run, NULL);
            if (status)
                return status;
        }
        atl_status status = time_run(context, runs, run, time);
        if (status)
            return status;
    }
    return ATL_OK;
}

static atl_status time_program(atl_program *program, int runs, atl_peak_meter *meter)
{
    atl_plan *plan = atl_program_plan(program);
    double *time = atl_allocate((size_t)(plan->step_count * runs), sizeof *time);
    if (!plan->microseconds)
        plan->microseconds = atl_allocate((size_t)plan->step_count, sizeof *plan->microseconds);
    atl_threads before = atl_use_threads(atl_program_threads(program));
    atl_status status =
        time && plan->microseconds ? time_steps(atl_program_context(program), runs, time, meter) : atl_out_of_memory();
    atl_restore_threads(before);
    for (int64_t s = 0; !status && s < plan->step_count; s++)
        plan->microseconds[s] = median(time + s * runs, runs);
    atl_release(time);
    return status;
}

static atl_status profile(atl_program *program, const atl_feed *feeds, int runs, atl_peak_meter *meter)
{
    uint64_t errors = atl_error_count();
    if (runs < 0)
        return atl_set_error(ATL_INVALID, "profile: %d runs; it must be positive, or 0 for 10", runs);
    atl_begin_repeated_parts();
    atl_status status = atl_run(program, feeds); /* checks the feeds, and switches the context to their shapes */
    if (!status)
        status = time_program(program, runs > 0 ? runs : 10, meter);
    atl_status ended = atl_end_repeated_parts();
    if (!status)
        status = ended;
    return status ? atl_status_since(errors, "profile") : ATL_OK;
}

atl_status atl_program_profile(atl_program *program, const atl_feed *feeds, int runs)
{
    return profile(program, feeds, runs, NULL);
}

atl_status atl_program_profile_with_peak(atl_program *program, const atl_feed *feeds, int runs,
                                         atl_machine_peak *peak_out)
{
    if (!program || !peak_out)
        return atl_null_argument("atl_program_profile_with_peak", !program ? "the program is" : "peak_out is");
    atl_peak_meter *meter = atl_peak_meter_new(atl_program_threads(program));
    atl_status status = meter ? profile(program, feeds, runs, meter) : atl_error_status();
    *peak_out = status ? (atl_machine_peak){0} : atl_best_peak(meter);
    atl_peak_meter_free(meter);
    return status;
}

static atl_status not_timed(void)
{
    return atl_set_error(ATL_INVALID, "profile: nothing has been timed; call atl_program_profile first");
}

atl_status atl_program_node_times(const atl_program *program, int64_t count, double *microseconds_out)
{
    const atl_plan *plan = atl_program_plan(program);
    if (!plan || !plan->microseconds)
        return not_timed();
    if (count > 0 && !microseconds_out)
        return atl_null_argument("atl_program_node_times", "microseconds_out is");
    for (int64_t i = 0; i < count; i++)
        microseconds_out[i] = 0;
    for (int64_t s = 0; s < plan->step_count; s++) {
        const atl_node *node = node_of(&plan->steps[s]);
        if (node->index < count)
            microseconds_out[node->index] += plan->microseconds[s];
    }
    return ATL_OK;
}

/* ---- the profile as text ----------------------------------------------------------------------------------------- */

/* Per cent of the machine's peak: of its arithmetic or of its memory bandwidth, whichever is larger. */
static double percent_of_peak(const atl_step_info *info, const atl_machine_peak *peak)
{
    double seconds = info->microseconds * 1e-6, arithmetic = 0, memory = 0;
    if (!peak || seconds <= 0)
        return 0;
    if (peak->flops_per_second > 0)
        arithmetic = info->flops / seconds / peak->flops_per_second;
    if (peak->bytes_per_second > 0)
        memory = (double)info->bytes / seconds / peak->bytes_per_second;
    return 100 * (arithmetic > memory ? arithmetic : memory);
}

static void write_json_field(FILE *file, const char *name, double number, int decimals)
{
    fprintf(file, ", \"%s\": ", name);
    atl_write_json_number(file, number, decimals);
}

static void write_json_step(FILE *file, const atl_step_info *info, double share, double percent)
{
    fprintf(file, "    {\"node\": ");
    atl_write_json_text(file, info->node);
    fprintf(file, ", \"op\": ");
    atl_write_json_text(file, info->op);
    fprintf(file, ", \"implementation\": ");
    atl_write_json_text(file, info->implementation);
    fprintf(file, ", \"shape\": [");
    for (int i = 0; i < info->shape.rank; i++)
        fprintf(file, "%s%" PRId64, i ? ", " : "", info->shape.size[i]);
    fprintf(file, "], \"turns\": %" PRId64 ", \"layout\": \"%s\", \"bytes\": %" PRId64, info->turns, info->layout,
            info->bytes);
    write_json_field(file, "flops", info->flops, 0);
    write_json_field(file, "microseconds", info->microseconds, 3);
    write_json_field(file, "share", share, 5);
    write_json_field(file, "percent_of_peak", percent, 2);
    fputc('}', file);
}

static void write_json_head(FILE *file, const atl_program *program, double total, const atl_machine_peak *peak)
{
    const atl_plan *plan = atl_program_plan(program);
    fprintf(file, "{\n  \"threads\": %d, \"bfloat16\": %s, \"arena_bytes\": %" PRId64 ", \"prepared_bytes\": %" PRId64,
            atl_program_threads(program), atl_program_uses_bfloat16(program) ? "true" : "false", plan->arena_bytes,
            plan->prepacked_bytes);
    write_json_field(file, "microseconds", total, 3);
    write_json_field(file, "peak_flops_per_second", peak ? peak->flops_per_second : 0, 0);
    write_json_field(file, "peak_bytes_per_second", peak ? peak->bytes_per_second : 0, 0);
    fprintf(file, ",\n  \"steps\": [\n");
}

static void write_table_step(FILE *file, const atl_step_info *info, double share, double percent)
{
    char shape[160];
    fprintf(file, "%10.1f %5.1f%% %6.1f%% %9.2f %9.2f  %-20s %-28s %-18s %-12s %s\n", info->microseconds, 100 * share,
            percent, info->flops / 1e6, (double)info->bytes / 1e6, info->op, info->implementation,
            shape_text(info, shape, sizeof shape), info->layout, info->node);
}

atl_status atl_program_write_profile(const atl_program *program, FILE *file, atl_profile_format format,
                                     const atl_machine_peak *peak)
{
    const atl_plan *plan = atl_program_plan(program);
    if (!plan)
        return no_plan();
    if (!plan->microseconds)
        return not_timed();
    if (!file)
        return atl_null_argument("atl_program_write_profile", "the file is");
    int json = format == ATL_PROFILE_JSON;
    double total = 0;
    errno = 0; /* of a write that fails below */
    for (int64_t s = 0; s < plan->step_count; s++)
        total += plan->microseconds[s];
    if (json)
        write_json_head(file, program, total, peak);
    else
        fprintf(file, "%10s %6s %7s %9s %9s  %-20s %-28s %-18s %-12s %s\n", "us", "share", "of peak", "Mflop", "MB",
                "op", "implementation", "shape", "layout", "node");
    for (int64_t s = 0; s < plan->step_count; s++) {
        atl_step_info info;
        atl_program_step(program, plan->prepack_count + s, &info);
        double share = total > 0 ? info.microseconds / total : 0, percent = percent_of_peak(&info, peak);
        (json ? write_json_step : write_table_step)(file, &info, share, percent);
        if (json)
            fprintf(file, "%s\n", s + 1 < plan->step_count ? "," : "");
    }
    if (json)
        fprintf(file, "  ]\n}\n");
    else
        fprintf(file,
                "%10.1f us in %" PRId64 " step%s; %" PRId64
                " more run only after variables have changed; arena %.1f MB, "
                "prepacked %.1f MB\n",
                total, plan->step_count, atl_plural(plan->step_count), plan->prepack_count,
                (double)plan->arena_bytes / 1e6, (double)plan->prepacked_bytes / 1e6);
    if (fflush(file) == 0 && !ferror(file))
        return ATL_OK;
    return atl_set_error(errno == ENOMEM ? ATL_OUT_OF_MEMORY : ATL_BAD_FILE, "profile: it could not be written: %s",
                         errno ? strerror(errno) : "a write failed");
}
