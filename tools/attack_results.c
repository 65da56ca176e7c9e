/* The results of atled attack: lines of JSON while it runs, sorted at the end, and the table. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attack_session.h"
#include "certificate.h"
#include "eps.h"

void result_path(const attack_session *s, int64_t task, const char *suffix, char *path, size_t size)
{
    int64_t each = s->tasks / s->pictures.count, picture = task / each;
    char name[300] = "", target[32] = "";
    const char *from = s->pictures.path[picture];
    if (from) {
        const char *slash = strrchr(from, '/'), *base = slash ? slash + 1 : from, *dot = strrchr(base, '.');
        snprintf(name, sizeof name, "-%.*s", dot ? (int)(dot - base) : (int)strlen(base), base);
    }
    if (each > 1)
        snprintf(target, sizeof target, "-t%d", s->targets[task]);
    snprintf(path, size, "%.3800s/%06lld%s%s%s", s->set.output, (long long)s->pictures.index[picture], name, target,
             suffix);
}

const char *original_suffix(const attack_session *s) { return s->set.jpeg ? ".original.jpg" : ".original.png"; }
const char *changed_suffix(const attack_session *s) { return s->set.jpeg ? ".jpg" : ".png"; }

/* ---- results.jsonl ----------------------------------------------------------------------------------------------- */

static void set_text(json_t *object, const char *key, const char *text)
{
    if (text && text[0])
        json_object_set_new(object, key, json_string(text));
}

json_t *settings_of(const attack_session *s)
{
    const attack_options *set = &s->set;
    const picture_settings *p = &set->network.picture;
    char pictures[DIGEST_TEXT], eps[64] = "";
    int64_t count = s->pictures.count * s->pictures.height * s->pictures.width * s->pictures.channels;
    digest_of_bytes(s->pictures.pixels, (size_t)count * sizeof *s->pictures.pixels, pictures);
    if (set->eps.under)
        write_eps(set->eps, eps, sizeof eps);
    json_t *o = json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:I, s:I, s:I, s:f, s:f, s:b}", "format",
                          "atled attack results 1", "atled", atl_version(), "model", set->network.model, "tasks",
                          (json_int_t)s->tasks, "pictures_sha256", pictures, "method", set->method, "norm",
                          norm_names[set->norm], "seed", (json_int_t)set->seed, "steps", (json_int_t)set->steps,
                          "restarts", (json_int_t)set->restarts, "step_size", set->step_size, "confidence",
                          set->confidence, "float", set->unrounded);
    set_text(o, "model_sha256", s->model_digest);
    set_text(o, "weights_sha256", s->weights_digest);
    set_text(o, "eps", eps);
    set_text(o, "target", set->target);
    set_text(o, "data", set->data);
    set_text(o, "preprocess", picture_presets[p->preset]);
    set_text(o, "mean", p->mean);
    set_text(o, "std", p->deviation);
    set_text(o, "scale", p->scale);
    set_text(o, "logits", p->logits);
    set_text(o, "transfer", set->transfer.model);
    if (p->bgr)
        json_object_set_new(o, "bgr", json_true());
    if (set->jpeg)
        json_object_set_new(o, "jpeg", json_integer(set->jpeg));
    if (set->compile.bfloat16)
        json_object_set_new(o, "bfloat16", json_true());
    if (set->compile.disabled_passes)
        json_object_set_new(o, "disabled_passes", json_integer(set->compile.disabled_passes));
    return o;
}

static void log_path(const attack_session *s, char *path, size_t size)
{
    snprintf(path, size, "%.4000s/results.jsonl", s->set.output);
}

static void count_result(attack_session *s, int64_t task, json_t *result)
{
    if (s->done[task])
        json_decref(s->done[task]);
    else
        s->done_count++;
    s->done[task] = result;
    s->met_count += json_is_true(json_object_get(result, "met"));
}

/* Takes over the results of an earlier run of the same command.  A last line that was cut is dropped. */
static int read_results(attack_session *s, FILE *file, const json_t *settings, const char *path)
{
    char *line = NULL;
    size_t room = 0;
    int number = 0, code = 0;
    while (!code && getline(&line, &room, file) > 0) {
        size_t length = strlen(line);
        json_t *value = length && line[length - 1] == '\n' ? json_loads(line, 0, NULL) : NULL;
        if (++number == 1) {
            if (!json_equal(value, settings))
                code = report_error("attack", EXIT_USAGE,
                                    "%s holds the results of other settings or other files: give another --output, or "
                                    "remove it",
                                    path);
            json_decref(value);
            continue;
        }
        long long task = whole_at(value, "task", -1);
        if (value && task >= 0 && task < s->tasks && !s->done[task])
            count_result(s, task, value);
        else
            json_decref(value);
    }
    free(line);
    return code;
}

/* Everything in the order of the tasks: the same bytes however the run went. */
static int write_sorted(attack_session *s, const json_t *settings, const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    int failed = !memory || write_json_line(memory, settings);
    for (int64_t i = 0; i < s->tasks && !failed; i++)
        failed = s->done[i] && write_json_line(memory, s->done[i]);
    failed = (memory && fclose(memory)) || failed;
    int code = failed ? report_no_memory("attack") : atl_write_bytes(path, text, size) ? report_failure("attack") : 0;
    free(text);
    return code;
}

/* Brings the files of all results to the output folder. */
static int bring_files(const attack_session *s)
{
    const char *const endings[] = {original_suffix(s), changed_suffix(s), ".json"};
    char path[4200];
    int code = 0;
    for (int64_t i = 0; i < s->tasks && s->set.output && !s->set.results_only && !s->set.unrounded; i++)
        for (int k = 0; k < 3 && !code; k++) {
            result_path(s, i, endings[k], path, sizeof path);
            code = bring_file(&s->work, i, path);
        }
    return code;
}

/* The part of this process, and what of it is done already. */
static int begin_part(attack_session *s, const json_t *settings)
{
    json_t *facts = needs_facts(&s->set.shard) ? json_copy((json_t *)(uintptr_t)settings) : NULL;
    int code = begin_work(&s->work, "attack", &s->set.shard, s->tasks, facts, s->set.output ? s->set.output : ".");
    for (int64_t i = 0; i < s->tasks && !code; i++)
        if (record_of(&s->work, i))
            count_result(s, i, json_incref(record_of(&s->work, i)));
    return code;
}

static int open_log(attack_session *s, const json_t *settings)
{
    char path[4096];
    log_path(s, path, sizeof path);
    FILE *file = fopen(path, "rb");
    int code = file ? read_results(s, file, settings, path) : 0;
    if (file)
        fclose(file);
    if (!code)
        code = write_sorted(s, settings, path);
    if (!code && !(s->log = fopen(path, "ab")))
        code = report_error("attack", EXIT_BAD_FILE, "%s: %s", path, strerror(errno));
    if (!code && s->done_count && !s->work.is_merged)
        fprintf(stderr, "atled attack: %lld of %lld are done already\n", (long long)s->done_count, (long long)s->tasks);
    return code;
}

int open_results(attack_session *s)
{
    int is_needed = s->set.output || needs_facts(&s->set.shard);
    json_t *settings = is_needed ? settings_of(s) : NULL;
    int code = settings || !is_needed ? begin_part(s, settings) : report_no_memory("attack");
    if (!code && s->work.is_merged)
        code = bring_files(s);
    if (!code && s->set.output && shows_results(&s->work))
        code = open_log(s, settings);
    for (int64_t i = 0; i < s->tasks && !code; i++)
        if (s->done[i] && !record_of(&s->work, i))
            code = skip_task(&s->work, i, s->done[i]);
    json_decref(settings);
    return code;
}

static int log_result(attack_session *s, const json_t *result)
{
    if (s->log && write_json_line(s->log, result))
        return report_error("attack", EXIT_BAD_FILE, "%s/results.jsonl: %s", s->set.output, strerror(errno));
    return 0;
}

int add_result(attack_session *s, int64_t task, json_t *result)
{
    count_result(s, task, result);
    int code = keep_record(&s->work, task, json_incref(result));
    return code ? code : log_result(s, result);
}

int add_results_of_others(attack_session *s)
{
    int code = 0;
    for (int64_t task; !code && (task = next_task_of_others(&s->work)) >= 0;) {
        count_result(s, task, json_incref(record_of(&s->work, task)));
        code = log_result(s, s->done[task]);
        s->run_count++;
    }
    return code;
}

int close_results(attack_session *s)
{
    char path[4096];
    if (!s->log)
        return 0;
    int failed = fclose(s->log);
    s->log = NULL;
    log_path(s, path, sizeof path);
    if (failed)
        return report_error("attack", EXIT_BAD_FILE, "%s: %s", path, strerror(errno));
    json_t *settings = settings_of(s);
    int code = settings ? write_sorted(s, settings, path) : report_no_memory("attack");
    json_decref(settings);
    return code;
}
