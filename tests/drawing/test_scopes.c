/* Drawings of scopes: frames, boxes, edges between them, and gradients. */
#include "drawings.h"

TestSuite(scopes, .init = make_graph, .fini = free_graph);

Test(scopes, scopes_are_frames_within_frames)
{
    atl_node *h = image_of(4);
    atl_enter(graph, "block");
    h = layer(layer(h, "one"), "two");
    atl_leave(graph);
    char *text = DRAWN(graph);
    check_counts(text, 11, 10);
    cr_assert_eq(count_of(text, "subgraph"), 4); /* block, one, two, and the forward part as a whole */
    cr_assert(strstr(text, "label=<block>") < strstr(text, "label=<one>"));
    cr_assert(strstr(text, "label=<one>") < strstr(text, "label=<two>"));
    atl_release(text);
}

Test(scopes, a_scope_at_the_depth_is_one_box)
{
    atl_node *image = image_of(4), *h = image;
    atl_enter(graph, "block");
    h = layer(layer(h, "one"), "two");
    atl_leave(graph);
    atl_node *y = atl_square(h);
    char *text = DRAWN(graph, .depth = 1);
    check_counts(text, 3, 2);
    cr_assert_mentions(text, "<b>block</b><br/><font point-size=\"9\" color=\"#5f6b78\">10 nodes</font>");
    cr_assert_mentions(node_line(text, y), "square");
    atl_release(text);
    text = DRAWN(graph, .depth = 2);
    check_counts(text, 4, 3);
    cr_assert_mentions(text, "label=<block>");
    cr_assert_eq(count_of(text, ">5 nodes<"), 2);
    atl_release(text);
    text = DRAWN(graph, .depth = 3);
    check_counts(text, 12, 11);
    atl_release(text);
}

Test(scopes, edges_between_the_same_two_boxes_are_one)
{
    atl_node *image = image_of(4);
    atl_enter(graph, "a");
    atl_node *p = atl_neg(image), *q = atl_exp(image);
    atl_leave(graph);
    atl_enter(graph, "b");
    atl_add(atl_mul(p, q), atl_add(p, atl_fill(q, 1)));
    atl_leave(graph);
    char *text = DRAWN(graph, .depth = 1);
    check_counts(text, 3, 2);
    cr_assert_eq(count_of(text, " 2 tensors "), 1); /* p and q, however often they are used */
    cr_assert_eq(count_of(text, " ?\xc3\x97"
                                "4 "),
                 1);
    cr_assert_eq(count_of(text, "dashed"), 0); /* q goes there as a value, too */
    atl_release(text);
}

Test(scopes, the_gradient_has_a_colour_and_a_frame_and_runs_upwards)
{
    atl_node *image = image_of(4), *y = layer(image, "one"), *slope = atl_gradient(y, image);
    char *text = DRAWN(graph);
    cr_assert_mentions(text, "label=<gradients>");
    cr_assert_eq(count_of(text, "label=<one>"), 2);
    char forward[2048], gradient[2048];
    snprintf(forward, sizeof forward, "%s", node_line(text, y));
    snprintf(gradient, sizeof gradient, "%s", node_line(text, slope));
    cr_assert_null(strstr(forward, "#d9813f"));
    cr_assert_mentions(gradient, "#d9813f");
    /* slope = d * weights: edges from the forward part keep their direction, those within the gradient are reversed */
    atl_node *d = atl_input_of(slope, 0), *weights = atl_input_of(slope, 1);
    cr_assert_mentions(edge_line(text, slope, d), "dir=back");
    cr_assert_mentions(edge_line(text, weights, slope), "xlabel=\" 4 \"");
    atl_release(text);
}

Test(scopes, each_gradient_is_drawn_by_itself)
{
    atl_node *slope = slope_of_three_layers();
    atl_gradient(slope, atl_find(graph, "image"));
    char *text = DRAWN(graph);
    cr_assert_mentions(text, "label=<gradients>");
    cr_assert_mentions(text, "label=<gradients_1>");
    cr_assert_eq(count_of(text, "label=<two>"), 3);
    cr_assert_mentions(text, "#8e5bb5");
    atl_release(text);
    text = DRAWN(graph, .depth = 1); /* the gradients themselves stay open */
    cr_assert_mentions(text, "label=<gradients>");
    cr_assert_eq(count_of(text, "<b>two</b>"), 3);
    atl_release(text);
}

Test(scopes, scopes_may_be_very_deep)
{
    atl_node *h = image_of(4);
    for (int i = 0; i < 400; i++)
        atl_enter(graph, "x");
    h = atl_neg(h);
    char *text = DRAWN(graph);
    cr_assert_eq(count_of(text, "subgraph"), 401);
    atl_release(text);
}

/* What batch norm is made of is one box, in the forward part and in the gradient; its variables stay outside. */
Test(scopes, batch_norm_is_one_box_unless_it_is_unfolded)
{
    atl_node *h = atl_input(graph, "x", ATL_FLOAT32, ATL_SHAPE(2, 4, 4, 3)), *y = atl_batch_norm_layer(h, "bn");
    atl_named(atl_gradient(atl_sum(y), h), "dx");
    char *text = DRAWN(graph), *open = DRAWN(graph, .unfolded = true);
    cr_assert_mentions(text, "<b>batch_norm</b>");
    cr_assert_mentions(text, "(variable)");
    cr_assert_eq(count_of(text, "tooltip=\"bn/batch_norm/sqrt "), 0);
    cr_assert_eq(count_of(open, "<b>batch_norm</b>"), 0);
    cr_assert_eq(count_of(open, "tooltip=\"bn/batch_norm/sqrt "), 1);
    cr_assert_lt(count_of(text, "tooltip="), count_of(open, "tooltip="));
    atl_release(text);
    atl_release(open);
}

/* Numbered scopes of ops are folded, names that only begin like them are not. */
Test(scopes, only_whole_names_of_ops_are_folded)
{
    atl_node *h = image_of(4);
    static const char *const name[] = {"dropout_12", "dropouts", "dropout_x", "my_dropout"};
    for (int i = 0; i < 4; i++) {
        atl_enter(graph, name[i]);
        h = atl_exp(h);
        atl_leave(graph);
    }
    char *text = DRAWN(graph);
    cr_assert_eq(count_of(text, ">1 node<"), 1);
    cr_assert_eq(count_of(text, "label=<dropout_12>"), 0);
    cr_assert_eq(count_of(text, "label=<dropout"), 2);
    atl_release(text);
}

Test(scopes, named_scopes_are_folded)
{
    atl_node *h = image_of(4);
    atl_enter(graph, "block");
    h = layer(layer(h, "one"), "two");
    atl_leave(graph);
    layer(h, "one");
    char *text = DRAWN(graph, .folded = {"block/two", "one"});
    cr_assert_mentions(text, "label=<block>");
    cr_assert_eq(count_of(text, ">5 nodes<"), 2);
    cr_assert_eq(count_of(text, "label=<one>"), 1);
    atl_release(text);
}

Test(scopes, a_legend_on_request)
{
    image_of(4);
    char *plain = DRAWN(graph), *text = DRAWN(graph, .legend = true);
    cr_assert_eq(count_of(plain, "legend"), 0);
    cr_assert_mentions(text, "cluster_legend");
    cr_assert_mentions(text, "its shape only");
    atl_release(plain);
    atl_release(text);
}
