/* A sum whose result does not depend on who computes which part of it: M parts, numbered from 0, are added along a
 * fixed binary tree, so each addition of floats has the same operands wherever it is done. */
#ifndef ATLED_DISTRIBUTED_ORDERED_SUM_H
#define ATLED_DISTRIBUTED_ORDERED_SUM_H

#include <stdint.h>

enum { ATL_MOST_PIECES = 64 }; /* of one rank: two for each level of the tree */

/* The sum of the parts first, first + 1, ..., first + 2^level - 1; first is a multiple of 2^level. */
typedef struct atl_piece {
    int64_t first;
    int level;
    float *at;
} atl_piece;

/* Sums of neighbouring parts, each as large as the tree allows. */
typedef struct atl_pieces {
    int count;
    atl_piece piece[ATL_MOST_PIECES];
} atl_pieces;

/* True if part `part`, which comes next, is the right child of the last piece, which is a single part. */
int atl_completes_pair(const atl_pieces *pieces, int64_t part);
/* Appends a piece, and adds pairs of siblings as long as there are any; n: floats at each piece's `at`, which may be
 * null if n is 0. */
void atl_append_piece(atl_pieces *pieces, atl_piece piece, int64_t n);
/* Adds all that is left, the largest first: the sum of all parts is at the first piece. */
void atl_finish_sum(atl_pieces *pieces, int64_t n);

/* The parts of one rank: from *first_out to before the result. */
int64_t atl_parts_of_rank(int64_t parts, int rank, int size, int64_t *first_out);
/* The pieces that remain of the parts from `first` on, so many. */
void atl_pieces_of_parts(int64_t first, int64_t count, atl_pieces *pieces_out);
/* The pieces that remain when a rank has added its own parts; returns the largest number that it has at a time. */
int atl_pieces_of_rank(int64_t parts, int rank, int size, atl_pieces *pieces_out);

/* to[i] += x[i] * weight; with a weight of 1 without the product. */
void atl_add_weighted(float *to, const float *x, float weight, int64_t n);

#endif
