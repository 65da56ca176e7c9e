/* Scopes of names, boxes and edges, as the explorer draws them. */
#include "drawings.h"

#include "drawing/explorer_scopes.h"

TestSuite(explorer_scopes, .init = make_graph, .fini = free_graph);

static explorer_page collected(const atl_dot_args *args)
{
    explorer_page p = {.d = {.args = args}};
    cr_assert_eq(dot_check_arguments(args, &p.d.graph), ATL_OK);
    cr_assert_eq(explorer_collect(&p), ATL_OK);
    return p;
}

static int has_scope(const explorer_page *p, const char *path)
{
    int found = 0;
    for (int64_t k = 0; k < p->scopes; k++)
        found += p->scope[k]->length == (int64_t)strlen(path) && strncmp(p->scope[k]->path, path, strlen(path)) == 0;
    return found;
}

Test(explorer_scopes, end_at_slashes_and_at_the_dots_of_pytorch)
{
    atl_node *image = image_of(4);
    atl_enter(graph, "layer1.0.conv1");
    atl_node *h = atl_named(atl_relu(image), "relu");
    atl_leave(graph);
    atl_named(atl_add_scalar(h, 0.5f), "0.5"); /* a number is no scope */
    explorer_page p = collected(&(atl_dot_args){.graph = graph});
    cr_assert_eq(has_scope(&p, "layer1"), 1);
    cr_assert_eq(has_scope(&p, "layer1.0"), 1);
    cr_assert_eq(has_scope(&p, "layer1.0.conv1"), 1);
    cr_assert_eq(has_scope(&p, "0"), 0);
    cr_assert_eq(p.scopes, 4);
    explorer_release(&p);
}

/* An edge lies in the smallest scope with both ends, and between two boxes there is one. */
Test(explorer_scopes, edges_lie_where_both_ends_are)
{
    atl_node *image = image_of(4);
    atl_enter(graph, "a");
    atl_node *inner = atl_tanh(atl_relu(image)); /* one edge within a, one from image to a */
    atl_leave(graph);
    atl_enter(graph, "b");
    atl_add(inner, atl_exp(inner)); /* two uses of a's value, one edge from a to b, one within b */
    atl_leave(graph);
    explorer_page p = collected(&(atl_dot_args){.graph = graph});
    int64_t outside = 0;
    for (int64_t i = 0; i < p.edges; i++)
        outside += p.edge[i].scope == 0;
    cr_assert_eq(outside, 2);
    cr_assert_eq(p.edges, 4);
    explorer_release(&p);
}

static const char *scope_of(const explorer_page *p, const atl_node *node, char text[64])
{
    const explorer_scope *scope = p->scope[p->scope_of[atl_index_of(node)]];
    snprintf(text, 64, "%.*s", (int)scope->length, scope->path);
    return text;
}

/* As in a file of ONNX, where names of weights and of nodes have nothing in common. */
Test(explorer_scopes, weights_of_other_names_are_drawn_where_they_are_read)
{
    char text[64];
    atl_node *image = image_of(4);
    atl_shape shape = ATL_SHAPE(4);
    atl_node *folded = atl_variable(graph, "onnx::Conv_4", shape, atl_zeros());
    atl_node *dotted = atl_variable(graph, "blocks.0.fc.weight", shape, atl_zeros());
    atl_node *shared = atl_variable(graph, "shared.weight", shape, atl_zeros());
    atl_node *outside = atl_variable(graph, "top.weight", shape, atl_zeros());
    atl_enter(graph, "blocks/0/fc");
    atl_node *own = atl_variable(graph, "weights", shape, atl_zeros());
    atl_node *h = atl_add(atl_mul(atl_mul(image, folded), dotted), atl_mul(shared, own));
    atl_leave(graph);
    atl_enter(graph, "head");
    h = atl_mul(h, shared);
    atl_leave(graph);
    atl_mul(h, outside);
    explorer_page p = collected(&(atl_dot_args){.graph = graph});
    cr_expect_str_eq(scope_of(&p, folded, text), "blocks/0/fc");
    cr_expect_str_eq(scope_of(&p, dotted, text), "blocks/0/fc");
    cr_expect_str_eq(scope_of(&p, own, text), "blocks/0/fc");
    cr_expect_str_eq(scope_of(&p, shared, text), "shared");
    cr_expect_str_eq(scope_of(&p, outside, text), "top");
    cr_expect_eq(has_scope(&p, "blocks.0.fc"), 0);
    explorer_release(&p);
}

Test(explorer_scopes, what_follows_a_gradient_is_the_optimizer)
{
    atl_node *w = atl_variable(graph, "w", ATL_SHAPE(3), atl_fill_with(1)), *cost = atl_sum(atl_square(w));
    atl_node *step = atl_minimize(cost, atl_sgd(.rate = 0.1f));
    cr_assert(step, "%s", atl_error());
    explorer_page p = collected(&(atl_dot_args){.graph = graph});
    cr_assert(!p.is_optimizer[w->index] && !p.is_optimizer[cost->index]);
    int64_t assignments = 0;
    for (int64_t i = 0; i < graph->count; i++)
        if (graph->nodes[i]->op->flags & ATL_OP_ASSIGN) {
            cr_assert(p.is_optimizer[i]);
            assignments++;
        }
    cr_assert_gt(assignments, 0);
    explorer_release(&p);
}
