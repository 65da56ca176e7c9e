/* What an explanation is worth: its correlation with that of a network whose weights are shuffled from the top. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "atled/op.h"
#include "atled/ops.h"
#include "explain/explainer.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "graph/random.h"

/* A variable that the scores are computed from. */
typedef struct weight {
    atl_node *variable;
    int64_t user;      /* the first node that reads it */
    int layer;         /* index, from the top */
    atl_tensor *value; /* a copy, once it is shuffled */
} weight;

typedef struct sanity_job {
    const atl_explain_args *how;
    weight *weights;
    int64_t count;
    double *rank[2]; /* of the intact map, and of another */
} sanity_job;

void atl_explain_sanity_free(atl_explain_sanity_result *result)
{
    if (!result)
        return;
    atl_release(result->layer);
    *result = (atl_explain_sanity_result){0};
}

/* ---- layers ------------------------------------------------------------------------------------------------------ */

static int from_the_top(const void *a, const void *b)
{
    const weight *x = a, *y = b;
    if (x->user != y->user)
        return x->user < y->user ? 1 : -1;
    return (atl_index_of(x->variable) < atl_index_of(y->variable)) -
           (atl_index_of(x->variable) > atl_index_of(y->variable));
}

/* "conv1" of "conv1/weights" and of "conv1.weight". */
static size_t layer_name_length(const char *name)
{
    size_t length = strlen(name);
    for (size_t i = length; i > 1; i--)
        if (name[i - 1] == '/' || name[i - 1] == '.')
            return i - 1;
    return length;
}

static int same_layer(const atl_node *a, const atl_node *b)
{
    const char *x = atl_name_of(a), *y = atl_name_of(b);
    size_t length = layer_name_length(x);
    return length == layer_name_length(y) && strncmp(x, y, length) == 0;
}

/* The first reader of each variable among the nodes that the scores need. */
static void find_users(const sanity_job *job, const char *needed, const atl_graph *graph, int64_t last)
{
    for (int64_t i = last; i >= 0; i--) {
        const atl_node *node = atl_graph_node(graph, i);
        for (int k = 0; needed[i] && k < atl_input_count(node); k++)
            for (int64_t w = 0; w < job->count; w++)
                if (job->weights[w].variable == atl_input_of(node, k))
                    job->weights[w].user = i;
    }
}

static atl_status find_weights(sanity_job *job, int *layers_out)
{
    const atl_explainer *e = job->how->explainer;
    int64_t all = atl_variables(e->graph).count, last = atl_index_of(e->scores);
    atl_node *const *variable = atl_variables(e->graph).node;
    char *needed = atl_allocate((size_t)last + 1, 1);
    job->weights = atl_allocate((size_t)all + 1, sizeof *job->weights);
    if (!needed || !job->weights) {
        atl_release(needed);
        return atl_out_of_memory();
    }
    needed[last] = 1;
    for (int64_t i = last; i >= 0; i--)
        for (int k = 0; needed[i] && k < atl_input_count(atl_graph_node(e->graph, i)); k++)
            needed[atl_index_of(atl_input_of(atl_graph_node(e->graph, i), k))] = 1;
    for (int64_t i = 0; i < all; i++)
        if (atl_index_of(variable[i]) <= last && needed[atl_index_of(variable[i])] &&
            atl_dtype_of(variable[i]) == ATL_FLOAT32)
            job->weights[job->count++].variable = variable[i];
    find_users(job, needed, e->graph, last);
    atl_release(needed);
    qsort(job->weights, (size_t)job->count, sizeof *job->weights, from_the_top);
    int layers = 0;
    for (int64_t i = 0; i < job->count; i++) {
        layers += i > 0 && !same_layer(job->weights[i].variable, job->weights[i - 1].variable);
        job->weights[i].layer = layers;
    }
    *layers_out = job->count ? layers + 1 : 0;
    return ATL_OK;
}

/* ---- shuffling --------------------------------------------------------------------------------------------------- */

/* Fisher & Yates. */
static atl_status shuffle(weight *w, uint64_t seed)
{
    w->value = atl_tensor_copy(atl_variable_value(w->variable));
    atl_tensor *other = w->value ? atl_tensor_copy(w->value) : NULL;
    uint64_t stream = atl_random_bits(seed, (uint64_t)atl_index_of(w->variable));
    for (int64_t i = other ? atl_tensor_count(other) - 1 : 0; i > 0; i--) {
        int64_t k = (int64_t)(atl_random_bits(stream, (uint64_t)i) % (uint64_t)(i + 1));
        float x = atl_floats(other)[i];
        atl_floats(other)[i] = atl_floats(other)[k];
        atl_floats(other)[k] = x;
    }
    atl_status status = other ? atl_variable_assign(w->variable, other) : atl_error_status();
    atl_tensor_free(other);
    return status;
}

static void restore(sanity_job *job)
{
    for (int64_t i = 0; i < job->count; i++)
        if (job->weights[i].value) {
            atl_variable_assign(job->weights[i].variable, job->weights[i].value);
            atl_tensor_free(job->weights[i].value);
        }
}

/* ---- correlation of ranks ---------------------------------------------------------------------------------------- */

typedef struct ranked {
    float value;
    int64_t at;
} ranked;

static int by_value(const void *a, const void *b)
{
    float x = ((const ranked *)a)->value, y = ((const ranked *)b)->value;
    return (x > y) - (x < y);
}

/* Equal values share their mean rank. */
static atl_status rank(const atl_tensor *map, double *to)
{
    int64_t count = atl_tensor_count(map);
    ranked *sorted = atl_allocate((size_t)count, sizeof *sorted);
    if (!sorted)
        return atl_out_of_memory();
    for (int64_t i = 0; i < count; i++)
        sorted[i] = (ranked){atl_floats(map)[i], i};
    qsort(sorted, (size_t)count, sizeof *sorted, by_value);
    for (int64_t first = 0, last; first < count; first = last) {
        for (last = first; last < count && sorted[last].value == sorted[first].value; last++)
            ;
        for (int64_t i = first; i < last; i++)
            to[sorted[i].at] = (double)(first + last - 1) / 2;
    }
    atl_release(sorted);
    return ATL_OK;
}

static double correlation(const double *a, const double *b, int64_t count)
{
    double mean = (double)(count - 1) / 2, aa = 0, bb = 0, ab = 0;
    for (int64_t i = 0; i < count; i++) {
        aa += (a[i] - mean) * (a[i] - mean);
        bb += (b[i] - mean) * (b[i] - mean);
        ab += (a[i] - mean) * (b[i] - mean);
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static atl_status shuffle_layer(sanity_job *job, int layer, atl_explain_sanity_layer *to)
{
    atl_status status = ATL_OK;
    for (int64_t i = 0; !status && i < job->count; i++)
        if (job->weights[i].layer == layer) {
            const char *name = atl_name_of(job->weights[i].variable);
            snprintf(to->name, sizeof to->name, "%.*s", (int)layer_name_length(name), name);
            status = shuffle(&job->weights[i], job->how->seed);
        }
    atl_explanation other = {0};
    atl_explain_args how = *job->how;
    how.result_out = &other;
    if (!status)
        status = atl_explain_with(&how);
    if (!status)
        status = rank(other.map, job->rank[1]);
    if (!status)
        to->correlation = correlation(job->rank[0], job->rank[1], atl_tensor_count(other.map));
    atl_explanation_free(&other);
    return status;
}

static atl_status judge(sanity_job *job, atl_explain_sanity_result *result)
{
    const atl_tensor *map = job->how->result_out->map;
    int layers = 0;
    atl_status status = find_weights(job, &layers);
    for (int i = 0; i < 2 && !status; i++) {
        job->rank[i] = atl_allocate((size_t)atl_tensor_count(map), sizeof(double));
        status = job->rank[i] ? ATL_OK : atl_out_of_memory();
    }
    result->layer = status ? NULL : atl_allocate((size_t)layers + 1, sizeof *result->layer);
    if (!status)
        status = result->layer ? rank(map, job->rank[0]) : atl_out_of_memory();
    for (int i = 0; !status && i < layers; i++) {
        status = shuffle_layer(job, i, &result->layer[i]);
        result->count = i + 1;
    }
    return status;
}

atl_status atl_explain_sanity(const atl_explain_args *how, atl_explain_sanity_result *result_out)
{
    if (!result_out)
        return atl_null_argument("atl_explain_sanity", "the result is");
    *result_out = (atl_explain_sanity_result){0};
    if (!how)
        return atl_null_argument("atl_explain_sanity", "the options are");
    atl_status status = atl_explain_with(how);
    if (status)
        return status;
    sanity_job job = {.how = how};
    status = judge(&job, result_out);
    if (job.weights)
        restore(&job);
    atl_release(job.weights);
    atl_release(job.rank[0]);
    atl_release(job.rank[1]);
    if (status) {
        atl_explain_sanity_free(result_out);
        atl_explanation_free(how->result_out);
    }
    return status;
}
