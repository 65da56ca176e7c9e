/* atled explain --curves and --sanity: what a map is worth. */
#include <stdio.h>
#include <string.h>

#include "explain_session.h"
#include "text.h"

/* Deletion in the first row, insertion in the second. */
static atl_status write_curves_of(explain_session *s, const atl_explain_curves *curves)
{
    char what[96], path[4096];
    int64_t count = atl_tensor_count(curves->deletion);
    atl_tensor *both = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(2, count));
    if (!both)
        return atl_error_status();
    memcpy(atl_floats(both), atl_floats(curves->deletion), (size_t)count * sizeof(float));
    memcpy(atl_floats(both) + count, atl_floats(curves->insertion), (size_t)count * sizeof(float));
    snprintf(what, sizeof what, "%s-curves.npy", atl_explain_method_name(s->method));
    output_path(s, s->stem, what, path, sizeof path);
    note_file(s, path);
    atl_status status = atl_write_npy(path, both);
    atl_tensor_free(both);
    return status;
}

int judge_map(explain_session *s, const atl_tensor *pixels, const atl_tensor *map)
{
    atl_explain_curves curves;
    if (atl_explain_judge(s->explainer, map, pixels, s->target, s->baseline, .result_out = &curves))
        return report_failure("explain");
    snprintf(s->areas[s->method], sizeof s->areas[s->method], "area below insertion %.4f, below deletion %.4f",
             curves.insertion_area, curves.deletion_area);
    fprintf(s->out, "    %s\n", s->areas[s->method]);
    flush_output();
    atl_status status = write_curves_of(s, &curves);
    atl_explain_curves_free(&curves);
    return status ? report_failure("explain") : 0;
}

int check_sanity(explain_session *s, const atl_explain_args *how)
{
    atl_explain_sanity_result sanity;
    atl_status status = atl_explain_sanity(how, &sanity);
    end_progress(&s->progress);
    if (status == ATL_STOPPED)
        return 0;
    if (status)
        return report_failure("explain");
    fprintf(s->out, "    correlation of ranks with the map of shuffled weights, from the top:\n");
    for (int i = 0; i < sanity.count; i++) {
        char name[128];
        fprintf(s->out, "      %-32s %7.4f\n", clean_text(sanity.layer[i].name, name, sizeof name),
                sanity.layer[i].correlation);
    }
    flush_output();
    atl_explain_sanity_free(&sanity);
    atl_explanation_free(how->result_out);
    return 0;
}
