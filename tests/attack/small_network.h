/* A small network for the tests of attacks: two layers on pictures of 6 x 6 pixels, and random pictures. */
#ifndef ATLED_TESTS_ATTACK_SMALL_NETWORK_H
#define ATLED_TESTS_ATTACK_SMALL_NETWORK_H

#include <string.h>

#include "support.h"

enum { SIDE = 6, CLASSES = 5, ELEMENTS = SIDE * SIDE * 3 };

typedef struct small_network {
    atl_graph *graph;
    atl_node *image, *scores;
    atl_program *program; /* the scores, compiled apart from the attacker */
} small_network;

static inline small_network make_network(void)
{
    small_network net = {.graph = atl_graph_new()};
    atl_set_seed(net.graph, test_seed());
    net.image = atl_input(net.graph, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, SIDE, SIDE, 3));
    atl_node *h = atl_scale(atl_add_scalar(net.image, -127.5f), 1 / 64.0f);
    h = atl_dense_layer(atl_flatten(h), "hidden", 16, .activation = atl_tanh);
    net.scores = atl_dense_layer(h, "scores", CLASSES, .initializer = atl_normal(1));
    net.program = atl_compile(net.graph, ATL_NODES(net.scores));
    cr_assert(net.program, "%s", atl_graph_error(net.graph));
    return net;
}

static inline void free_network(small_network *net)
{
    atl_program_free(net->program);
    atl_graph_free(net->graph);
}

/* Whole levels. */
static inline atl_tensor *random_pictures(int64_t count)
{
    atl_tensor *pictures = random_tensor(ATL_SHAPE(count, SIDE, SIDE, 3), 0, 255);
    for (int64_t i = 0; i < atl_tensor_count(pictures); i++)
        atl_floats(pictures)[i] = floorf(atl_floats(pictures)[i]);
    return pictures;
}

/* What the network takes a picture for. */
static inline int class_of_picture(const small_network *net, const float *pixels)
{
    atl_tensor *image = atl_tensor_of_floats(ATL_SHAPE(1, SIDE, SIDE, 3), pixels);
    cr_assert(atl_run(net->program, ATL_FEED(net->image, image)) == ATL_OK, "%s", atl_error());
    const float *z = atl_floats(atl_value(net->program, net->scores));
    int top = 0;
    for (int i = 1; i < CLASSES; i++)
        top = z[i] > z[top] ? i : top;
    atl_tensor_free(image);
    return top;
}

/* All results of a call, by position. */
typedef struct results {
    int64_t count, room, stop_after; /* stop_after 0: never */
    atl_attack_result *result;
    float *pixels;
} results;

static inline results make_results(int64_t room)
{
    return (results){.room = room,
                     .result = calloc((size_t)room, sizeof(atl_attack_result)),
                     .pixels = calloc((size_t)(room * ELEMENTS), sizeof(float))};
}

static inline void free_results(results *r)
{
    free(r->result);
    free(r->pixels);
}

static inline int keep_result(void *context, const atl_attack_result *result)
{
    results *r = context;
    r->result[result->position] = *result;
    memcpy(r->pixels + result->position * ELEMENTS, result->pixels, ELEMENTS * sizeof(float));
    r->result[result->position].pixels = r->pixels + result->position * ELEMENTS;
    return ++r->count == r->stop_after;
}

/* Attacks args.pictures with this many threads and rows of a batch (0: as many as the attacker takes by itself).  Every
 * picture has a result. */
static inline results attack_pictures(const small_network *net, atl_attack_args args, int threads, int64_t rows)
{
    results r = make_results(atl_tensor_shape(args.pictures).size[0]);
    args.attacker = atl_attacker_new(net->image, net->scores, .threads = threads, .rows = rows);
    cr_assert(args.attacker, "%s", atl_error());
    args.watch = keep_result;
    args.context = &r;
    cr_assert_eq(atl_attack_with(&args), ATL_OK, "%s", atl_error());
    cr_assert_eq(r.count, r.room);
    atl_attacker_free(args.attacker);
    return r;
}

static inline int count_met(const results *r)
{
    int met = 0;
    for (int64_t i = 0; i < r->count; i++)
        met += r->result[i].met;
    return met;
}

#endif
