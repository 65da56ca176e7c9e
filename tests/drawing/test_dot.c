/* Drawings as text: what is drawn, how names are escaped, and that Graphviz reads every drawing. */
#include "drawings.h"

TestSuite(dot, .init = make_graph, .fini = free_graph);

Test(dot, an_empty_graph_is_drawn)
{
    char *text = DRAWN(graph);
    check_counts(text, 0, 0);
    atl_release(text);
}

/* Graphviz rejects an empty label. */
Test(dot, titles_and_names_without_a_character)
{
    atl_node *image = atl_input(graph, "a/", ATL_FLOAT32, ATL_SHAPE(2));
    atl_named(atl_tanh(image), "b//");
    char *text = DRAWN(graph, .title = "");
    cr_assert_not_null(text);
    cr_assert(!strstr(text, "></font>"), "%s", text);
    cr_assert(!strstr(text, "<b></b>"), "%s", text);
    cr_assert(!strstr(text, "label=<>"), "%s", text);
    atl_release(text);
}

Test(dot, every_node_and_every_use_of_a_value_is_drawn)
{
    atl_node *image = image_of(4);
    atl_mul(image, image);
    char *text = DRAWN(graph);
    check_counts(text, 2, 2);
    atl_release(text);
}

Test(dot, the_same_graph_gives_the_same_bytes)
{
    slope_of_three_layers();
    char *first = DRAWN(graph);
    atl_graph_free(graph);
    graph = atl_graph_new();
    slope_of_three_layers();
    char *second = DRAWN(graph), *third = DRAWN(graph);
    cr_assert_str_eq(first, second);
    cr_assert_str_eq(first, third);
    atl_release(first);
    atl_release(second);
    atl_release(third);
}

Test(dot, shapes_and_types_stand_on_edges)
{
    atl_node *labels = atl_input(graph, "labels", ATL_INT32, ATL_SHAPE(ATL_ANY));
    atl_node *image = atl_input(graph, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 28, 28, 3));
    atl_node *factor = atl_scalar(image, 2.5f);
    atl_node *scaled = atl_mul(image, factor), *floats = atl_cast(labels, ATL_FLOAT32);
    char *text = DRAWN(graph);
    cr_assert_mentions(edge_line(text, image, scaled), "label=\" ?\xc3\x97"
                                                       "28\xc3\x97"
                                                       "28\xc3\x97"
                                                       "3 \"");
    cr_assert_mentions(edge_line(text, labels, floats), "label=\" int32 ? \"");
    cr_assert_mentions(edge_line(text, factor, scaled), "label=\" scalar \"");
    cr_assert_mentions(node_line(text, factor), "<b>2.5</b>");
    atl_release(text);
}

Test(dot, inputs_that_give_only_their_shape_are_dashed)
{
    atl_node *image = image_of(4), *filled = atl_fill(image, 3), *sum = atl_add(filled, image);
    char *text = DRAWN(graph);
    cr_assert_mentions(edge_line(text, image, filled), "style=dashed");
    cr_assert_null(strstr(edge_line(text, image, sum), "dashed"));
    cr_assert_null(strstr(edge_line(text, filled, sum), "dashed"));
    cr_assert_mentions(node_line(text, filled), ">3</font>"); /* its attribute, in words */
    atl_release(text);
}

static bool infer_scalar(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, ATL_SCALAR); }
static void describe_at_length(const atl_node *y, char *text, size_t size)
{
    (void)y;
    snprintf(text, size, "3x3 \"wide\" & <tall>, stride 2 by 2, padding 1 1 1 1, 32 groups of 4");
}
static void reference_zero(const atl_node *y, const double *const *x, double *result)
{
    (void)y, (void)x;
    *result = 0;
}
static const atl_op wordy_op = {
    .name = "wordy", .arity = 1, .infer = infer_scalar, .reference = reference_zero, .describe = describe_at_length};

Test(dot, attributes_are_told_in_lines_of_readable_length)
{
    atl_node *node = atl_named(atl_apply(&wordy_op, image_of(4)), "mine");
    char *text = DRAWN(graph);
    cr_assert_mentions(node_line(text, node), "<b>mine</b><br/>");
    cr_assert_mentions(node_line(text, node), ">wordy 3x3 &quot;wide&quot; &amp; &lt;tall&gt;,<br/>stride 2 by 2");
    atl_release(text);
}

Test(dot, inputs_variables_constants_and_ops_look_different)
{
    atl_node *image = image_of(4), *weights = atl_variable(graph, "weights", ATL_SHAPE(4), atl_zeros());
    atl_node *two = atl_scalar(image, 2), *sum = atl_add(atl_mul(image, weights), two);
    atl_node *node[] = {image, weights, two, sum};
    char look[4][512];
    char *text = DRAWN(graph);
    for (int i = 0; i < 4; i++) {
        const char *end = strstr(node_line(text, node[i]), ">, ");
        snprintf(look[i], sizeof look[i], "%.*s", end ? (int)(strstr(end, "tooltip") - end) : 0, end ? end : "");
        for (int k = 0; k < i; k++)
            cr_assert_str_neq(look[i], look[k], "%s looks like %s", atl_name_of(node[i]), atl_name_of(node[k]));
    }
    atl_release(text);
}

Test(dot, any_bytes_may_stand_in_a_name)
{
    static const char *const names[] = {"\"quoted\"",
                                        "back\\slash\\N\\G\\",
                                        "two\nlines",
                                        "<b>no markup</b> & &amp; ]]> -->",
                                        "tab\tand\x01\x7f",
                                        "\xc3\xbc\xe2\x82\xac\xf0\x9f\x90\xb1",
                                        "\xff\xfe cut \xe2\x82",
                                        "\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xef\xbf\xbf",
                                        "a/b//c/",
                                        "/",
                                        "{record|<port>}",
                                        "digraph { a -> b [x=\"y\"]; }",
                                        "%s%n%d",
                                        "\xe2\x82"};
    atl_node *node = image_of(4);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        atl_enter(graph, names[i]);
        node = atl_named(atl_neg(node), "%s", names[i]);
        atl_leave(graph);
    }
    atl_gradient(node, atl_find(graph, "image"));
    for (int depth = 0; depth < 4; depth++) {
        char *text = DRAWN(graph, .depth = depth, .title = names[3]);
        cr_assert(depth || strstr(text, "<b>&quot;quoted&quot;</b>"));
        cr_assert(depth || strstr(text, "<b>back\\\\slash\\\\N\\\\G\\\\</b>"));
        cr_assert(depth || strstr(text, "<b>two<br/>lines</b>"));
        cr_assert(depth || strstr(text, "<b>\xc3\xbc\xe2\x82\xac\xf0\x9f\x90\xb1</b>"));
        cr_assert(depth || strstr(text, "<b>\xef\xbf\xbd\xef\xbf\xbd cut \xef\xbf\xbd\xef\xbf\xbd</b>"));
        atl_release(text);
    }
}

Test(dot, only_what_is_wanted_is_drawn)
{
    atl_node *image = image_of(4), *one = layer(image, "one"), *aside = layer(image, "aside"), *two = layer(one, "two");
    char *text = DRAWN(graph, .outputs = ATL_NODES(two));
    check_counts(text, 11, 10);
    cr_assert_mentions(node_line(text, two), "penwidth=2.4");
    cr_assert_null(strstr(text, "aside"));
    atl_release(text);
    text = DRAWN(graph, .outputs = ATL_NODES(NULL, aside));
    check_counts(text, 6, 5);
    atl_release(text);
    text = DRAWN(graph, .to = one);
    check_counts(text, 6, 5);
    atl_release(text);
    text = DRAWN(graph, .from = one);
    check_counts(text, 4, 3);
    atl_release(text);
    text = DRAWN(.from = image, .to = two); /* the graph follows from the nodes */
    check_counts(text, 7, 6);
    cr_assert_null(strstr(text, "weights"));
    atl_release(text);
}

Test(dot, no_path_between_two_nodes_is_a_mistake_that_names_them)
{
    atl_node *image = image_of(4), *one = layer(image, "one"), *aside = layer(image, "aside");
    char *text;
    cr_assert_eq(atl_dot_text(&(atl_dot_args){graph, .from = one, .to = aside}, NULL, &text, NULL), ATL_INVALID);
    cr_assert_null(text);
    cr_assert_mentions(atl_error(), "one/tanh");
    cr_assert_mentions(atl_error(), "aside/tanh");
}

Test(dot, what_cannot_be_drawn_is_refused)
{
    atl_graph *other = atl_graph_new();
    atl_node *stranger = atl_input(other, "stranger", ATL_FLOAT32, ATL_SCALAR);
    atl_node *image = image_of(4);
    char *text;
    cr_assert_eq(atl_dot_text(&(atl_dot_args){graph, .to = stranger}, NULL, &text, NULL), ATL_INVALID);
    cr_assert_mentions(atl_error(), "stranger");
    cr_assert_eq(atl_dot_text(&(atl_dot_args){graph, .from = stranger}, NULL, &text, NULL), ATL_INVALID);
    cr_assert_eq(atl_dot_text(&(atl_dot_args){graph, .outputs = ATL_NODES(image, stranger)}, NULL, &text, NULL),
                 ATL_INVALID);
    cr_assert_eq(atl_dot_text(&(atl_dot_args){graph, .depth = -1}, NULL, &text, NULL), ATL_INVALID);
    cr_assert_mentions(atl_error(), "-1");
    cr_assert_eq(atl_dot_text(&(atl_dot_args){.depth = 1}, NULL, &text, NULL), ATL_INVALID);
    cr_assert_mentions(atl_error(), "graph");
    atl_graph_free(other);
}

Test(dot, a_graph_with_a_mistake_shows_it)
{
    atl_node *a = atl_input(graph, "a", ATL_FLOAT32, ATL_SHAPE(3)),
             *b = atl_input(graph, "b", ATL_FLOAT32, ATL_SHAPE(4));
    cr_assert_null(atl_add(a, b));
    char *text = DRAWN(graph, .to = NULL, .title = "mine");
    check_counts(text, 2, 0);
    cr_assert_mentions(text, "mine");
    cr_assert_mentions(text, "[4]");
    atl_release(text);
}

Test(dot, a_long_chain_takes_no_stack, .timeout = 120)
{
    atl_node *h = image_of(4);
    for (int i = 0; i < 300000; i++)
        h = atl_neg(h);
    FILE *nowhere = fopen("/dev/null", "w");
    int64_t boxes = 0;
    cr_assert_eq(atl_dot_text(&(atl_dot_args){graph, .from = atl_find(graph, "image"), .to = h}, nowhere, NULL, &boxes),
                 ATL_OK);
    cr_assert_eq(boxes, 300001);
    fclose(nowhere);
}

Test(dot, a_full_disk_is_told)
{
    FILE *full = fopen("/dev/full", "w");
    if (!full)
        cr_skip_test("there is no /dev/full");
    three_layers();
    cr_assert_eq(atl_dot_text(&(atl_dot_args){graph}, full, NULL, NULL), ATL_BAD_FILE);
    cr_assert_mentions(atl_error(), "No space left");
    fclose(full);
    cr_assert_eq(atl_write_dot(graph, "/dev/full"), ATL_BAD_FILE);
    cr_assert_mentions(atl_error(), "/dev/full");
}

Test(dot, running_out_of_memory_is_an_error_wherever_it_happens)
{
    slope_of_three_layers();
    atl_name_of(atl_graph_node(graph, 0));
    int64_t before = atl_allocation_count();
    char *text = DRAWN(graph, .depth = 1), *again;
    int64_t allocations = atl_allocation_count() - before;
    cr_assert_gt(allocations, 5);
    for (int64_t i = 0; i < allocations; i++) {
        atl_fail_allocations_after(i);
        atl_status status = atl_dot_text(&(atl_dot_args){graph, .depth = 1}, NULL, &again, NULL);
        atl_fail_allocations_after(-1);
        cr_assert_eq(status, ATL_OUT_OF_MEMORY, "allocation %lld of %lld: %d", (long long)i, (long long)allocations,
                     status);
        cr_assert_null(again);
    }
    atl_release(text);
}
