/* random_graphs --count N --seed S [--first I]: runs any number of random graphs; prints each that differs. */
#include "random_graph.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
    uint64_t count = 2000, seed = 1, first = 0, bad = 0;
    char text[3000];
    for (int i = 1; i < argc; i += 2) {
        uint64_t *option = !strcmp(argv[i], "--count") ? &count : !strcmp(argv[i], "--seed") ? &seed : &first;
        if ((option == &first && strcmp(argv[i], "--first")) || i + 1 == argc) {
            fprintf(stderr, "usage: random_graphs [--count N] [--seed S] [--first I]\n");
            return 2;
        }
        *option = strtoull(argv[i + 1], NULL, 0);
    }
    for (uint64_t i = first; i < first + count; i++) {
        if (!random_graph_agrees(seed, i, text, sizeof text)) {
            printf("%s\n", text);
            bad++;
        }
        if ((i - first + 1) % 1000 == 0) {
            printf("%llu graphs, %llu disagree\n", (unsigned long long)(i - first + 1), (unsigned long long)bad);
            fflush(stdout);
        }
    }
    printf("seed %llu: %llu graphs, %llu disagree\n", (unsigned long long)seed, (unsigned long long)count,
           (unsigned long long)bad);
    return bad != 0;
}
