/* atled explain in shards: a record holds what was told of a picture, and the names of its files. */
#include <stdlib.h>
#include <string.h>

#include "certificate.h"
#include "digest.h"
#include "explain_session.h"
#include "network_file.h"
#include "photograph.h"

/* ---- what determines the results --------------------------------------------------------------------------------- */

/* One digest for all pictures. */
static int add_pictures_fact(const explain_session *s, json_t *facts)
{
    size_t count = (size_t)s->set.picture_count;
    char digest[DIGEST_TEXT], *all = calloc(count + 1, DIGEST_TEXT);
    if (!all)
        return report_no_memory("explain");
    for (size_t i = 0; i < count; i++)
        if (digest_of_file(s->set.pictures[i], all + i * DIGEST_TEXT))
            all[i * DIGEST_TEXT] = 0; /* reading it will fail, with a message */
    digest_of_bytes(all, count * DIGEST_TEXT, digest);
    json_object_set_new(facts, "pictures_sha256", json_string(digest));
    free(all);
    return 0;
}

int begin_explain_work(explain_session *s)
{
    const explain_options *set = &s->set;
    json_t *facts = NULL;
    int code = 0;
    if (needs_facts(&set->shard)) {
        facts = json_pack("{s:s}", "model", set->model);
        add_file_fact(facts, "weights_sha256", set->weights);
        add_file_fact(facts, "model_sha256", is_network_file(set->model) ? set->model : NULL);
        add_file_fact(facts, "labels_sha256", set->labels);
        add_file_fact(facts, "baseline_sha256", set->baseline);
        code = facts ? add_pictures_fact(s, facts) : report_no_memory("explain");
    }
    if (!code)
        return begin_work(&s->work, "explain", &set->shard, set->picture_count + (set->dream != NULL), facts,
                          set->output);
    json_decref(facts);
    return code;
}

/* ---- a task that is done here ------------------------------------------------------------------------------------ */

static char *told; /* the text of the current task */
static size_t told_size;

void note_file(explain_session *s, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (s->files)
        json_array_append_new(s->files, json_string(slash ? slash + 1 : path));
}

int begin_task(explain_session *s)
{
    if (!keeps_records(&s->work))
        return 0;
    s->files = json_array();
    s->out = open_memstream(&told, &told_size);
    if (s->files && s->out)
        return 0;
    s->out = s->out ? s->out : stdout;
    return report_no_memory("explain");
}

static json_t *record_of_task(const explain_session *s)
{
    json_t *areas = json_array();
    for (int m = 0; m < ATL_EXPLAIN_METHODS; m++)
        json_array_append_new(areas, json_string(s->areas[m]));
    return json_pack("{s:I, s:i, s:s, s:s, s:O, s:o, s:b}", "task", (json_int_t)0, "target", s->target, "output",
                     s->set.output, "told", told, "files", s->files, "areas", areas, "unread", s->is_unread);
}

int end_task(explain_session *s, int64_t task, int code, int is_complete)
{
    if (!keeps_records(&s->work))
        return code;
    if (s->out != stdout && fclose(s->out) && !code)
        code = report_no_memory("explain");
    s->out = stdout;
    if (!code && is_complete) {
        if (!recalls_results(&s->work))
            fputs(told, stdout);
        flush_output();
        code = keep_record(&s->work, task, record_of_task(s));
    }
    free(told);
    told = NULL;
    json_decref(s->files);
    s->files = NULL;
    return code;
}

/* ---- a task that was done elsewhere ------------------------------------------------------------------------------ */

/* With this command's output folder in place of the shard's. */
static void print_told(const explain_session *s, const json_t *record)
{
    const char *text = text_at(record, "told"), *output = text_at(record, "output");
    size_t length = output ? strlen(output) : 0;
    char before = '\n';
    for (; text && *text; before = *text++)
        if (length && (before == ' ' || before == '\n') && strncmp(text, output, length) == 0 && text[length] == '/') {
            fputs(s->set.output, stdout);
            text += length - 1;
        } else
            fputc(*text, stdout);
    flush_output();
}

/* The pictures of the methods, as the shard has written them. */
static int read_tiles(explain_session *s)
{
    char what[64], path[4096];
    for (int m = 0; m < ATL_EXPLAIN_METHODS; m++) {
        const char *name = atl_explain_method_name((atl_explain_method)m);
        int is_there = 0;
        snprintf(what, sizeof what, "%s.png", name);
        output_path(s, s->stem, what, path, sizeof path);
        json_t *wanted = json_string(strrchr(path, '/') + 1);
        for (size_t i = 0; i < json_array_size(s->files); i++)
            is_there |= json_equal(json_array_get(s->files, i), wanted);
        json_decref(wanted);
        if (!is_there)
            continue;
        sheet_tile *tile = &s->tiles[s->tile_count++];
        *tile = (sheet_tile){.picture = atl_read_image(path)};
        snprintf(tile->name, sizeof tile->name, "%s", name);
        if (!tile->picture)
            return report_failure("explain");
    }
    return 0;
}

static int report_picture(explain_session *s)
{
    atl_tensor *probabilities = NULL, *pixels = read_photograph(&s->network, s->path, s->set.exact);
    int code = !pixels || atl_explainer_scores(s->explainer, pixels, NULL, &probabilities) ? report_failure("explain")
                                                                                           : read_tiles(s);
    if (!code && s->tile_count)
        code = add_to_explain_report(s, pixels, probabilities);
    atl_tensor_free(probabilities);
    atl_tensor_free(pixels);
    free_tiles(s);
    return code;
}

int recall_task(explain_session *s, int64_t task)
{
    const json_t *record = record_of(&s->work, task), *areas = json_object_get(record, "areas");
    char path[4096];
    int code = 0;
    s->files = json_incref(json_object_get(record, "files"));
    for (size_t i = 0; i < json_array_size(s->files) && !code; i++) {
        const char *name = json_string_value(json_array_get(s->files, i));
        snprintf(path, sizeof path, "%.3000s/%s", s->set.output, name ? name : "");
        code = bring_file(&s->work, task, path);
    }
    s->target = (int)whole_at(record, "target", 0);
    for (int m = 0; m < ATL_EXPLAIN_METHODS; m++) {
        const char *text = json_string_value(json_array_get(areas, (size_t)m));
        snprintf(s->areas[m], sizeof s->areas[m], "%s", text ? text : "");
    }
    if (!code)
        print_told(s, record);
    int is_unread = json_is_true(json_object_get(record, "unread"));
    s->unread += is_unread;
    if (!code && s->report && !is_unread && task < s->set.picture_count) {
        s->path = s->set.pictures[task];
        stem_of(s, (int)task, s->stem, sizeof s->stem);
        code = report_picture(s);
    }
    json_decref(s->files);
    s->files = NULL;
    return code;
}
