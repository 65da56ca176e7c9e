/* The groups of the pass "fuse", and which of their results are computed again where they are read. */
#ifndef ATLED_COMPILER_PASSES_FUSE_H
#define ATLED_COMPILER_PASSES_FUSE_H

#include "compiler/passes/rewrite.h"
#include "ops/expression.h"

enum { ATL_GROUP_READERS = 3 };

typedef struct grouped_node {
    int32_t root;      /* the node at whose position its group is computed; -1: it has no group */
    int32_t first_use; /* where the first of its users is computed; -1: it has none */
    int32_t next;      /* the next member of its group; -1: none */
    int32_t last;      /* of a root: the last member in this list */
    int32_t summed_by; /* the first group that reads it and computes sums; -1: none */
    uint32_t seen;     /* the last traversal that visited it */
    uint32_t listed;   /* the last traversal in whose list of members it was */
    int32_t place;     /* while its group is built: its register, plus one */
    int32_t inside;    /* while its group is counted: uses by other members */
    int32_t members;   /* of a root: number of members of the group */
    int32_t given;     /* of a root: an upper bound of the group's operands and results */
    int32_t arrays;
    int32_t reader[ATL_GROUP_READERS]; /* the other groups that read it; -1: none */
    int32_t results;                   /* of a root: arrays and sums that the group stores */
    int8_t is_result;                  /* its group stores it */
    int8_t is_kept;                    /* others compute something again from it, so it has to be stored */
    int8_t is_read_elsewhere;          /* by nodes without a group, by too many groups, or as an output */
} grouped_node;

typedef struct groups {
    grouped_node *of; /* for each old node */
    uint32_t walks;   /* number of traversals so far */
} groups;

/* The members of a group, in order, with those of other groups that are computed again for it. */
typedef struct group_members {
    const atl_node *node[ATL_EXPRESSION_LENGTH];
    int count, own;
    int arrays, vectors, numbers; /* read from outside: of the group's shape, of others, constants */
    int sums;
    uint32_t walk; /* grouped_node.listed of the members */
} group_members;

/* ---- fuse.c ---- */
int atl_group_is_number(const atl_node *node);
int atl_group_is_sum(const atl_node *node, atl_sum_form *form);
int atl_group_operands(const atl_node *node, const atl_node **x); /* the arrays that a member reads, and their number */
atl_shape atl_group_shape(const atl_node *root);                  /* over which the root's group runs */

/* ---- recompute.c ---- */

/* Decides for all nodes whether their groups store them: sets grouped_node.is_result. */
void atl_choose_results(const atl_rewrite *r, groups *g);
/* All members, for building the group. */
void atl_list_members(const atl_rewrite *r, groups *g, int64_t root, group_members *list_out);

#endif
