/* Random networks: $ATLED_RANDOM_NETS of them (500; under sanitizers 50), from the tests' seed, each compiled with all
 * passes, without any and without each, against the double reference.
 * Minutes: 10 */
#include "net.h"

#include <stdlib.h>

enum { PORTIONS = 10 };
/* A network takes 0.2 s, and under sanitizers some seconds. */
enum { NETS = FEWER(500, 50) };

static struct criterion_test_params portions(void)
{
    static int portion[PORTIONS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    return cr_make_param_array(int, portion, PORTIONS);
}

ParameterizedTestParameters(random_nets, agree_with_the_oracle) { return portions(); }
ParameterizedTest(int *portion, random_nets, agree_with_the_oracle)
{
    const char *given = getenv("ATLED_RANDOM_NETS");
    uint64_t count = given ? strtoull(given, NULL, 10) : NETS;
    char text[2 * NET_TEXT];
    for (uint64_t i = (uint64_t)*portion; i < count; i += PORTIONS) {
        fprintf(stderr, "net %llu of seed %llu\n", (unsigned long long)i,
                (unsigned long long)test_seed()); /* a crash tells */
        cr_expect(random_net_agrees(test_seed(), i, text, sizeof text), "%s", text);
    }
}
