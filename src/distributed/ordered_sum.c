/* Sums along a fixed binary tree. */
#include "distributed/ordered_sum.h"

static int are_siblings(const atl_piece *a, const atl_piece *b)
{
    return a->level == b->level && (a->first >> a->level) % 2 == 0 && b->first == a->first + ((int64_t)1 << a->level);
}

void atl_add_weighted(float *to, const float *x, float weight, int64_t n)
{
    if (weight == 1)
        for (int64_t i = 0; i < n; i++)
            to[i] += x[i];
    else
        for (int64_t i = 0; i < n; i++)
            to[i] += x[i] * weight;
}

static void add_last(atl_pieces *pieces, int64_t n)
{
    atl_piece *left = &pieces->piece[pieces->count - 2], *right = left + 1;
    atl_add_weighted(left->at, right->at, 1, n);
    left->level++;
    pieces->count--;
}

int atl_completes_pair(const atl_pieces *pieces, int64_t part)
{
    const atl_piece next = {.first = part};
    return pieces->count > 0 && are_siblings(&pieces->piece[pieces->count - 1], &next);
}

void atl_append_piece(atl_pieces *pieces, atl_piece piece, int64_t n)
{
    pieces->piece[pieces->count++] = piece;
    while (pieces->count > 1 && are_siblings(&pieces->piece[pieces->count - 2], &pieces->piece[pieces->count - 1]))
        add_last(pieces, n);
}

void atl_finish_sum(atl_pieces *pieces, int64_t n)
{
    for (int i = 1; i < pieces->count; i++)
        atl_add_weighted(pieces->piece[0].at, pieces->piece[i].at, 1, n);
    pieces->count = 1;
}

int64_t atl_parts_of_rank(int64_t parts, int rank, int size, int64_t *first_out)
{
    *first_out = parts * rank / size;
    return parts * (rank + 1) / size - *first_out;
}

void atl_pieces_of_parts(int64_t first, int64_t count, atl_pieces *pieces)
{
    pieces->count = 0;
    for (int64_t i = 0; i < count; i++)
        atl_append_piece(pieces, (atl_piece){.first = first + i}, 0);
}

int atl_pieces_of_rank(int64_t parts, int rank, int size, atl_pieces *pieces_out)
{
    int64_t first, count = atl_parts_of_rank(parts, rank, size, &first);
    int most = 0;
    pieces_out->count = 0;
    for (int64_t i = 0; i < count; i++) {
        int pairs = atl_completes_pair(pieces_out, first + i); /* then it is added where its sibling is */
        most = pieces_out->count + !pairs > most ? pieces_out->count + !pairs : most;
        atl_append_piece(pieces_out, (atl_piece){.first = first + i}, 0);
    }
    return most;
}
