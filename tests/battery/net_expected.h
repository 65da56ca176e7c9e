/* What the double reference says about a random network: the values of its outputs, and what its variables become. */
#ifndef ATLED_TESTS_NET_EXPECTED_H
#define ATLED_TESTS_NET_EXPECTED_H

#include "net.h"

enum { MOST_VARIABLES = 200, MOST_EXPECTED = 256 };

/* The double reference's values of one network for one batch size: of its outputs, then of what is assigned. */
typedef struct expected {
    net n;
    int64_t batch;
    atl_tensor *pixels;
    atl_feed feeds[2]; /* the oracle reads them as long as it lives */
    int count;
    atl_node *node[MOST_EXPECTED];
    int assigned[MOST_VARIABLES]; /* place in node[] of what variable i becomes; 0: it stays */
    oracle *bound;                /* null if the image holds a NaN */
    atl_reference *exact;         /* then this */
    int cannot_step;              /* the cost is not finite */
} expected;

const atl_tensor *expected_value(const expected *e, int i);
/* The network for one batch size, with these values of its variables, or those it starts with.  0 with atl_error()
 * set; to be forgotten all the same. */
int expect(expected *e, const net_recipe *recipe, int64_t batch, uint64_t attempt, const atl_graph *variables_of);
/* The same network with other pixels, which it takes over. */
int expect_for(expected *e, atl_tensor *pixels);
void forget(expected *e);
/* True if the value is what is expected of node[i]; else `text` says where it is not. may_spread, may_lack: see
 * keeps_nan. */
int is_as_expected(const expected *e, int i, const atl_tensor *value, int may_spread, int may_lack, char *text,
                   size_t size);

#endif
