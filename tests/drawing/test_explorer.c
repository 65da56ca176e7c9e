/* The explorer's page: what it holds, hostile names, and, in a headless browser, what a person does with it.
 * Minutes: 3 */
#include <stdlib.h>
#include <sys/stat.h>

#include "drawings.h"

/* Texts that live until a test ends. */
enum { MOST_TEXTS = 16 };
static char *texts[MOST_TEXTS];
static int text_count;

static void free_all(void)
{
    while (text_count)
        free(texts[--text_count]);
    free_graph();
}

TestSuite(explorer, .init = make_graph, .fini = free_all);

static const char *page_text(const char *path)
{
    cr_assert_lt(text_count, MOST_TEXTS);
    FILE *file = fopen(path, "rb");
    cr_assert(file, "%s cannot be read", path);
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *text = calloc((size_t)size + 1, 1);
    cr_assert(text && fread(text, 1, (size_t)size, file) == (size_t)size);
    fclose(file);
    return texts[text_count++] = text;
}

#define PAGE(...) page_of(&(atl_dot_args){.graph = graph, .path = scratch_file("page.html"), __VA_ARGS__})
static const char *page_of(const atl_dot_args *args)
{
    cr_assert_eq(atl_write_dot_with(args), ATL_OK, "%s", atl_error());
    return page_text(args->path);
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

/* ---- in a browser ------------------------------------------------------------------------------------------------ */

/* Runs the page with a script at its end; returns what the script assigned to document.title.  No error may be told. */
static const char *seen_in_browser(const char *page, const char *script)
{
    char line[4096];
    const char *end = strstr(page, "</body>"), *path = scratch_file("driven.html"), *out = scratch_file("dom.html");
    const char *told = scratch_file("browser.log");
    FILE *file = fopen(path, "w");
    cr_assert(file && end);
    fprintf(file, "%.*s<script>\n%s\n</script>\n%s", (int)(end - page), page, script, end);
    cr_assert_eq(fclose(file), 0);
    snprintf(line, sizeof line,
             "chromium --headless --no-sandbox --disable-gpu --enable-logging=stderr --virtual-time-budget=20000 "
             "--user-data-dir='%s' --window-size=1400,900 --dump-dom 'file://%s' > '%s' 2> '%s'",
             scratch_file("profile"), path, out, told);
    cr_assert_eq(system(line), 0, "%s", page_text(told));
    cr_assert(!strstr(page_text(told), "CONSOLE"), "%s", page_text(told));
    return page_text(out);
}

static void need_browser(void)
{
    if (system("chromium --version > /dev/null 2>&1") != 0)
        cr_skip_test("chromium is not installed");
}

Test(explorer, folds_searches_and_finds_paths_in_a_browser, .timeout = 170)
{
    need_browser();
    atl_node *image = atl_input(graph, "image", ATL_FLOAT32, ATL_SHAPE(1, 8, 8, 3));
    atl_node *h = image;
    for (int i = 0; i < 3; i++)
        h = atl_conv_layer(h, ATL_NAME("conv%d", i + 1), 4, .window = {3, 3}, .activation = atl_relu);
    atl_node *loss = atl_named(atl_sum(h), "loss");
    cr_assert(atl_gradient(loss, image));
    const char *page = PAGE(.title = "three layers");
    const char *dom = seen_in_browser(
        page,
        "const before = explorer.toggle('conv2'), after = explorer.toggle('conv2');\n"
        "explorer.unfold(1);\nconst folded = explorer.boxes();\nexplorer.unfold(9);\nconst open = explorer.boxes();\n"
        "document.title = ['toggled', before !== after, 'more', open > folded, 'hits', explorer.search('relu') > 2,\n"
        "  'told', explorer.select('loss').includes('sum'), 'path', explorer.path('image', 'loss') > 5].join(' ');");
    cr_assert_mentions(dom, "<title>toggled true more true hits true told true path true</title>");
}

/* What a person does: clicks into the drawing, types into the search field, unticks a box. */
Test(explorer, follows_mouse_and_keys, .timeout = 170)
{
    need_browser();
    atl_node *image = atl_input(graph, "image", ATL_FLOAT32, ATL_SHAPE(1, 4));
    atl_enter(graph, "inner");
    atl_node *y = atl_relu(atl_tanh(image));
    atl_leave(graph);
    cr_assert(atl_gradient(atl_sum(y), image));
    const char *dom = seen_in_browser(
        PAGE(.depth = 1),
        "const canvas = document.getElementById('canvas'), key = (k) =>\n"
        "  canvas.dispatchEvent(new KeyboardEvent('keydown', { key: k, bubbles: true, cancelable: true }));\n"
        "const field = document.getElementById('search');\nfield.value = 'tanh';\n"
        "field.dispatchEvent(new Event('input'));\n"
        "field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }));\n"
        "const found = document.getElementById('panel').textContent.includes('inner/tanh');\n"
        "key('Escape');\nconst cleared = document.getElementById('panel').textContent.includes('colours');\n"
        "const all = explorer.boxes(), box = document.getElementById('gradient');\nbox.checked = false;\n"
        "box.dispatchEvent(new Event('change'));\nconst fewer = explorer.boxes() < all;\nkey('f'); key('+'); "
        "key('ArrowUp');\n"
        "document.title = [found, cleared, fewer].join(' ');");
    cr_assert_mentions(dom, "<title>true true true</title>");
}

Test(explorer, opens_twenty_thousand_nodes, .timeout = 170)
{
    need_browser();
    atl_node *h = image_of(4);
    for (int i = 0; i < 200; i++) {
        atl_enter(graph, ATL_NAME("block%d", i));
        for (int k = 0; k < 100; k++)
            h = k % 10 ? atl_tanh(h) : atl_add(h, h);
        atl_leave(graph);
    }
    const char *page = PAGE();
    const char *dom = seen_in_browser(page, "document.title = 'boxes ' + explorer.boxes();");
    cr_assert_mentions(dom, "<title>boxes 201</title>");
}
