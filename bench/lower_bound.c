/* lower_bound CASE ROUNDS: the oneDNN lower bound of a step of the case.
 *
 * Each convolution, pooling and normalisation of its graph, and each matrix product (attention's two, and the four of
 * its gradients, among them), is a bare oneDNN primitive, without bias, relu or reorders; every other step of our plan
 * is a copy of as many bytes.  First the program finds the fastest implementation of each primitive: direct on NHWC,
 * direct in the layouts that oneDNN prefers, Winograd, each with its first few implementations.  Then it runs all
 * primitives one after the other, in the order of the graph, and times each; the lower bound is the sum of their
 * medians.
 *
 * So the caches are as cold as in a step: images and results lie in a ring as large as our arena, each weight has its
 * own memory, and the input of a primitive is written just before the clock starts.  Primitives repeated alone are up
 * to twice as fast if all their data fits into the caches: LOWER_BOUND_ALONE=1 measures that. Prints one line of JSON;
 * LOWER_BOUND_VERBOSE=1: each primitive on stderr. */
#include "lower_bound.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"

#if DNNL_VERSION_MAJOR >= 3
int main(void)
{
    fputs("lower_bound: oneDNN 2.x only\n", stderr);
    return 77;
}
#else

enum { MOST_ROUNDS = 100, MOST_SEEN = 1 << 12, MOST_WORKS = 4096, MOST_NODES = 1 << 16 };

static int rounds = 5;

/* ---- the work of a step ------------------------------------------------------------------------------------------ */

/* A primitive, or a copy of a number of bytes. */
typedef struct work {
    const choice *how; /* null: a copy */
    dnnl_exec_arg_t list[MOST_ARGUMENTS];
    char *from, *to; /* of the copy; `from`, and for a primitive its input, is written just before the clock starts */
    size_t bytes;    /* starting at `from` */
    double times[MOST_ROUNDS];
    char key[200];
} work;

static work *works[MOST_WORKS];
static int work_count;

static work *add_work(const char *key)
{
    work *w = work_count < MOST_WORKS ? calloc(1, sizeof *w) : NULL;
    if (!w) {
        fputs("lower_bound: too many steps\n", stderr);
        exit(1);
    }
    snprintf(w->key, sizeof w->key, "%s", key);
    return works[work_count++] = w;
}

static void add_primitive(const choice *how, const char *key)
{
    work *w = add_work(key);
    w->how = how;
    if (!bind_choice(how, w->list, !how->fresh_operands))
        exit(1);
    for (int i = 0; i < how->count; i++)
        if (made_just_before(how, i)) {
            void *data = NULL;
            dnnl_memory_get_data_handle(w->list[i].memory, &data);
            w->from = data;
            w->bytes = dnnl_memory_desc_get_size(&how->md[i]);
        }
}

/* A step that reads half of the bytes and writes the other half. */
static void add_copy(int64_t bytes, const char *key)
{
    work *w = add_work(key);
    w->bytes = (size_t)bytes / 2;
    w->from = from_ring(w->bytes);
    w->to = from_ring(w->bytes);
}

enum { FEW_BYTES = 1 << 17 }; /* too small for two threads */

static void write_all(char *to, size_t bytes)
{
    int64_t count = (int64_t)bytes / 4;
    float *x = (float *)to;
#pragma omp parallel for simd if (bytes > FEW_BYTES)
    for (int64_t i = 0; i < count; i++)
        x[i] = 0;
}

static double time_copy(const work *w)
{
    const float *from = (const float *)w->from;
    float *to = (float *)w->to;
    int64_t count = (int64_t)w->bytes / 4;
    double start = seconds_now();
#pragma omp parallel for simd if (w->bytes > FEW_BYTES)
    for (int64_t i = 0; i < count; i++)
        to[i] = from[i] > 0 ? from[i] : 1;
    return seconds_now() - start;
}

/* Times all works, one after the other, as a step runs them; or each repeatedly. */
static void time_works(void)
{
    int alone = getenv("LOWER_BOUND_ALONE") != NULL;
    for (int outer = 0; outer < (alone ? work_count : rounds + 1); outer++)
        for (int inner = 0; inner < (alone ? rounds + 1 : work_count); inner++) {
            work *w = works[alone ? outer : inner];
            int round = (alone ? inner : outer) - 1; /* -1: warm-up */
            if (!alone)
                write_all(w->from, w->bytes);
            double seconds = w->how ? time_once(w->how, w->list) : time_copy(w);
            if (round >= 0)
                w->times[round] = seconds;
        }
}

/* ---- the graph --------------------------------------------------------------------------------------------------- */

/* The first number in the op's description: a window's height. */
static int window_of(const atl_node *node)
{
    char text[256] = "";
    int size = 1;
    if (atl_op_of(node)->describe)
        atl_op_of(node)->describe(node, text, sizeof text);
    sscanf(text, "%d", &size);
    return size;
}

static int is_product(const atl_node *node) { return strcmp(atl_op_of(node)->name, "matmul") == 0; }

/* Of any number of dimensions, either operand transposed or not.  Rows of several images that multiply the same matrix
 * are those of one product. */
static product product_of(const atl_node *node)
{
    atl_shape y = atl_shape_of(node), a = atl_shape_of(atl_input_of(node, 0)), b = atl_shape_of(atl_input_of(node, 1));
    product p = {.m = y.size[y.rank - 2], .n = y.size[y.rank - 1]};
    p.k = a.size[a.rank - 1] * a.size[a.rank - 2] / p.m;
    p.batches = atl_shape_count(y) / (p.m * p.n);
    if (atl_shape_count(b) == p.k * p.n) {
        p.m *= p.batches;
        p.batches = 1;
    }
    return p;
}

/* The plan may compute some rows only, or multiply only those terms that are not zero: the pass `narrow`.  Products
 * that became part of an attention step are not found in the plan, and are whole. */
static product narrowed(product p, const atl_node *node, const atl_program *program)
{
    const double whole = 2 * (double)p.batches * (double)p.m * (double)p.k * (double)p.n;
    for (int64_t i = 0; i < atl_program_step_count(program); i++) {
        atl_step_info info;
        if (atl_program_step(program, i, &info) || info.prepack || info.origin != node || info.flops <= 0 ||
            strncmp(info.op, "matmul", 6) != 0 || info.flops >= whole)
            continue;
        int64_t *size = atl_shape_count(info.shape) * info.turns < p.batches * p.m * p.n ? &p.m : &p.k;
        *size = llround((double)*size * info.flops / whole);
        break;
    }
    return p;
}

static choice best_of_node(const atl_node *node)
{
    const char *op = atl_op_of(node)->name;
    atl_shape y = atl_shape_of(node), a = atl_shape_of(atl_input_of(node, 0)), b = atl_shape_of(atl_input_of(node, 1));
    if (strcmp(op, "conv2d") == 0)
        return best_convolution(FORWARD, a.size, b.size, y.size);
    if (strcmp(op, "conv2d_input_grad") == 0)
        return best_convolution(OF_IMAGE, y.size, b.size, a.size);
    if (strcmp(op, "conv2d_filter_grad") == 0)
        return best_convolution(OF_FILTER, a.size, y.size, b.size);
    if (strcmp(op, "max_pool2d") == 0)
        return best_pooling(0, a.size, y.size, window_of(node));
    if (strcmp(op, "max_pool2d_grad") == 0)
        return best_pooling(1, y.size, a.size, window_of(node));
    if (strcmp(op, "lrn") == 0 || strcmp(op, "lrn_grad") == 0)
        return best_lrn(op[3] != 0, y.size);
    return (choice){0};
}

/* Equal work uses the same choice.  p: of a product. */
static const choice *choice_of_node(const atl_node *node, const product *p, const char *key)
{
    static char keys[MOST_SEEN][200];
    static choice choices[MOST_SEEN];
    static int seen;
    for (int i = 0; i < seen; i++)
        if (strcmp(keys[i], key) == 0)
            return &choices[i];
    if (seen == MOST_SEEN) {
        fprintf(stderr, "lower_bound: more than %d nodes of different work: raise MOST_SEEN\n", MOST_SEEN);
        exit(1);
    }
    snprintf(keys[seen], sizeof keys[seen], "%s", key);
    choices[seen] = p ? best_product(*p) : best_of_node(node);
    return &choices[seen++];
}

static void add_node(const atl_node *node, const atl_program *program)
{
    char key[200], shape[3][60];
    product p;
    if (is_product(node)) {
        p = narrowed(product_of(node), node, program);
        snprintf(key, sizeof key, "%" PRId64 " times [%" PRId64 ", %" PRId64 "] x [%" PRId64 ", %" PRId64 "]",
                 p.batches, p.m, p.k, p.k, p.n);
    } else
        snprintf(key, sizeof key, "%s%s%s%s", atl_op_of(node)->name,
                 atl_shape_text(atl_shape_of(node), shape[0], sizeof shape[0]),
                 atl_shape_text(atl_shape_of(atl_input_of(node, 0)), shape[1], sizeof shape[1]),
                 atl_shape_text(atl_shape_of(atl_input_of(node, 1)), shape[2], sizeof shape[2]));
    const choice *how = choice_of_node(node, is_product(node) ? &p : NULL, key);
    if (how->primitive)
        add_primitive(how, key);
}

static void add_primitives(const built_case *b)
{
    static char needed[MOST_NODES];
    for (int64_t i = 0; i < b->count; i++)
        needed[atl_index_of(b->outputs[i])] = 1;
    for (int64_t i = atl_graph_node_count(b->graph); i-- > 0;) /* inputs come before their users */
        for (int k = 0; needed[i] && k < atl_input_count(atl_graph_node(b->graph, i)); k++)
            needed[atl_index_of(atl_input_of(atl_graph_node(b->graph, i), k))] = 1;
    for (int64_t i = 0; i < atl_graph_node_count(b->graph); i++)
        if (needed[i])
            add_node(atl_graph_node(b->graph, i), b->program);
}

static int is_primitive(const char *op)
{
    static const char *const beginnings[] = {"conv2d", "matmul", "attention", "max_pool2d", "lrn", "reorder"};
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
        if (strncmp(op, beginnings[i], strlen(beginnings[i])) == 0)
            return 1;
    return 0;
}

/* Adds the remaining steps as copies.  A plan lists reorders under the op that reads the result; reorders of filters
 * and images do not count.  Batch norm in training counts: it makes as many passes over memory as oneDNN's
 * primitive. */
static void add_others(const built_case *b)
{
    for (int64_t i = 0; i < atl_program_step_count(b->program); i++) {
        atl_step_info info;
        if (!atl_program_step(b->program, i, &info) && !info.prepack && !is_primitive(info.op))
            add_copy(info.bytes, info.node);
    }
}

static void add_up(const bench_case *c)
{
    double primitives = 0, others = 0, least = 0, bytes = 0;
    for (int i = 0; i < work_count; i++) {
        work *w = works[i];
        double seconds = median_of(w->times, rounds);
        *(w->how ? &primitives : &others) += seconds;
        least += w->times[0];
        bytes += w->how ? 0 : 2 * (double)w->bytes;
        if (getenv("LOWER_BOUND_VERBOSE"))
            fprintf(stderr, "%10.3f ms, alone %10.3f  %-28s %s\n", seconds * 1e3, w->how ? w->how->seconds * 1e3 : 0,
                    w->how ? w->how->implementation : "copy", w->key);
    }
    printf(
        "{\"case\": \"%s\", \"who\": \"lower_bound\", \"unit\": \"ms\", \"median\": %.6f, \"min\": %.6f, \"runs\": %d, "
        "\"primitives\": %.6f, \"bytes\": %.0f}\n",
        c->name, (primitives + others) * 1e3, least * 1e3, rounds, primitives * 1e3, bytes);
}

static int measure(const bench_case *c)
{
    built_case b;
    int ok = open_case(c, &b) && atl_graph_node_count(b.graph) < MOST_NODES;
    if (ok) {
        begin_ring((size_t)atl_program_arena_bytes(b.program) + 64);
        add_primitives(&b);
        add_others(&b);
        time_works();
        add_up(c);
    }
    close_case(&b);
    return ok;
}

int main(int argc, char **argv)
{
    const bench_case *c = argc > 1 ? bench_case_find(argv[1]) : NULL;
    if (argc > 2)
        rounds = atoi(argv[2]);
    if (!c || rounds < 1 || rounds > MOST_ROUNDS) {
        fputs("usage: lower_bound CASE [ROUNDS]\n", stderr);
        return 2;
    }
    if (dnnl_engine_create(&engine, dnnl_cpu, 0) || dnnl_stream_create(&stream, engine, dnnl_stream_default_flags))
        return 1;
    int ok = measure(c);
    dnnl_stream_destroy(stream);
    dnnl_engine_destroy(engine);
    return !ok;
}
#endif
