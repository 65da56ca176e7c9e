/* One step of atled train: a batch at once, or in parts that other ranks share. */
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "network.h"
#include "network_file.h"
#include "ranks.h"
#include "text.h"
#include "train_session.h"

/* ---- parts ------------------------------------------------------------------------------------------------------- */

enum { USUAL_PARTS = 4 };

/* With the usual number, 1, 2 and 4 ranks give the same bits. */
static int64_t parts_of_batch(const train_options *set)
{
    int64_t parts = USUAL_PARTS;
    if (!set->deterministic)
        return rank_count();
    if (set->micro_batches || !ranks_in_use())
        return set->micro_batches ? set->micro_batches : 1;
    while (parts < rank_count())
        parts *= 2;
    return parts;
}

int start_averaging(train_session *s)
{
    s->parts = parts_of_batch(&s->set);
    if (s->parts > s->set.batch)
        return report_error("train", EXIT_USAGE, "--batch %lld: it cannot be divided into %lld parts",
                            (long long)s->set.batch, (long long)s->parts);
    if (s->parts < rank_count())
        return report_error("train", EXIT_USAGE, "--micro-batches %lld: there are %d ranks, and each needs one",
                            (long long)s->parts, rank_count());
    if (s->parts == 1 && !ranks_in_use())
        return 0;
    s->all_reduce = atl_all_reduce_new(ranks_in_use(), .parts = s->parts, .any_order = !s->set.deterministic,
                                       .bucket_bytes = s->set.bucket_mb << 20);
    return s->all_reduce ? 0 : report_failure("train");
}

static const atl_batch *next_batch(train_session *s)
{
    double before = seconds_now();
    const atl_batch *batch = atl_batches_next(s->batches);
    s->waited += seconds_now() - before;
    return batch;
}

static int32_t number_of(const train_session *s, const atl_batch *batch)
{
    return (int32_t)((s->done * s->parts + batch->part) % INT32_MAX);
}

static float weight_of(const train_session *s, const atl_batch *batch)
{
    return (float)((double)batch->count * (double)s->parts / (double)batch->whole);
}

static atl_status run_part(train_session *s, const atl_batch *batch)
{
    const net *n = &s->t.trained;
    int32_t number = number_of(s, batch);
    float stop = was_interrupted() ? 1 : 0;
    if (!batch->count)
        return atl_all_reduce_skip(s->all_reduce);
    atl_status status = atl_all_reduce_weigh(s->all_reduce, weight_of(s, batch));
    atl_tensor *counter = atl_tensor_view(ATL_INT32, ATL_SCALAR, &number),
               *stops = atl_tensor_view(ATL_FLOAT32, ATL_SCALAR, &stop);
    if (!status)
        status = counter && stops
                     ? atl_run(s->t.gradients, ATL_FEEDS({n->image, batch->images}, {n->labels, batch->labels},
                                                         {s->t.counter, counter}, {s->t.stop, stops}))
                     : atl_error_status();
    atl_tensor_free(counter);
    atl_tensor_free(stops);
    return status;
}

/* ---- parts that run together ------------------------------------------------------------------------------------- */

int start_parts(train_session *s)
{
    int64_t own = atl_all_reduce_parts(s->all_reduce, NULL), rest = atl_dataset_count(s->data) % s->set.batch;
    if (rest && rest < s->parts)
        return report_error(
            "train", EXIT_USAGE,
            "--sync-batch-norm: the last batch of an epoch has %lld image%s, fewer than the %lld parts; "
            "give another --batch, or fewer --micro-batches",
            (long long)rest, plural(rest), (long long)s->parts);
    s->together = calloc((size_t)own, sizeof *s->together);
    s->fed = s->together ? calloc((size_t)own, sizeof *s->fed) : NULL;
    if (!s->fed)
        return report_no_memory("train");
    for (int64_t i = 0; i < own; i++) {
        part_feeds *p = &s->fed[i];
        s->together[i].context = atl_context_new(s->t.gradients);
        s->together[i].feeds = p->feeds;
        p->counter = atl_tensor_view(ATL_INT32, ATL_SCALAR, &p->number);
        p->stop = atl_tensor_view(ATL_FLOAT32, ATL_SCALAR, &p->stops);
        if (!s->together[i].context || !p->counter || !p->stop)
            return report_failure("train");
    }
    return 0;
}

static void free_copies(part_feeds *p)
{
    atl_tensor_free(p->images);
    atl_tensor_free(p->labels);
    p->images = p->labels = NULL;
}

void free_parts(train_session *s)
{
    int64_t own = s->fed ? atl_all_reduce_parts(s->all_reduce, NULL) : 0;
    for (int64_t i = 0; i < own; i++) {
        atl_context_free(s->together[i].context);
        free_copies(&s->fed[i]);
        atl_tensor_free(s->fed[i].counter);
        atl_tensor_free(s->fed[i].stop);
    }
    free(s->together);
    free(s->fed);
}

/* The batch is overwritten by the next part's. */
static atl_status copy_part(train_session *s, const atl_batch *batch, int64_t i)
{
    const net *n = &s->t.trained;
    part_feeds *p = &s->fed[i];
    free_copies(p);
    p->images = atl_tensor_copy(batch->images);
    p->labels = atl_tensor_copy(batch->labels);
    if (!p->images || !p->labels)
        return atl_error_status();
    p->number = number_of(s, batch);
    p->stops = was_interrupted() ? 1 : 0;
    memcpy(p->feeds,
           ATL_FEEDS({n->image, p->images}, {n->labels, p->labels}, {s->t.counter, p->counter}, {s->t.stop, p->stop}),
           sizeof p->feeds);
    s->together[i].weight = weight_of(s, batch);
    return ATL_OK;
}

/* ---- a step ------------------------------------------------------------------------------------------------------ */

/* The parts of this rank, and then the others', until the first means arrive: meanwhile no variable changes. */
static atl_status run_parts(train_session *s, const atl_batch **batch_out)
{
    int64_t parts = atl_all_reduce_parts(s->all_reduce, NULL);
    atl_status status = ATL_OK;
    for (int64_t i = 0; i < parts && !status; i++) {
        const atl_batch *batch = *batch_out = next_batch(s);
        if (!batch)
            return atl_error_status();
        status = s->together ? copy_part(s, batch, i) : run_part(s, batch);
    }
    if (!status && s->together)
        status = atl_run_parts(s->all_reduce, s->together);
    return status ? status : atl_all_reduce_wait(s->all_reduce);
}

atl_status run_step(train_session *s, const atl_batch **batch_out)
{
    const net *n = &s->t.trained;
    if (s->all_reduce) {
        leave_variables(s);
        atl_status status = run_parts(s, batch_out);
        take_variables(s);
        return status ? status : atl_run(s->t.train, NULL);
    }
    const atl_batch *batch = *batch_out = next_batch(s);
    return batch ? atl_run(s->t.train, ATL_FEEDS({n->image, batch->images}, {n->labels, batch->labels}))
                 : atl_error_status();
}

/* ---- what all ranks must share ----------------------------------------------------------------------------------- */

/* FNV-1a, continued. */
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* Every rank would have to read all of the data to compare it: the first, the middle and the last images stand for it,
 * and their number. */
static uint64_t hash_data(const atl_dataset *data)
{
    enum { IMAGES = 16 };
    int64_t count = atl_dataset_count(data), last = (count - 1) / IMAGES;
    uint64_t hash = hash_bytes(UINT64_C(0xcbf29ce484222325), &count, sizeof count);
    for (int i = 0; i < 3; i++) {
        atl_batches *batches = atl_batches_new(data, .size = IMAGES, .first = i * last / 2);
        const atl_batch *batch = batches ? atl_batches_next(batches) : NULL;
        if (batch) {
            hash = hash_bytes(hash, atl_floats(batch->images), (size_t)atl_tensor_count(batch->images) * sizeof(float));
            hash = hash_bytes(hash, atl_ints(batch->labels), (size_t)batch->count * sizeof(int32_t));
        }
        atl_batches_free(batches);
    }
    return hash;
}

static uint64_t hash_variables(const atl_graph *graph)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    atl_nodes variables = atl_variables(graph);
    for (int64_t i = 0; i < variables.count; i++) {
        const atl_tensor *value = atl_variable_value(variables.node[i]);
        const char *name = atl_name_of(variables.node[i]);
        hash = hash_bytes(hash, name, strlen(name));
        if (value && atl_dtype_of(variables.node[i]) == ATL_FLOAT32)
            hash = hash_bytes(hash, atl_floats(value), (size_t)atl_tensor_count(value) * sizeof(float));
        else if (value)
            hash = hash_bytes(hash, atl_ints(value), (size_t)atl_tensor_count(value) * sizeof(int32_t));
    }
    return hash;
}

char *facts_of_session(const train_session *s, int argc, char **argv)
{
    char *text = NULL, network[DIGEST_TEXT];
    size_t size = 0;
    FILE *file = ranks_in_use() ? open_memstream(&text, &size) : NULL;
    if (!file)
        return NULL;
    fprintf(file, "version: atled %s, %s\n", atl_version(), atl_backend_version());
    fprintf(file, "build: %s\n", build_of_rank());
    fprintf(file, "instruction set: %s\n", atl_isa_name(atl_isa_in_use()));
    fprintf(file, "threads: %d\n", omp_get_max_threads());
    fprintf(file, "options:");
    for (int i = 1; i < argc; i++)
        fprintf(file, " %s", argv[i]);
    if (is_network_file(s->set.model) && digest_of_file(s->set.model, network) == 0)
        fprintf(file, "\nnetwork: %s", network);
    fprintf(file, "\ntraining data: %016llx\n", (unsigned long long)hash_data(s->data));
    fprintf(file, "initial variables: %016llx\n", (unsigned long long)hash_variables(s->t.trained.graph));
    return fclose(file) == 0 ? text : NULL;
}
