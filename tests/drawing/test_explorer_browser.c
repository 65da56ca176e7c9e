/* The explorer's program in a headless browser: what a person does with mouse and keys.
 * Minutes: 5.  Plain only: what runs here is the page's own program, in the browser; test_explorer.c writes such
 * pages under sanitizers, too. */
#include "browser.h"
#include "drawings.h"

TestSuite(explorer_browser, .init = make_graph, .fini = free_graph, .timeout = 280);

#define OPEN(...) open_page_of(&(atl_dot_args){.graph = graph, .path = scratch_file("page.html"), __VA_ARGS__})
static void open_page_of(const atl_dot_args *args)
{
    need_browser();
    cr_assert_eq(atl_write_dot_with(args), ATL_OK, "%s", atl_error());
    open_page(args->path);
}

/* Three convolutions with relus, the sum, and its gradient. */
static void three_convolutions(void)
{
    atl_node *image = atl_input(graph, "image", ATL_FLOAT32, ATL_SHAPE(1, 8, 8, 3)), *h = image;
    for (int i = 0; i < 3; i++)
        h = atl_conv_layer(h, ATL_NAME("conv%d", i + 1), 4, .window = {3, 3}, .activation = atl_relu);
    cr_assert(atl_gradient(atl_named(atl_sum(h), "loss"), image));
}

Test(explorer_browser, a_click_folds_and_unfolds_to_any_depth)
{
    three_convolutions();
    OPEN(.depth = 1);
    int folded = atoi(value_of("explorer.boxes()"));
    click_box("conv2", 0);
    int open = atoi(value_of("explorer.boxes()"));
    cr_assert_gt(open, folded);
    cr_assert_mentions(panel_text(), "conv2");
    click_element("#fit");
    click_box("gradients", 0);
    click_box("gradients/conv2", 0);
    cr_assert_gt(atoi(value_of("explorer.boxes()")), open);
    click_element("#fit");
    click_box("gradients", 0);
    click_element("#fit");
    click_box("conv2", 0);
    cr_assert_eq(atoi(value_of("explorer.boxes()")), folded);
    close_browser();
}

Test(explorer_browser, search_goes_from_hit_to_hit)
{
    three_convolutions();
    OPEN(.depth = 1);
    click_element("#search");
    type_text("conv2d");
    cr_assert_mentions(value_of("document.getElementById('hits').textContent"), "hits");
    press("Enter", 0);
    cr_assert_mentions(panel_text(), "conv1/conv2d");
    press("Enter", 0);
    cr_assert_mentions(panel_text(), "conv2/conv2d");
    cr_assert_mentions(value_of("document.getElementById('hits').textContent"), "2 of ");
    click_element("#before");
    cr_assert_mentions(panel_text(), "conv1/conv2d");
    click_element("#search");
    value_of("document.getElementById('search').select()");
    type_text("1x8x8x3"); /* a shape */
    press("Enter", 0);
    cr_assert_eq(strncmp(panel_text(), "image", 5), 0, "%s", browser.value);
    close_browser();
}

/* "N M": N names are drawn, M of them over the end of the name on their left. */
#define DRAWN_NAMES                                                                                                    \
    "(async () => { const pen = CanvasRenderingContext2D.prototype, fill = pen.fillText, drawn = [];"                  \
    " pen.fillText = function (text, x, y) { drawn.push([x, y, x + this.measureText(text).width]); };"                 \
    " explorer.fit(); await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));"          \
    " pen.fillText = fill; drawn.sort((a, b) => a[1] - b[1] || a[0] - b[0]);"                                          \
    " return drawn.length + ' ' + drawn.filter((d, i) => i && d[1] === drawn[i - 1][1] && d[0] < drawn[i - 1][2])"     \
    ".length; })()"

Test(explorer_browser, names_far_away_do_not_overlap)
{
    enum { ROW = 6, HEIGHT = 30 }; /* so high that the whole is drawn small */
    atl_node *x = atl_input(graph, "x", ATL_FLOAT32, ATL_SHAPE(4)), *h = x;
    for (int i = 0; i < ROW; i++)
        atl_named(atl_exp(x), ATL_NAME("MMMMMMMM%d", i));
    for (int i = 0; i < HEIGHT; i++)
        h = atl_relu(h);
    OPEN(.depth = 1);
    int drawn = 0, overlapping = -1;
    cr_assert_eq(sscanf(value_of(DRAWN_NAMES), "%d %d", &drawn, &overlapping), 2);
    cr_assert_eq(drawn, 1 + ROW + HEIGHT);
    cr_assert_eq(overlapping, 0);
    close_browser();
}

/* ONNX files have such names. */
Test(explorer_browser, names_with_empty_parts_stay_what_they_are)
{
    atl_named(atl_tanh(atl_named(atl_relu(image_of(4)), "a//b/..//c")), "/a/d/");
    OPEN(.depth = 9);
    cr_assert_str_eq(value_of("explorer.names().join(' ')"), "image a a/ a//b a//b/.. a//b/../ a//b/..//c /a/d/");
    click_box("/a/d/", 0);
    cr_assert_eq(strncmp(panel_text(), "/a/d/\n", 6), 0, "%s", browser.value);
    close_browser();
}

Test(explorer_browser, a_node_tells_all_about_itself)
{
    atl_node *a = atl_input(graph, "a", ATL_FLOAT32, ATL_SHAPE(2, 3));
    atl_node *b = atl_input(graph, "b", ATL_FLOAT32, ATL_SHAPE(2, 3));
    atl_named(atl_relu(atl_named(atl_mul(a, b), "product")), "user");
    OPEN(.title = "product");
    click_box("product", 0);
    const char *told = panel_text();
    cr_assert_mentions(told, "mul");
    cr_assert_mentions(told, "2\u00d73");
    cr_assert_mentions(told, "24 B");
    cr_assert_mentions(told, "da = dy * b");
    cr_assert_mentions(told, "db = dy * a");
    cr_assert_mentions(told, "user");
    click_element("#panel ul li a"); /* its first input */
    cr_assert_eq(strncmp(panel_text(), "a\n", 2), 0, "%s", browser.value);
    click_where("explorer.between('a', 'product')", 0);
    told = panel_text();
    cr_assert_mentions(told, "edge");
    cr_assert_mentions(told, "producer (1)");
    cr_assert_mentions(told, "consumers (1)");
    cr_assert_mentions(told, "24 B");
    close_browser();
}

Test(explorer_browser, ways_between_two_boxes_are_lit)
{
    three_convolutions();
    OPEN(.depth = 1);
    click_box("image", 0);
    click_box("loss", SHIFT);
    cr_assert_mentions(panel_text(), "nodes lie between");
    cr_assert_gt(atoi(value_of("explorer.path('image', 'loss')")), 4);
    close_browser();
}

Test(explorer_browser, parts_are_switched_off_and_on)
{
    three_convolutions();
    OPEN(.depth = 1);
    int all = atoi(value_of("explorer.boxes()"));
    click_element("#gradient");
    cr_assert_lt(atoi(value_of("explorer.boxes()")), all);
    cr_assert(!strstr(value_of("explorer.names()"), "gradients"));
    click_element("#gradient");
    cr_assert_eq(atoi(value_of("explorer.boxes()")), all);
    cr_assert_str_eq(value_of("document.getElementById('optimizer').disabled"), "true");
    close_browser();
}

Test(explorer_browser, keys_choose_fold_and_light)
{
    three_convolutions();
    OPEN(.depth = 1);
    value_of("document.getElementById('canvas').focus()");
    press("ArrowDown", SHIFT);
    cr_assert_mentions(panel_text(), "image");
    press("w", 0);
    press("ArrowDown", SHIFT);
    int folded = atoi(value_of("explorer.boxes()"));
    press("Enter", 0); /* unfolds the scope that is chosen now */
    cr_assert_gt(atoi(value_of("explorer.boxes()")), folded);
    press("w", 0);
    cr_assert_mentions(panel_text(), "lie between");
    press("Escape", 0);
    cr_assert_mentions(panel_text(), "colours");
    press("/", 0);
    cr_assert_str_eq(value_of("document.activeElement.id"), "search");
    close_browser();
}

/* What a node's value in the run was, and the colours that are made of it. */
Test(explorer_browser, values_of_a_run)
{
    need_browser(); /* before anything is allocated */
    atl_node *x = atl_input(graph, "x", ATL_FLOAT32, ATL_SHAPE(2, 4)), *y = atl_named(atl_relu(x), "active");
    const atl_tensor *values[2] = {atl_tensor_of_floats(ATL_SHAPE(2, 4), (float[]){1, -1, -2, NAN, 3, -4, 5, 6}),
                                   atl_tensor_of_floats(ATL_SHAPE(2, 4), (float[]){1, 0, 0, 0, 3, 0, 5, 6})};
    cr_assert_eq(atl_index_of(y), 1);
    OPEN(.values = values);
    click_box("active", 0);
    const char *told = panel_text();
    cr_assert_mentions(told, "value in the run");
    cr_assert_mentions(told, "50.0 %"); /* zeros */
    cr_assert_mentions(told, "25.0 %"); /* channels that are never positive */
    cr_assert_gt(atoi(value_of("document.querySelectorAll('#panel canvas').length")), 0);
    cr_assert_gt(atoi(value_of("document.querySelectorAll('#panel svg rect').length")), 8);
    click_box("x", 0);
    cr_assert_mentions(panel_text(), "not finite");
    press("Escape", 0);
    value_of("(() => { const c = document.getElementById('colour'); c.value = 'bad'; c.onchange(); })()");
    cr_assert_mentions(panel_text(), "elements that are not finite");
    for (int i = 0; i < 2; i++)
        atl_tensor_free((atl_tensor *)values[i]);
    close_browser();
}

Test(explorer_browser, the_plan_and_its_memory)
{
    need_browser(); /* before anything is allocated */
    three_convolutions();
    atl_node *outputs[] = {atl_find(graph, "loss"), atl_graph_node(graph, atl_graph_node_count(graph) - 1)};
    atl_program *program = atl_compile(graph, (atl_nodes){2, outputs}),
                *other = atl_compile(graph, (atl_nodes){2, outputs}, .disabled_passes = ATL_PASS_EPILOGUE);
    cr_assert(program && other, "%s", atl_error());
    OPEN(.depth = 1, .program = program, .other_program = other, .program_title = "as it is",
         .other_title = "without epilogue");
    cr_assert_mentions(value_of("document.getElementById('drawer').innerText"), "only without epilogue");
    click_element("#plan");
    cr_assert_mentions(value_of("document.getElementById('drawer').innerText"), "implementation");
    click_element("#drawer tbody tr:last-child a");
    cr_assert_mentions(panel_text(), "in the plan");
    click_element("#memory");
    int bars = atoi(value_of("document.querySelectorAll('#drawer rect').length"));
    cr_assert_eq(bars, atl_program_values(program, 0, NULL));
    click_element("#drawer h2 button"); /* closes it */
    cr_assert_str_eq(value_of("document.getElementById('drawer').hidden"), "true");
    atl_program_free(other);
    atl_program_free(program);
    close_browser();
}

Test(explorer_browser, what_is_only_in_one_graph)
{
    need_browser(); /* before anything is allocated */
    const char *other = scratch_file("other.json");
    three_layers();
    atl_named(atl_exp(atl_find(graph, "image")), "gone");
    cr_assert_eq(atl_write_dot(graph, other, .title = "before"), ATL_OK, "%s", atl_error());
    atl_graph_free(graph);
    graph = atl_graph_new();
    atl_named(atl_relu(three_layers()), "added");
    OPEN(.against = other, .title = "after");
    const char *told = value_of("document.getElementById('drawer').innerText");
    cr_assert_mentions(told, "only in after: 1 node");
    cr_assert_mentions(told, "added");
    cr_assert_mentions(told, "only in other.json: 1 node");
    cr_assert_mentions(told, "gone");
    close_browser();
}

/* Nodes of the other graph have boxes beside those of their scope, joined to what they read. */
Test(explorer_browser, what_is_only_in_the_other_graph_is_drawn)
{
    need_browser(); /* before anything is allocated */
    const char *other = scratch_file("other.json");
    three_convolutions();
    atl_enter(graph, "conv2");
    atl_named(atl_exp(atl_find(graph, "conv2/conv2d")), "gone");
    atl_leave(graph);
    atl_dense_layer(atl_flatten(atl_find(graph, "conv3/relu")), "head", 2);
    cr_assert_eq(atl_write_dot(graph, other, .title = "before"), ATL_OK, "%s", atl_error());
    atl_graph_free(graph);
    graph = atl_graph_new();
    three_convolutions();
    OPEN(.against = other, .title = "after", .depth = 1);
    int folded = atoi(value_of("explorer.boxes()"));
    cr_assert_mentions(value_of("explorer.names()"), "head"); /* a scope that this graph has not */
    click_box("head", 0);
    cr_assert_mentions(value_of("explorer.names()"), "head/weights");
    cr_assert_gt(atoi(value_of("explorer.boxes()")), folded);
    click_element("#fit");
    click_box("conv2", 0);
    click_element("#fit");
    click_box("conv2/gone", 0);
    const char *told = panel_text();
    cr_assert_mentions(told, "only in the other graph");
    cr_assert_mentions(told, "conv2/conv2d");
    cr_assert_mentions(value_of("!!explorer.between('conv2/conv2d', 'conv2/gone')"), "true");
    click_element("#other");
    cr_assert(!strstr(value_of("explorer.names()"), "gone"));
    close_browser();
}

Test(explorer_browser, twenty_thousand_nodes_open_and_fold)
{
    atl_node *h = image_of(4);
    for (int i = 0; i < 200; i++) {
        atl_enter(graph, ATL_NAME("block%d", i));
        for (int k = 0; k < 100; k++)
            h = k % 10 ? atl_tanh(h) : atl_add(h, h);
        atl_leave(graph);
    }
    OPEN();
    int boxes = atoi(value_of("explorer.boxes()"));
    cr_assert(boxes > 3 && boxes <= 48, "%d", boxes);
    click_element("#search");
    type_text("block150/tanh");
    press("Enter", 0);
    cr_assert_mentions(panel_text(), "block150/tanh");
    close_browser();
}

/* The system's dark mode is followed; paper is white all the same. */
Test(explorer_browser, dark_and_on_paper)
{
    three_convolutions();
    OPEN(.depth = 1);
    const char *background = "getComputedStyle(document.body).backgroundColor";
    cr_assert_str_eq(value_of(background), "rgb(255, 255, 255)");
    tell("Emulation.setEmulatedMedia",
         json_pack("{s:[{s:s, s:s}]}", "features", "name", "prefers-color-scheme", "value", "dark"));
    wait_for_a_frame();
    cr_assert_str_eq(value_of(background), "rgb(20, 24, 29)");
    value_of("dispatchEvent(new Event('beforeprint'))");
    cr_assert_str_eq(value_of(background), "rgb(255, 255, 255)");
    value_of("dispatchEvent(new Event('afterprint'))");
    cr_assert_str_eq(value_of(background), "rgb(20, 24, 29)");
    json_t *printed = command("Page.printToPDF", NULL);
    cr_assert_gt(json_string_length(json_object_get(printed, "data")), 4000);
    json_decref(printed);
    close_browser();
}

/* Its number in the document; 0: there is none, or the page is being replaced. */
static json_int_t element_without_scripts(const char *selector)
{
    json_t *root = command("DOM.getDocument", json_pack("{s:i}", "depth", 0));
    json_int_t id = json_integer_value(json_object_get(json_object_get(root, "root"), "nodeId"));
    json_t *found = answer_to("DOM.querySelector", json_pack("{s:I, s:s}", "nodeId", id, "selector", selector));
    id = json_integer_value(json_object_get(json_object_get(found, "result"), "nodeId"));
    json_decref(root);
    json_decref(found);
    return id;
}

Test(explorer_browser, without_scripts_there_is_a_drawing)
{
    need_browser();
#ifndef ATLED_HAVE_GRAPHVIZ
    cr_skip_test("atled was built without Graphviz");
#endif
    three_convolutions();
    const char *path = scratch_file("page.html");
    cr_assert_eq(atl_write_dot(graph, path), ATL_OK);
    start_browser();
    tell("Emulation.setScriptExecutionDisabled", json_pack("{s:b}", "value", 1));
    tell("Page.enable", NULL);
    char url[1024];
    snprintf(url, sizeof url, "file://%s", path);
    tell("Page.navigate", json_pack("{s:s}", "url", url));
    json_int_t svg = 0;
    for (int i = 0; i < 300 && !svg; i++) { /* until the page is there */
        usleep(100000);
        svg = element_without_scripts("noscript svg");
    }
    cr_assert_neq(svg, 0);
    json_t *box = answer_to("DOM.getBoxModel", json_pack("{s:I}", "nodeId", element_without_scripts("header")));
    cr_assert_null(json_object_get(box, "result"), "controls that need JavaScript are shown");
    json_decref(box);
    close_browser();
}
