/* Random graphs: $ATLED_RANDOM_GRAPHS of them (2,000; under sanitizers 500), from the tests' seed, each in value and
 * gradient against the oracle.
 * Minutes: 10 */
#include "random_graph.h"

#include <stdlib.h>

enum { PORTIONS = 8 };

static struct criterion_test_params portions(void)
{
    static int portion[PORTIONS] = {0, 1, 2, 3, 4, 5, 6, 7};
    return cr_make_param_array(int, portion, PORTIONS);
}

ParameterizedTestParameters(random_graphs, agree_with_the_oracle) { return portions(); }
ParameterizedTest(int *portion, random_graphs, agree_with_the_oracle)
{
    const char *given = getenv("ATLED_RANDOM_GRAPHS");
    uint64_t count = given ? strtoull(given, NULL, 10) : FEWER(2000, 500);
    char text[3000];
    for (uint64_t i = (uint64_t)*portion; i < count; i += PORTIONS)
        cr_expect(random_graph_agrees(test_seed(), i, text, sizeof text), "%s", text);
}
