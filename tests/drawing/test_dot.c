/* Drawings as text: what is drawn, how it is escaped, and that Graphviz reads every one. */
#include "atled/dot.h"

#include <stdlib.h>

#include "config.h"
#include "drawing/dot.h"
#include "graph/memory.h"
#include "support.h"

static atl_graph *graph;

static void make_graph(void) { graph = atl_graph_new(); }
static void free_graph(void) { atl_graph_free(graph); }
TestSuite(dot, .init = make_graph, .fini = free_graph);

/* ---- reading drawings back ---- */

#ifdef ATLED_HAVE_GRAPHVIZ
#include <cgraph.h>

static char error_text[512];
static int keep_error_text(char *message)
{
    if (!error_text[0])
        snprintf(error_text, sizeof error_text, "%s", message);
    return 0;
}

/* Graphviz's own parser must take the text without a word.  Returns the graph; to be closed. */
static Agraph_t *parsed(const char *text)
{
    agseterrf(keep_error_text);
    error_text[0] = 0;
    Agraph_t *drawing = agmemread(text);
    cr_assert(drawing && !error_text[0], "Graphviz refuses the drawing: %s\n%s", error_text, text);
    return drawing;
}

static void check_counts(const char *text, int nodes, int edges)
{
    Agraph_t *drawing = parsed(text);
    cr_assert(nodes == agnnodes(drawing) && edges == agnedges(drawing),
              "%d nodes and %d edges are drawn, %d and %d expected:\n%s", agnnodes(drawing), agnedges(drawing), nodes,
              edges, text);
    agclose(drawing);
}
#else
static void check_counts(const char *text, int nodes, int edges) { (void)text, (void)nodes, (void)edges; }
#endif

/* The drawing as text, which Graphviz must be able to read; to be released. */
static char *text_of(const atl_dot_args *args)
{
    char *text;
    atl_status status = atl_dot_text(args, NULL, &text, NULL);
    cr_assert(status == ATL_OK, "%s", atl_error());
#ifdef ATLED_HAVE_GRAPHVIZ
    agclose(parsed(text));
#endif
    return text;
}
#define DRAWN(...) text_of(&(atl_dot_args){__VA_ARGS__, .end_ = 0})

static int count_of(const char *text, const char *part)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        count++;
    return count;
}

/* The line that draws the node, as an array of its own. */
static const char *line_of(const char *text, const char *begin)
{
    static char line[2048];
    const char *at = strstr(text, begin);
    cr_assert(at, "'%s' is not in:\n%s", begin, text);
    snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
    return line;
}

static const char *node_line(const char *text, const atl_node *node)
{
    char begin[48];
    snprintf(begin, sizeof begin, "n%lld [", (long long)atl_index_of(node));
    return line_of(text, begin);
}

static const char *edge_line(const char *text, const atl_node *tail, const atl_node *head)
{
    char begin[48];
    snprintf(begin, sizeof begin, "n%lld -> n%lld [", (long long)atl_index_of(tail), (long long)atl_index_of(head));
    return line_of(text, begin);
}

/* ---- graphs to draw ---- */

static atl_node *image_of(int64_t width) { return atl_input(graph, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, width)); }

/* tanh(x * weights + biases), in a scope */
static atl_node *layer(atl_node *x, const char *name)
{
    atl_enter(graph, name);
    atl_node *weights = atl_variable(graph, "weights", ATL_SHAPE(4), atl_zeros());
    atl_node *biases = atl_variable(graph, "biases", ATL_SHAPE(4), atl_zeros());
    atl_node *y = atl_tanh(atl_add(atl_mul(x, weights), biases));
    atl_leave(graph);
    return y;
}

static atl_node *three_layers(void) { return layer(layer(layer(image_of(4), "one"), "two"), "three"); }

static atl_node *slope_of_three_layers(void)
{
    atl_node *y = three_layers();
    atl_node *slope = atl_gradient(y, atl_find(graph, "image"));
    cr_assert_not_null(slope);
    return slope;
}

/* ---- tests ---- */

Test(dot, an_empty_graph_is_drawn)
{
    char *text = DRAWN(graph);
    check_counts(text, 0, 0);
    atl_release(text);
}

/* Graphviz refuses a label with nothing in it. */
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

static int infer_scalar(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, ATL_SCALAR); }
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

Test(dot, scopes_are_frames_within_frames)
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

Test(dot, a_scope_at_the_depth_is_one_box)
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

Test(dot, edges_between_the_same_two_boxes_are_one)
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

Test(dot, the_gradient_has_a_colour_and_a_frame_and_runs_upwards)
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
    /* slope = d * weights: from the forward part as it is, within the gradient turned round */
    atl_node *d = atl_input_of(slope, 0), *weights = atl_input_of(slope, 1);
    cr_assert_mentions(edge_line(text, slope, d), "dir=back");
    cr_assert_mentions(edge_line(text, weights, slope), "xlabel=\" 4 \"");
    atl_release(text);
}

Test(dot, each_gradient_is_drawn_by_itself)
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

Test(dot, scopes_may_be_very_deep)
{
    atl_node *h = image_of(4);
    for (int i = 0; i < 400; i++)
        atl_enter(graph, "x");
    h = atl_neg(h);
    char *text = DRAWN(graph);
    cr_assert_eq(count_of(text, "subgraph"), 401);
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
