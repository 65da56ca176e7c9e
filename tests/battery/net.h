/* Random networks.  A recipe is a short list of numbers: layers and options.  Any numbers make a valid network, so a
 * recipe can be drawn at random, and layers can be removed from it until only what fails remains. */
#ifndef ATLED_TESTS_NET_H
#define ATLED_TESTS_NET_H

#include "battery.h"

enum { MOST_LAYERS = 12, LAYER_PARAMETERS = 5, MOST_OUTPUTS = 48, NET_TEXT = 4000 };

/* A layer computes value k + 1 of the network from the values a and b; value 0 is the image. If the operands of a
 * layer do not fit, it passes value a through. */
typedef struct net_layer {
    int kind; /* 0: passes its operand through */
    int a, b;
    int p[LAYER_PARAMETERS];
} net_layer;

typedef enum net_option {
    NET_BATCH, /* of the image, as are the next three */
    NET_HEIGHT,
    NET_WIDTH,
    NET_CHANNELS,
    NET_ALIGNED,      /* 1: channels are multiples of 16; 2: of 8; 0: any */
    NET_ANY_BATCH,    /* the batch size is unknown when the program is compiled, and it is run with several */
    NET_HEAD,         /* the layers after the last value */
    NET_LOSS,         /* how the cost is computed from the last value */
    NET_LEAVES,       /* 1: every unused value is a part of the cost */
    NET_DECAY,        /* 1: the cost has weight decay */
    NET_BY_IMAGE,     /* 1: the gradient of the cost with respect to the image is an output */
    NET_BY_VARIABLES, /* gradients with respect to variables are outputs: 1: the first; 2: all */
    NET_BY_VALUE,     /* also the gradient with respect to this value; 0: none */
    NET_SECOND_COST,  /* 1: gradients of the mean of the last value are outputs, too */
    NET_SECOND_ORDER, /* 1: the gradient of the squared gradient with respect to the image is an output */
    NET_WANTS,        /* bit k: value k + 1 is an output */
    NET_OPTIMIZER,    /* 0: no training step */
    NET_STEP_FORM,    /* an op around the node of the training step: reshape, stack, ... */
    NET_CLIP,         /* 1, 2, 3: gradients are clipped by value, norm, global norm */
    NET_AVERAGE,      /* 1: moving averages of the variables */
    NET_BFLOAT16,     /* 1: products may round their operands */
    NET_THREADS,      /* 1 or 2 */
    NET_TIMING,       /* 1: measured times select the algorithms */
    NET_NAN,          /* 1: one element of the image is NaN */
    NET_FEED_BACK,    /* 1: an output of the shape of the image is fed to the program itself */
    NET_CONTEXT,      /* 1: a second context runs as well as the program's own */
    NET_TWO_PROGRAMS, /* 1: a program that only computes the value runs before and after the training step */
    NET_OPTIONS
} net_option;

typedef struct net_recipe {
    uint64_t seed, number;
    int layers;
    net_layer layer[MOST_LAYERS];
    int option[NET_OPTIONS];
} net_recipe;

/* A network, built. */
typedef struct net {
    const net_recipe *recipe;
    atl_graph *graph;
    atl_node *value[MOST_LAYERS + 1];
    char used[MOST_LAYERS + 1];
    atl_node *image, *last, *cost;
    int outputs;
    atl_node *output[MOST_OUTPUTS];
    char about[MOST_OUTPUTS][40]; /* "the cost", ... */
    double products;              /* multiplications of the forward part, for an image of one */
    char text[NET_TEXT];          /* the layers, one a line */
} net;

net_recipe net_draw(uint64_t seed, uint64_t number);

/* ---- layers (net_layers.c) --------------------------------------------------------------------------------------- */

int net_kinds(void);
/* The number of settings of parameter i of a kind; the largest value is one less. */
int net_settings(int kind, int i);
/* True if the kind needs a second operand of the same shape; 2: of the same shape except for the channels; 0: none. */
int net_second_operand(int kind);
/* How often a kind is drawn. */
int net_weight(int kind);
/* Makes value k + 1. */
void net_add_layer(net *n, int k);
void net_say(net *n, const char *format, ...) ATL_PRINTF(2, 3);

/* ---- the whole (net_build.c) ------------------------------------------------------------------------------------- */

/* The network for a batch (ATL_ANY is allowed).  Other values of `attempt` give other weights.  n->graph is to be
 * freed. */
void net_begin(net *n, const net_recipe *recipe, int64_t batch, uint64_t attempt);
void net_build(net *n, const net_recipe *recipe, int64_t batch, uint64_t attempt);
/* The recipe in words. */
void net_describe(const net_recipe *recipe, char *text, size_t size);

/* ---- the comparison (net_check.c) -------------------------------------------------------------------------------- */

/* The variants in which a network is compiled: with all passes, without any, and without each. */
int net_variants(void);
const char *net_variant_name(int variant);
/* True if the network computes what the double reference computes, in this variant (-1: in every variant).
 * Otherwise `text` describes the difference, and *variant_out is the first variant that fails. */
int net_agrees(const net_recipe *recipe, int variant, char *text, size_t size, int *variant_out);
/* Implementations of steps that net_agrees has seen, one per line with the number of programs. */
void net_print_implementations(FILE *file);

/* Removes everything that the failure in this variant does not need. */
net_recipe net_shrink(const net_recipe *recipe, int variant);

/* Draws, compares and, if it fails, shrinks a network.  Returns 0 with a description. */
int random_net_agrees(uint64_t seed, uint64_t number, char *text, size_t size);

#endif
