/* transport: run by a launcher, checks each function of an atl_ranks over MPI.  Ends with 0 if all is well. */
#include <mpi.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "atled/atled.h"
#include "atled/mpi.h"

enum { MOST_RANKS = 64 };

static int failures;

static void expect(int is_true, const char *what, const atl_ranks *ranks)
{
    if (is_true)
        return;
    failures++;
    fprintf(stderr, "rank %d of %d: %s is wrong (%s)\n", ranks->rank, ranks->size, what, atl_error());
}

static void try_collectives(const atl_ranks *ranks)
{
    int send[MOST_RANKS], received[MOST_RANKS], right = 1;
    for (int i = 0; i < ranks->size; i++)
        send[i] = 100 * ranks->rank + i;
    right = ranks->all_to_all(ranks->context, send, received, sizeof *send) == ATL_OK;
    for (int i = 0; i < ranks->size; i++)
        right = right && received[i] == 100 * i + ranks->rank;
    expect(right, "all_to_all", ranks);

    char letter = (char)('a' + ranks->rank), letters[MOST_RANKS];
    right = ranks->all_gather(ranks->context, &letter, letters, 1) == ATL_OK;
    for (int i = 0; i < ranks->size; i++)
        right = right && letters[i] == 'a' + i;
    expect(right, "all_gather", ranks);

    float sums[2] = {(float)ranks->rank, 1};
    right = ranks->all_reduce(ranks->context, sums, 2) == ATL_OK;
    expect(right && sums[0] == (float)(ranks->size * (ranks->size - 1) / 2) && sums[1] == (float)ranks->size,
           "all_reduce", ranks);

    char text[8] = "other";
    int last = ranks->size - 1;
    if (ranks->rank == last)
        strcpy(text, "from");
    right = ranks->broadcast(ranks->context, text, sizeof text, last) == ATL_OK;
    expect(right && strcmp(text, "from") == 0, "broadcast", ranks);
}

/* All send to rank 0, each another number of bytes; rank 0 answers in the order in which they come. */
static void try_messages(const atl_ranks *ranks)
{
    char bytes[MOST_RANKS] = "";
    size_t size = 0;
    int from = -1, right = 1;
    for (int i = 1; ranks->rank == 0 && i < ranks->size; i++) {
        from = -1;
        right = right && ranks->await(ranks->context, &from, &size) == ATL_OK && from > 0 && size == (size_t)from;
        right = right && ranks->receive(ranks->context, bytes, size, from) == ATL_OK && bytes[size - 1] == from;
        right = right && ranks->send(ranks->context, bytes, 0, from) == ATL_OK;
    }
    if (ranks->rank > 0) {
        memset(bytes, ranks->rank, sizeof bytes);
        from = 0;
        right = ranks->send(ranks->context, bytes, (size_t)ranks->rank, 0) == ATL_OK &&
                ranks->await(ranks->context, &from, &size) == ATL_OK && size == 0 &&
                ranks->receive(ranks->context, bytes, 0, 0) == ATL_OK;
    }
    expect(right, "a message", ranks);
}

/* One step of each rank on w^2 / 2 * (rank + 1), in one program: the gradients' mean is w (size + 1) / 2. */
static void try_a_step(const atl_ranks *ranks)
{
    atl_graph *g = atl_graph_new();
    atl_node *w = atl_variable(g, "w", ATL_SCALAR, atl_fill_with(1));
    atl_node *cost = atl_scale(atl_square(w), (float)(ranks->rank + 1) / 2);
    atl_node *step = atl_minimize(cost, atl_sgd(.rate = 0.5), .all_reduce = atl_mpi_all_reduce(MPI_COMM_WORLD));
    atl_program *p = atl_compile(g, ATL_NODES(step));
    int right = p && atl_run(p, NULL) == ATL_OK;
    float mean = (float)(ranks->size + 1) / 2;
    right = right && *atl_floats(atl_variable_value(w)) == 1 - mean / 2 && atl_scalar_of(p, step) == mean / 2;
    expect(right, "a step", ranks);
    atl_program_free(p);
    atl_graph_free(g);
}

int main(int argc, char **argv)
{
    const atl_ranks *ranks = NULL;
    int wanted = argc > 1 ? atoi(argv[1]) : 1;
    expect(atl_mpi_ranks(MPI_COMM_WORLD) == NULL, "before MPI is initialised", &(atl_ranks){.size = 0});
    if (atl_mpi_begin(&argc, &argv, NULL) != ATL_INVALID || atl_mpi_begin(&argc, &argv, &ranks)) {
        fprintf(stderr, "%s\n", atl_error());
        return 1;
    }
    expect(ranks->size == wanted && ranks->size <= MOST_RANKS, "the number of ranks", ranks);
    expect(atl_mpi_ranks(MPI_COMM_WORLD) == ranks, "the second call", ranks);
    expect(*atl_mpi_version() != 0, "the version", ranks);
    expect(atl_mpi_watch(0) == ATL_INVALID, "a patience of 0", ranks);
    expect(atl_mpi_watch(60) == ATL_OK && !atl_mpi_is_lost(-1) && !atl_mpi_is_lost(0), "the watch", ranks);
    expect(ranks->size == 1 || atl_mpi_watch(60) == ATL_INVALID, "a second watch", ranks);
    try_collectives(ranks);
    try_messages(ranks);
    try_a_step(ranks);
    if (ranks->rank == 0)
        printf("%d ranks, %s\n", ranks->size, atl_mpi_version());
    atl_mpi_end();
    return failures > 0;
}
