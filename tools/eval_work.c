/* atled eval in shards: a record holds the counts of a batch. */
#include "eval_work.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "certificate.h"
#include "digest.h"
#include "progress.h"

static atl_batches *batches_from(const eval_settings *set, const training *t, const atl_dataset *data, int64_t first)
{
    return atl_batches_new(data, .size = set->batch, .height = t->set.height, .width = t->set.width, .first = first,
                           .threads = (int)set->compile.threads);
}

/* ---- what determines the results --------------------------------------------------------------------------------- */

/* Of a batch's pixels and labels. */
static int digest_batch(const eval_settings *set, const training *t, const atl_dataset *data, int64_t index,
                        char text[2 * DIGEST_TEXT])
{
    atl_batches *batches = batches_from(set, t, data, index);
    const atl_batch *batch = batches ? atl_batches_next(batches) : NULL;
    if (batch) {
        digest_of_bytes(atl_floats(batch->images), (size_t)atl_tensor_count(batch->images) * sizeof(float), text);
        digest_of_bytes(atl_ints(batch->labels), (size_t)batch->count * sizeof(int32_t), text + DIGEST_TEXT - 1);
    }
    atl_batches_free(batches);
    return batch ? 0 : report_failure("eval");
}

/* Every process would have to read all of the data to compare it: the first, the middle and the last batch stand for
 * it. */
static int list_facts(const eval_settings *set, const training *t, const atl_dataset *data, int64_t count,
                      json_t **facts_out)
{
    char all[3 * 2 * DIGEST_TEXT] = "", text[DIGEST_TEXT];
    int code = 0;
    for (int i = 0; i < 3 && count && !code; i++)
        code = digest_batch(set, t, data, i * (count - 1) / 2, all + strlen(all));
    digest_of_bytes(all, strlen(all), text);
    json_t *facts = code ? NULL
                         : json_pack("{s:s, s:I, s:s}", "model", set->model, "images",
                                     (json_int_t)atl_dataset_count(data), "images_sha256", text);
    add_file_fact(facts, "weights_sha256", set->weights);
    add_file_fact(facts, "model_sha256", is_network_file(set->model) ? set->model : NULL);
    *facts_out = facts;
    return code;
}

/* ---- records ----------------------------------------------------------------------------------------------------- */

/* "confusion": the cells that are not 0, each as [truth, guess, count]. */
static json_t *record_of_batch(const score *s, const int64_t *confusion, int classes)
{
    json_t *cells = json_array();
    for (int64_t i = 0; i < (int64_t)classes * classes; i++)
        if (confusion[i])
            json_array_append_new(cells, json_pack("[I, I, I]", (json_int_t)(i / classes), (json_int_t)(i % classes),
                                                   (json_int_t)confusion[i]));
    json_t *record =
        json_pack("{s:I, s:I, s:f, s:f, s:I, s:o}", "task", (json_int_t)0, "count", (json_int_t)s->count, "right",
                  s->right, "top5", s->top5, "not_finite", (json_int_t)s->not_finite, "confusion", cells);
    if (record && isfinite(s->loss))
        json_object_set_new(record, "loss", json_real(s->loss));
    return record;
}

static int add_record(const json_t *record, int classes, int64_t *confusion, score *sum)
{
    const json_t *cells = json_object_get(record, "confusion");
    for (size_t i = 0; i < json_array_size(cells); i++) {
        const json_t *cell = json_array_get(cells, i);
        json_int_t truth = json_integer_value(json_array_get(cell, 0)),
                   guess = json_integer_value(json_array_get(cell, 1));
        if (truth < 0 || truth >= classes || guess < 0 || guess >= classes)
            return report_error("eval", EXIT_BAD_FILE, "a record has classes that the network has not");
        confusion[truth * classes + guess] += json_integer_value(json_array_get(cell, 2));
    }
    sum->count += whole_at(record, "count", 0);
    sum->not_finite += whole_at(record, "not_finite", 0);
    sum->loss += number_at(record, "loss"); /* JSON has no NaN: such a number is missing */
    sum->right += number_at(record, "right");
    sum->top5 += number_at(record, "top5");
    return 0;
}

/* ---- the work ---------------------------------------------------------------------------------------------------- */

/* The tasks of the list that follow each other; returns how many, or -1 after an error message. */
static int64_t run_together(const eval_settings *set, work *w, training *t, const atl_dataset *data, int classes,
                            const int64_t *task, int64_t count)
{
    size_t cells = (size_t)classes * (size_t)classes;
    int64_t *confusion = malloc(cells * sizeof *confusion), done = 0;
    atl_batches *batches = batches_from(set, t, data, task[0]);
    int code = !confusion ? report_no_memory("eval") : !batches ? report_failure("eval") : 0;
    while (!code && done < count && task[done] == task[0] + done && !was_interrupted()) {
        score part = {0};
        const atl_batch *batch = atl_batches_next(batches);
        memset(confusion, 0, cells * sizeof *confusion);
        if (!batch || look_at_batch(t, batch, confusion, &part))
            code = report_failure("eval");
        else
            code = keep_record(w, task[done++], record_of_batch(&part, confusion, classes));
    }
    atl_batches_free(batches);
    free(confusion);
    return code ? -1 : done;
}

static int do_work(const eval_settings *set, work *w, training *t, const atl_dataset *data, int classes)
{
    int64_t *task = malloc((size_t)(w->tasks ? w->tasks : 1) * sizeof *task), count = 0;
    int code = !task ? report_no_memory("eval") : hand_over(t) ? report_failure("eval") : 0;
    catch_interrupts();
    while (!code && (count = take_tasks(w, 1, w->tasks, task)) > 0)
        for (int64_t at = 0, done; at < count && !code && !was_interrupted(); at += done) {
            done = run_together(set, w, t, data, classes, task + at, count - at);
            code = done < 0 ? EXIT_BAD_FILE : 0;
        }
    free(task);
    return stop_tasks(w, count < 0 ? EXIT_INTERNAL : code);
}

int eval_shard(eval_settings *set, training *t, const atl_dataset *data, int classes, int64_t *confusion,
               score *score_out, int *is_shown_out)
{
    work w = {0};
    json_t *facts = NULL;
    score sum = {0};
    int64_t tasks = (atl_dataset_count(data) + set->batch - 1) / set->batch;
    int code = list_facts(set, t, data, tasks, &facts);
    if (!code)
        code = begin_work(&w, "eval", &set->shard, tasks, facts, ".");
    if (!code)
        code = do_work(set, &w, t, data, classes);
    while (next_task_of_others(&w) >= 0)
        ;
    *is_shown_out = !code && shows_results(&w);
    for (int64_t i = 0; i < tasks && *is_shown_out && !code; i++)
        if (record_of(&w, i))
            code = add_record(record_of(&w, i), classes, confusion, &sum);
    finish_score(&sum);
    *score_out = sum;
    if (!code && !*is_shown_out)
        code = close_work(&w);
    end_work(&w, &set->shard);
    return code;
}
