/* atled fool in shards and by ranks: a record holds what was told of a target, and the course of its probability. */
#include <stdlib.h>
#include <string.h>

#include "certificate.h"
#include "fool_session.h"
#include "network_file.h"

int begin_fool_work(fool_session *s)
{
    const fool_options *set = &s->set;
    char folder[4096] = ".";
    const char *slash = strrchr(set->output, '/');
    json_t *facts = NULL;
    if (s->target_count == 1 && set->shard.shard)
        return report_error("fool", EXIT_USAGE,
                            "--shard %s: one target cannot be divided: see --target all and --count", set->shard.shard);
    if (s->target_count == 1)
        return 0;
    if (slash)
        snprintf(folder, sizeof folder, "%.*s", slash > set->output ? (int)(slash - set->output) : 1, set->output);
    if (needs_facts(&set->shard)) {
        facts = json_pack("{s:s}", "model", set->model);
        add_file_fact(facts, "weights_sha256", set->weights);
        add_file_fact(facts, "model_sha256", is_network_file(set->model) ? set->model : NULL);
        add_file_fact(facts, "labels_sha256", set->labels);
        add_file_fact(facts, "start_sha256", set->start);
    }
    return begin_work(&s->work, "fool", &set->shard, s->target_count, facts, folder);
}

json_t *record_of_target(const fool_session *s, int position)
{
    const fool_record *r = &s->records[position];
    const file_verdict *v = &r->verdict;
    json_t *course = json_array();
    for (int i = 0; s->report && i <= r->result.iterations && i < r->count; i++)
        json_array_append_new(course, json_real(r->course[i]));
    return json_pack("{s:i, s:i, s:b, s:i, s:f, s:f, s:i, s:f, s:s, s:o}", "task", position, "target", s->target, "met",
                     v->met, "top", v->top, "probability", v->probability, "top_probability", v->top_probability,
                     "iterations", r->result.iterations, "seconds", r->result.seconds, "message", r->result.message,
                     "course", course);
}

/* Room for the verdict at its end, too. */
static int read_course(const json_t *record, fool_record *r)
{
    const json_t *course = json_object_get(record, "course");
    r->count = (int)json_array_size(course);
    r->room = r->count > r->result.iterations ? r->count : r->result.iterations + 1;
    r->course = calloc((size_t)r->room, sizeof *r->course);
    for (int i = 0; i < r->count && r->course; i++)
        r->course[i] = json_number_value(json_array_get(course, (size_t)i));
    return r->course ? 0 : report_no_memory("fool");
}

static int take_record(const json_t *record, fool_record *r)
{
    const char *message = text_at(record, "message");
    free(r->course);
    *r = (fool_record){.is_done = 1};
    r->verdict = (file_verdict){.met = json_is_true(json_object_get(record, "met")),
                                .top = (int)whole_at(record, "top", 0),
                                .probability = number_at(record, "probability"),
                                .top_probability = number_at(record, "top_probability")};
    long long iterations = whole_at(record, "iterations", 0);
    r->result.iterations = iterations > 0 && iterations < 100000000 ? (int)iterations : 0;
    r->result.seconds = number_at(record, "seconds");
    snprintf(r->result.message, sizeof r->result.message, "%s", message ? message : "");
    return read_course(record, r);
}

int recall_target(fool_session *s, int position)
{
    char path[4096];
    atl_tensor *file = NULL;
    fool_record *r = &s->records[position];
    int code = take_record(record_of(&s->work, position), r);
    s->target = s->targets[position];
    if (!code && s->set.panel) {
        path_for_target(s, s->target, s->set.panel, path, sizeof path);
        code = bring_file(&s->work, position, path);
    }
    path_for_target(s, s->target, s->set.output, path, sizeof path);
    if (!code)
        code = bring_file(&s->work, position, path);
    if (!code && s->set.sheet && !(file = atl_read_image(path)))
        code = report_failure("fool");
    if (!code)
        keep_fooled(s, position, path, &r->result, file, &r->verdict);
    return code;
}
