/* random_nets --count N --seed S [--first I]: runs any number of random networks; prints each that differs, reduced
 * as far as possible. */
#include "net.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static uint64_t seed = 1, number;

/* Names the network on a crash, with calls that are allowed in a signal handler. */
static void tell_of_crash(int signal_number)
{
    char text[200];
    int length = snprintf(text, sizeof text, "crashed in net %llu of seed %llu\n", (unsigned long long)number,
                          (unsigned long long)seed);
    if (write(STDERR_FILENO, text, (size_t)length) < 0)
        _exit(3);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static int usage(void)
{
    fprintf(stderr,
            "usage: random_nets [--count N] [--seed S] [--first I] [--dot FILE: draws the first net] [--steps 1]\n");
    return 2;
}

static int draw_net(const char *path)
{
    net_recipe recipe = net_draw(seed, number);
    net n;
    char text[NET_TEXT];
    net_describe(&recipe, text, sizeof text);
    printf("net %llu of seed %llu\n%s", (unsigned long long)number, (unsigned long long)seed, text);
    net_build(&n, &recipe, recipe.option[NET_ANY_BATCH] ? ATL_ANY : recipe.option[NET_BATCH], 0);
    int failed = atl_write_dot(n.graph, .path = path, .outputs = {n.outputs, n.output}) != ATL_OK;
    if (failed)
        fprintf(stderr, "%s\n", atl_error());
    atl_graph_free(n.graph);
    return failed;
}

int main(int argc, char **argv)
{
    uint64_t count = 500, first = 0, bad = 0, steps = 0;
    const char *dot = NULL;
    static char text[2 * NET_TEXT];
    for (int i = 1; i < argc; i += 2) {
        const char *names[] = {"--count", "--seed", "--first", "--steps", "--dot"};
        uint64_t *numbers[] = {&count, &seed, &first, &steps, NULL};
        int k = 0;
        while (k < 5 && strcmp(argv[i], names[k]))
            k++;
        if (k == 5 || i + 1 == argc)
            return usage();
        if (numbers[k])
            *numbers[k] = strtoull(argv[i + 1], NULL, 0);
        else
            dot = argv[i + 1];
    }
    signal(SIGSEGV, tell_of_crash);
    signal(SIGABRT, tell_of_crash);
    signal(SIGFPE, tell_of_crash);
    number = first;
    if (dot)
        return draw_net(dot);
    for (; number < first + count; number++) {
        if (!random_net_agrees(seed, number, text, sizeof text)) {
            printf("%s\n", text);
            bad++;
        }
        if ((number - first + 1) % 100 == 0) {
            printf("%llu nets, %llu disagree\n", (unsigned long long)(number - first + 1), (unsigned long long)bad);
            fflush(stdout);
        }
    }
    if (steps)
        net_print_implementations(stdout);
    printf("seed %llu: %llu nets from %llu, %llu disagree\n", (unsigned long long)seed, (unsigned long long)count,
           (unsigned long long)first, (unsigned long long)bad);
    return bad != 0;
}
