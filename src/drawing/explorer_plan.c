/* A program's plan in the explorer's page: its steps, and where its values lie in memory. */
#include "drawing/explorer_plan.h"

#include "atled/program.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "program/json.h"

static long long number_of(const explorer_page *p, const atl_node *node)
{
    return node && node->graph == p->d.graph ? (long long)p->number[node->index] : -1LL;
}

static atl_status write_steps(const explorer_page *p, const atl_program *program)
{
    FILE *file = p->file;
    fputs("\"steps\":[", file);
    for (int64_t i = 0; i < atl_program_step_count(program); i++) {
        atl_step_info step;
        if (atl_program_step(program, i, &step))
            return atl_error_status();
        fprintf(file, "%s[%lld,", i ? ",\n" : "", number_of(p, step.origin));
        atl_write_json_text(file, step.op);
        fputc(',', file);
        atl_write_json_text(file, step.implementation);
        fputc(',', file);
        atl_write_json_text(file, step.layout);
        fprintf(file, ",%lld,%.0f,", (long long)step.bytes, step.flops);
        atl_write_json_number(file, step.microseconds, 1);
        fprintf(file, ",%d]", step.prepack);
    }
    fputs("],\n", file);
    return ATL_OK;
}

static atl_status write_memory(const explorer_page *p, const atl_program *program)
{
    int64_t count = atl_program_values(program, 0, NULL);
    atl_value_info *values = atl_allocate((size_t)count + 1, sizeof *values);
    if (!values)
        return atl_out_of_memory();
    count = atl_program_values(program, count, values);
    fputs("\"values\":[", p->file);
    for (int64_t i = 0; i < count; i++)
        fprintf(p->file, "%s[%lld,%lld,%lld,%lld,%lld]", i ? ",\n" : "", number_of(p, values[i].node),
                (long long)values[i].bytes, (long long)values[i].offset, (long long)values[i].first_step,
                (long long)values[i].last_step);
    fputs("]", p->file);
    atl_release(values);
    return ATL_OK;
}

/* "plan":{...} of one program; null if there is none. */
static atl_status write_plan(const explorer_page *p, const char *name, const char *title, const atl_program *program)
{
    fprintf(p->file, "\"%s\":", name);
    if (!program) {
        fputs("null,\n", p->file);
        return ATL_OK;
    }
    fputs("{\"title\":", p->file);
    atl_write_json_text(p->file, title ? title : "");
    fprintf(p->file, ",\"threads\":%d,\"arena\":%lld,\"prepacked\":%lld,\n", atl_program_threads(program),
            (long long)atl_program_arena_bytes(program), (long long)atl_program_prepared_bytes(program));
    atl_status status = write_steps(p, program);
    if (!status)
        status = write_memory(p, program);
    fputs("},\n", p->file);
    return status;
}

atl_status explorer_write_plans(const explorer_page *p)
{
    const atl_dot_args *args = p->d.args;
    atl_status status = write_plan(p, "plan", args->program_title, args->program);
    return status ? status : write_plan(p, "otherPlan", args->other_title, args->other_program);
}
