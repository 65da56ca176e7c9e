/* Reports about plans: their steps as text, table and JSON, and the time of each step. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "atled/gradient.h"
#include "atled/ops.h"
#include "common/clock.h"
#include "graph/memory.h"
#include "onednn/onednn.h"
#include "compiler/plan/plan.h"
#include "program/json.h"
#include "program/threads.h"

int64_t atl_program_step_count(const atl_program *program)
{
    const atl_plan *plan = atl_program_plan(program);
    return plan ? plan->prepack_count + plan->step_count : 0;
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
                                .node = atl_name_of(step->node),
                                .implementation = step->implementation,
                                .shape = *step->node->shape,
                                .flops = step->flops,
                                .prepack = step->prepack,
                                .origin = step->node->origin};
    atl_layout_name(plan->values[step->write[0]].layout, info_out->layout, sizeof info_out->layout);
    for (int i = 0; i < step->reads; i++)
        info_out->bytes += plan->values[atl_step_reads(step)[i]].bytes;
    for (int i = 0; i < step->writes; i++)
        info_out->bytes += plan->values[step->write[i]].bytes;
    if (plan->microseconds && !step->prepack)
        info_out->microseconds = plan->microseconds[index - plan->prepack_count];
    return ATL_OK;
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
                info.op, info.implementation, atl_shape_text(info.shape, shape, sizeof shape), info.layout, info.bytes,
                info.node);
    }
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

/* time[step * runs + run] */
static atl_status time_steps(const atl_plan_context *context, int runs, double *time)
{
    const atl_plan *plan = context->plan;
    for (int run = 0; run < runs; run++)
        for (int64_t s = 0; s < plan->step_count; s++) {
            double start = atl_seconds_now();
            if (plan->steps[s].run(&plan->steps[s], context->memory, context->bound[s]))
                return atl_failed_status();
            time[s * runs + run] = 1e6 * (atl_seconds_now() - start);
        }
    return ATL_OK;
}

static atl_status time_program(atl_program *program, int runs)
{
    atl_plan *plan = atl_program_plan(program);
    double *time = atl_allocate((size_t)(plan->step_count * runs), sizeof *time);
    if (!plan->microseconds)
        plan->microseconds = atl_allocate((size_t)plan->step_count, sizeof *plan->microseconds);
    atl_threads before = atl_use_threads(atl_program_threads(program));
    atl_status status =
        time && plan->microseconds ? time_steps(atl_program_context(program), runs, time) : atl_out_of_memory();
    atl_restore_threads(before);
    for (int64_t s = 0; !status && s < plan->step_count; s++)
        plan->microseconds[s] = median(time + s * runs, runs);
    atl_release(time);
    return status;
}

atl_status atl_program_profile(atl_program *program, const atl_feed *feeds, int runs)
{
    uint64_t errors = atl_error_count();
    if (runs < 0)
        return atl_set_error(ATL_INVALID, "profile: %d runs; it must be positive, or 0 for 10", runs);
    atl_status status = atl_run(program, feeds); /* checks the feeds, and switches the context to their shapes */
    if (!status)
        status = time_program(program, runs > 0 ? runs : 10);
    return status ? atl_status_since(errors, "profile") : ATL_OK;
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
        const atl_node *node = plan->steps[s].node->origin;
        if (node->index < count)
            microseconds_out[node->index] += plan->microseconds[s];
    }
    return ATL_OK;
}

/* ---- the machine's peaks ----------------------------------------------------------------------------------------- */

/* The best time of a few runs of a program, in seconds; 0 on failure. */
static double best_time(atl_program *program, const atl_feed *feeds)
{
    double best = 0;
    for (int i = 0; i < 12; i++) {
        double start = atl_seconds_now();
        if (atl_run(program, feeds))
            return 0;
        double time = (atl_seconds_now() - start);
        if (i > 1 && (best == 0 || time < best))
            best = time;
    }
    return best;
}

static double measure(atl_node *result, const atl_feed *feeds, double work, int threads)
{
    atl_program *program = atl_compile(NULL, ATL_NODES(result), .threads = threads);
    double time = program ? best_time(program, feeds) : 0;
    atl_program_free(program);
    return time > 0 ? work / time : 0;
}

atl_machine_peak atl_measure_peak(int threads)
{
    enum { SIDE = 1024, LONG = 1 << 23 };
    atl_machine_peak peak = {0};
    atl_graph *g = atl_graph_new();
    atl_tensor *matrix = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(SIDE, SIDE)),
               *vector = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(LONG));
    if (g && matrix && vector) {
        atl_node *a = atl_input(g, "a", ATL_FLOAT32, ATL_SHAPE(SIDE, SIDE)),
                 *b = atl_input(g, "b", ATL_FLOAT32, ATL_SHAPE(SIDE, SIDE));
        atl_node *v = atl_input(g, "v", ATL_FLOAT32, ATL_SHAPE(LONG));
        peak.flops_per_second =
            measure(atl_matmul(a, b), ATL_FEEDS({a, matrix}, {b, matrix}), 2.0 * SIDE * SIDE * SIDE, threads);
        peak.bytes_per_second = measure(atl_neg(v), ATL_FEED(v, vector), 8.0 * LONG, threads);
    }
    atl_tensor_free(matrix);
    atl_tensor_free(vector);
    atl_graph_free(g);
    return peak;
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
    fprintf(file, "], \"layout\": \"%s\", \"bytes\": %" PRId64, info->layout, info->bytes);
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
            atl_shape_text(info->shape, shape, sizeof shape), info->layout, info->node);
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
        fprintf(file, "%10.1f us in %" PRId64 " steps; arena %.1f MB, prepacked %.1f MB\n", total, plan->step_count,
                (double)plan->arena_bytes / 1e6, (double)plan->prepacked_bytes / 1e6);
    if (fflush(file) == 0 && !ferror(file))
        return ATL_OK;
    return atl_set_error(errno == ENOMEM ? ATL_OUT_OF_MEMORY : ATL_BAD_FILE, "profile: it could not be written: %s",
                         errno ? strerror(errno) : "a write failed");
}
