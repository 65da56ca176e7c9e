/* The explorer's page: what it holds, and hostile names. */
#include <math.h>
#include <stdlib.h>

#include "drawings.h"

TestSuite(explorer, .init = make_graph, .fini = free_graph);

#define PAGE(...) page_of(&(atl_dot_args){.graph = graph, .path = scratch_file("page.html"), __VA_ARGS__})
static const char *page_of(const atl_dot_args *args)
{
    cr_assert_eq(atl_write_dot_with(args), ATL_OK, "%s", atl_error());
    return whole_file(args->path);
}

Test(explorer, every_drawn_node_is_in_the_page)
{
    atl_node *image = image_of(4), *y = atl_mul(image, atl_relu(image));
    atl_tanh(y);
    const char *all = PAGE(), *part = PAGE(.outputs = ATL_NODES(y));
    cr_assert_mentions(all, "\"tanh\"");
    cr_assert_mentions(part, "\"relu\"");
    cr_assert(!strstr(part, "\"tanh\""));
}

Test(explorer, the_same_graph_gives_the_same_bytes)
{
    slope_of_three_layers();
    const char *first = PAGE();
    atl_graph_free(graph);
    graph = atl_graph_new();
    slope_of_three_layers();
    const char *second = PAGE();
    cr_assert_str_eq(first, second);
}

Test(explorer, a_name_cannot_end_the_script)
{
    atl_node *image = image_of(4);
    atl_named(atl_relu(image), "%s", "</script><script>alert(1)//\"\\");
    const char *text = PAGE(.title = "<b>&\"</title>");
    cr_assert_eq(count_of(text, "<script"), 2);
    cr_assert_eq(count_of(text, "</script>"), 2);
    cr_assert(!strstr(text, "<b>&"));
}

Test(explorer, a_mistake_in_the_graph_is_shown)
{
    atl_node *image = image_of(4);
    cr_assert_null(atl_reshape(image, ATL_SHAPE(3)));
    const char *text = PAGE();
    cr_assert_mentions(text, "\"error\":\"");
    cr_assert(!strstr(text, "\"error\":\"\""));
}

Test(explorer, an_empty_graph_and_mistakes)
{
    PAGE();
    cr_assert_eq(atl_write_dot(graph, .path = scratch_file("page.html"), .depth = -1), ATL_INVALID);
    cr_assert_mentions(atl_error(), "depth");
    cr_assert_eq(atl_write_dot(graph, .path = "/nowhere/page.html"), ATL_BAD_FILE);
    cr_assert_mentions(atl_error(), "/nowhere");
}

/* A number of three digits, pictures only where there is room, and nothing that JSON does not know. */
Test(explorer, values_are_cut)
{
    atl_node *x = atl_input(graph, "x", ATL_FLOAT32, ATL_SHAPE(100, 100));
    atl_tensor *value = atl_uniform_tensor(ATL_SHAPE(100, 100), -1e-6f, 1e30f, 1);
    atl_floats(value)[7] = INFINITY;
    const atl_tensor *values[] = {value};
    const char *few = PAGE(.values = values), *none = PAGE();
    cr_assert_mentions(few, "\"values\":[[0,");
    cr_assert(!strstr(few, "inf,") && !strstr(few, "nan,"));
    cr_assert_lt(strlen(few), strlen(none) + 1500, "a picture of 10000 numbers takes %zu bytes",
                 strlen(few) - strlen(none));
    cr_assert_not_null(x);
    atl_tensor_free(value);
}

Test(explorer, a_graph_as_json_is_read_again)
{
    const char *path = scratch_file("graph.json");
    slope_of_three_layers();
    cr_assert_eq(atl_write_dot(graph, path), ATL_OK, "%s", atl_error());
    const char *text = whole_file(path);
    cr_assert_eq(count_of(text, "\"name\""), (int)atl_graph_node_count(graph));
    cr_assert_mentions(PAGE(.against = path), "\"other\":{");
    cr_assert_eq(atl_write_dot(graph, scratch_file("page.html"), .against = "/nowhere.json"), ATL_BAD_FILE);
    cr_assert_mentions(atl_error(), "nowhere");
    FILE *file = fopen(path, "w");
    fputs("{\"format\":\"atled graph 1\",\"nodes\":[{\"name\":\"a\"}]}", file);
    fclose(file);
    cr_assert_eq(atl_write_dot(graph, scratch_file("page.html"), .against = path), ATL_BAD_FILE);
    cr_assert_mentions(atl_error(), "lacks");
    file = fopen(path, "w");
    fputs("[1, ", file);
    fclose(file);
    cr_assert_eq(atl_write_dot(graph, scratch_file("page.html"), .against = path), ATL_BAD_FILE);
    cr_assert_mentions(atl_error(), "line");
}

static atl_status write_everything(atl_program *program, const atl_tensor *const *values)
{
    return atl_write_dot(graph, scratch_file("page.html"), .values = values, .program = program,
                         .other_program = program, .program_title = "one", .other_title = "another");
}

/* With a run and a plan, too, the same graph gives the same bytes. */
Test(explorer, a_run_and_a_plan_give_the_same_bytes)
{
    atl_node *slope = slope_of_three_layers();
    atl_program *program = atl_compile(graph, ATL_NODES(slope));
    atl_tensor *image = atl_uniform_tensor(ATL_SHAPE(2, 4), -1, 1, 1);
    cr_assert_eq(atl_run(program, ATL_FEED(atl_find(graph, "image"), image)), ATL_OK, "%s", atl_error());
    const atl_tensor **values = calloc((size_t)atl_graph_node_count(graph), sizeof *values);
    values[0] = image;
    cr_assert_eq(write_everything(program, values), ATL_OK, "%s", atl_error());
    const char *first = whole_file(scratch_file("page.html"));
    cr_assert_eq(write_everything(program, values), ATL_OK, "%s", atl_error());
    cr_assert_str_eq(first, whole_file(scratch_file("page.html")));
    cr_assert_mentions(first, "\"steps\":[[");
    free(values);
    atl_tensor_free(image);
    atl_program_free(program);
}

/* Each allocation in turn fails: the page is written, or memory runs out, and the old page stays. */
Test(explorer, without_memory_the_old_page_stays)
{
    atl_node *slope = slope_of_three_layers();
    atl_program *program = atl_compile(graph, ATL_NODES(slope));
    const char *path = scratch_file("page.html");
    atl_tensor *image = atl_uniform_tensor(ATL_SHAPE(2, 4), -1, 1, 1);
    cr_assert_eq(atl_run(program, ATL_FEED(atl_find(graph, "image"), image)), ATL_OK, "%s", atl_error());
    FILE *file = fopen(path, "w");
    fputs("old", file);
    fclose(file);
    atl_status status = ATL_OUT_OF_MEMORY;
    int64_t allowed = 0;
    for (; status && allowed < 100000; allowed += 1 + allowed / 40) {
        atl_fail_allocations_after(allowed);
        status = write_everything(program, NULL);
        atl_fail_allocations_after(-1);
        cr_assert(status == ATL_OK || status == ATL_OUT_OF_MEMORY, "%lld: %s", (long long)allowed, atl_error());
        if (status)
            cr_assert_str_eq(whole_file(path), "old");
    }
    cr_assert(!status && allowed > 10);
    atl_tensor_free(image);
    atl_program_free(program);
}

/* Every checker of HTML has its own opinions; what it calls an error or a warning counts. */
Test(explorer, a_checker_finds_nothing_wrong)
{
    if (system("tidy -v > /dev/null 2>&1") != 0)
        cr_skip_test("tidy is not installed");
    char line[1024];
    slope_of_three_layers();
    PAGE(.title = "<b>&");
    const char *told = scratch_file("tidy.log");
    snprintf(line, sizeof line, "tidy -e -q '%s' > '%s' 2>&1", scratch_file("page.html"), told);
    int status = system(line);
    cr_assert_eq(status, 0, "%s", whole_file(told));
}
