/* Drawings in files, as text and rendered. */
#include "atled/dot.h"

#include <pthread.h>

#include "config.h"
#include "io/scratch.h"

TestSuite(drawing, .init = make_scratch, .fini = remove_scratch);

/* relu(x * weights) and its gradient, in a scope whose name needs every escape */
static atl_graph *small_graph(void)
{
    atl_graph *graph = atl_graph_new();
    atl_node *image = atl_input(graph, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 4));
    atl_enter(graph, "a \"b\" <c> & \\N \\");
    atl_node *h = atl_relu(atl_mul(image, atl_variable(graph, "weights\nof mine", ATL_SHAPE(4), atl_zeros())));
    atl_leave(graph);
    atl_node *y = atl_square(h);
    cr_assert_not_null(atl_gradient(y, image), "%s", atl_graph_error(graph));
    return graph;
}

static void check_begins(const char *path, const char *begin, size_t length)
{
    size_t size;
    unsigned char *bytes = read_file(path, &size);
    cr_assert(size > length && memcmp(bytes, begin, length) == 0, "%s does not begin with %s", path, begin);
    free(bytes);
}

Test(drawing, other_names_get_the_text)
{
    atl_graph *graph = small_graph();
    cr_assert_eq(atl_write_dot(graph, in_scratch("graph.dot")), ATL_OK, "%s", atl_error());
    check_begins(in_scratch("graph.dot"), "digraph", 7);
    cr_assert_eq(atl_write_dot(graph, in_scratch("svg")), ATL_OK); /* no ending */
    check_begins(in_scratch("svg"), "digraph", 7);
    FILE *file = fopen(in_scratch("open"), "w");
    cr_assert_eq(atl_write_dot(graph, .file = file), ATL_OK);
    fclose(file);
    check_begins(in_scratch("open"), "digraph", 7);
    cr_assert_eq(files_in_scratch(), 3);
    atl_graph_free(graph);
}

Test(drawing, what_cannot_be_written_is_told)
{
    atl_graph *graph = small_graph();
    cr_assert_eq(atl_write_dot(graph), ATL_INVALID);
    cr_assert_eq(atl_write_dot_with(NULL), ATL_INVALID);
    cr_assert_eq(atl_write_dot(graph, in_scratch("no/such/graph.dot")), ATL_BAD_FILE);
    cr_assert_mentions(atl_error(), "no/such/graph.dot");
    cr_assert_mentions(atl_graph_error(graph), "no/such/graph.dot");
    atl_graph_free(graph);
}

Test(drawing, a_refused_drawing_leaves_the_old_file)
{
    atl_graph *graph = small_graph(), *other = small_graph();
    cr_assert_eq(atl_write_dot(graph, in_scratch("graph.dot")), ATL_OK);
    cr_assert_eq(atl_write_dot(graph, in_scratch("graph.dot"), .to = atl_graph_node(other, 0)), ATL_INVALID);
    check_begins(in_scratch("graph.dot"), "digraph", 7);
    cr_assert_eq(files_in_scratch(), 1);
    atl_graph_free(graph);
    atl_graph_free(other);
}

#ifdef ATLED_HAVE_GRAPHVIZ

Test(drawing, svg_png_and_pdf_are_rendered)
{
    atl_graph *graph = small_graph();
    cr_assert_eq(atl_write_dot(graph, in_scratch("graph.svg")), ATL_OK, "%s", atl_error());
    check_begins(in_scratch("graph.svg"), "<?xml", 5);
    cr_assert_eq(atl_write_dot(graph, in_scratch("graph.PNG")), ATL_OK, "%s", atl_error());
    check_begins(in_scratch("graph.PNG"), "\x89PNG", 4);
    cr_assert_eq(atl_write_dot(graph, in_scratch("graph.pdf"), .depth = 1), ATL_OK, "%s", atl_error());
    check_begins(in_scratch("graph.pdf"), "%PDF", 4);
    cr_assert_eq(files_in_scratch(), 3);
    atl_graph_free(graph);
}

Test(drawing, names_come_through_the_renderer_as_they_are)
{
    atl_graph *graph = small_graph();
    size_t size;
    cr_assert_eq(atl_write_dot(graph, in_scratch("graph.svg"), .title = "50% of <it>"), ATL_OK, "%s", atl_error());
    char *svg = (char *)read_file(in_scratch("graph.svg"), &size);
    svg[size] = 0;
    cr_assert_mentions(svg, ">a &quot;b&quot; &lt;c&gt; &amp; \\N \\</text>");
    cr_assert_mentions(svg, ">weights</text>");
    cr_assert_mentions(svg, ">of mine</text>");
    cr_assert_mentions(svg, ">50% of &lt;it&gt;</text>");
    free(svg);
    atl_graph_free(graph);
}

Test(drawing, what_is_too_large_to_lay_out_says_what_to_do)
{
    atl_graph *graph = atl_graph_new();
    atl_node *h = atl_input(graph, "image", ATL_FLOAT32, ATL_SHAPE(4));
    atl_enter(graph, "fused");
    for (int i = 0; i < 20000; i++)
        h = atl_neg(h);
    atl_leave(graph);
    cr_assert_eq(atl_write_dot(graph, in_scratch("graph.svg")), ATL_UNSUPPORTED);
    cr_assert_mentions(atl_error(), "20001");
    cr_assert_mentions(atl_error(), "depth");
    cr_assert_eq(files_in_scratch(), 0);
    cr_assert_eq(atl_write_dot(graph, in_scratch("graph.svg"), .depth = 1), ATL_OK, "%s", atl_error());
    atl_graph_free(graph);
}

Test(drawing, a_missing_folder_is_told_after_rendering_too)
{
    atl_graph *graph = small_graph();
    cr_assert_eq(atl_write_dot(graph, in_scratch("no/such/graph.svg")), ATL_BAD_FILE);
    cr_assert_mentions(atl_error(), "no/such/graph.svg");
    atl_graph_free(graph);
}

static void *draw(void *path)
{
    atl_graph *graph = small_graph();
    atl_status status = atl_write_dot(graph, path);
    atl_graph_free(graph);
    return status ? path : NULL;
}

Test(drawing, two_threads_may_draw_at_once)
{
    pthread_t other;
    void *failed;
    cr_assert_eq(pthread_create(&other, NULL, draw, (void *)in_scratch("other.svg")), 0);
    cr_assert_null(draw((void *)in_scratch("mine.svg")));
    pthread_join(other, &failed);
    cr_assert_null(failed);
}

#else

Test(drawing, without_graphviz_rendering_is_refused_in_words)
{
    atl_graph *graph = small_graph();
    cr_assert_eq(atl_write_dot(graph, in_scratch("graph.svg")), ATL_UNSUPPORTED);
    cr_assert_mentions(atl_error(), "dot -Tsvg");
    cr_assert_eq(files_in_scratch(), 0);
    atl_graph_free(graph);
}

#endif
