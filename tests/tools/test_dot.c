/* atled dot, as it is called.  Minutes: 4 */
#include "command.h"

#include "config.h"

/* Graphviz's own command accepts the file without a message. */
static void check_accepted(const char *path)
{
    const char *const argv[] = {"dot", "-Tcanon", path, NULL};
    const char *said = scratch_file("dot.said");
    posix_spawn_file_actions_t actions;
    pid_t child;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, said, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    int failed = posix_spawnp(&child, "dot", &actions, NULL, (char *const *)(void *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed)
        cr_skip_test("Graphviz's command, dot, is not installed");
    int code = code_of(child);
    char *text = whole_file(said);
    cr_assert(code == 0 && !text[0], "dot -Tcanon %s: %d, %s", path, code, text);
    free(text);
}

Test(atled_dot, graphviz_accepts_every_network, .timeout = 240)
{
    int64_t count;
    const atl_model *const *models = atl_models(&count);
    const char *path = scratch_file("network.dot");
    for (int i = 0; i < count; i++)
        for (int way = 0; way < 4; way++) {
            const char *gradient = way & 1 ? "--gradient" : NULL, *depth = way & 2 ? "--depth=1" : gradient;
            command_run run = RUN("dot", "--model", models[i]->name, "-o", path, way & 2 ? depth : gradient,
                                  way == 3 ? gradient : NULL);
            cr_assert_code(run, 0);
            cr_assert_str_eq(run.err, "");
            check_accepted(path);
        }
}

Test(atled_dot, is_printed_without_a_file)
{
    command_run run = RUN("dot", "--model", "cifar10", "--gradient"), again = RUN("dot", "-m", "cifar10", "-g");
    cr_assert_code(run, 0);
    cr_assert_eq(strncmp(run.out, "digraph", 7), 0);
    cr_assert_mentions(run.out, "conv2d_input_grad");
    cr_assert_null(strstr(run.out, "conv2d_filter_grad"), "the gradient of the image needs none of a filter");
    cr_assert_str_eq(run.out, again.out);
}

Test(atled_dot, only_what_lies_between_two_nodes)
{
    command_run run = RUN("dot", "-m", "cifar10", "--from", "conv2/conv2d", "--to", "pool2");
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "norm2");
    cr_assert_null(strstr(run.out, "conv1"));
    cr_assert_null(strstr(run.out, "weights"));
    run = RUN("dot", "-m", "cifar10", "--from", "image", "--to", "logits"); /* softmax_linear/logits */
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "<b>logits</b>");
    cr_assert_refused(2, "no path", "dot", "-m", "cifar10", "--from", "pool2", "--to", "conv2/conv2d");
}

#ifdef ATLED_HAVE_GRAPHVIZ
Test(atled_dot, renders_what_ends_so, .timeout = 120)
{
    const char *path = scratch_file("cifar10.svg");
    command_run run = RUN("dot", "-m", "cifar10", "--gradient", "-o", path);
    cr_assert_code(run, 0);
    cr_assert_str_eq(run.err, "");
    char *svg = whole_file(path);
    cr_assert_mentions(svg, "<svg");
    cr_assert_mentions(svg, ">softmax_linear<");
    free(svg);
}
#endif

Test(atled_dot, mistakes_say_what_to_do)
{
    cr_assert_refused(2, "--model NAME is missing", "dot");
    cr_assert_refused(2, "did you mean 'vgg16'?", "dot", "--model", "vgg61");
    cr_assert_refused(2, "squeezenet", "dot", "--model", "transformer");
    cr_assert_refused(2, "did you mean 'pool", "dot", "--model", "cifar10", "--to", "pool3");
    cr_assert_refused(2, "'conv1/relu'", "dot", "--model", "cifar10", "--to", "relu");
    cr_assert_refused(2, "--depth takes a whole number", "dot", "--model", "cifar10", "--depth", "none");
    cr_assert_refused(2, ".svg, .png, .pdf or .dot", "dot", "--model", "cifar10", "-o", scratch_file("x.jpg"));
    cr_assert_refused(3, "/no/such/folder/x.dot", "dot", "--model", "cifar10", "-o", "/no/such/folder/x.dot");
    cr_assert_refused(3, "/no/such.npz", "dot", "--model", "cifar10", "--weights", "/no/such.npz");
}

Test(atled_dot, writes_a_page_to_explore)
{
    const char *page = scratch_file("lenet.html");
    command_run run = RUN("dot", "-m", "lenet", "-g", "-o", page);
    cr_assert_code(run, 0);
    const char *text = whole_file(page);
    cr_assert_mentions(text, "<!DOCTYPE html>");
    cr_assert_mentions(text, "<title>lenet</title>");
    cr_assert_mentions(text, "\"conv2d\"");
}

Test(atled_dot, the_page_shows_a_run_a_plan_and_another_graph)
{
    const char *page = scratch_file("cifar10.html"), *other = scratch_file("other.json"),
               *picture = scratch_file("noise.png");
    atl_tensor *pixels = atl_uniform_tensor(ATL_SHAPE(24, 24, 3), 0, 255, 3);
    cr_assert_eq(atl_write_png(picture, pixels), ATL_OK, "%s", atl_error());
    atl_tensor_free(pixels);
    command_run run = RUN("dot", "-m", "cifar10", "-o", other);
    cr_assert_code(run, 0);
    run = RUN("dot", "-m", "cifar10", "-g", "--run", picture, "--without", "fuse", "--against", other, "-o", page);
    cr_assert_code(run, 0);
    const char *text = whole_file(page);
    cr_assert_mentions(text, "\"values\":[[");
    cr_assert_mentions(text, "\"plan\":{\"title\":\"without fuse\"");
    cr_assert_mentions(text, "\"otherPlan\":{\"title\":\"with all passes\"");
    cr_assert_mentions(text, "\"other\":{\"title\":\"other.json\"");
    cr_assert_refused(2, "--run is of the page", "dot", "-m", "cifar10", "--run", picture, "-o", scratch_file("x.dot"));
    cr_assert_refused(2, "--plan is of the page", "dot", "-m", "cifar10", "--plan");
    cr_assert_refused(2, "--threads is of the page", "dot", "-m", "cifar10", "--threads", "2");
    cr_assert_refused(3, "no.png", "dot", "-m", "cifar10", "--run", "no.png", "-o", page);
    cr_assert_refused(3, "noise.png", "dot", "-m", "cifar10", "--against", picture, "-o", page);
}

/* What the page of a real network may weigh. */
Test(atled_dot, the_page_of_resnet20_with_its_gradient_is_small)
{
    const char *page = scratch_file("resnet20.html"), *picture = scratch_file("noise.png");
    atl_tensor *pixels = atl_uniform_tensor(ATL_SHAPE(32, 32, 3), 0, 255, 3);
    cr_assert_eq(atl_write_png(picture, pixels), ATL_OK, "%s", atl_error());
    atl_tensor_free(pixels);
    command_run run = RUN("dot", "-m", "resnet20", "-g", "--run", picture, "--plan", "-o", page);
    cr_assert_code(run, 0);
    char *text = whole_file(page);
    cr_assert_lt(strlen(text), 2000000);
    cr_assert_gt(strlen(text), 100000);
    cr_assert(!strstr(text, "https:") && !strstr(text, " src=") && !strstr(text, "@import"));
    for (const char *at = text; (at = strstr(at, "http:")); at++) /* names of namespaces; nothing is loaded */
        cr_assert_eq(strncmp(at, "http://www.w3.org/", 18), 0, "%.40s", at);
    free(text);
}

/* Scopes that are boxes, each at its own depth; a legend; and what has no effect is refused. */
Test(atled_dot, folds_scopes_and_adds_a_legend)
{
    const char *path = scratch_file("folded.dot");
    command_run run = RUN("dot", "-m", "resnet20", "--fold", "layer1.0.conv1", "--legend", "-o", path);
    cr_assert_code(run, 0);
    char *text = whole_file(path);
    cr_assert_mentions(text, "<b>layer1.0.conv1</b>");
    cr_assert_mentions(text, "<b>batch_norm</b>");
    cr_assert_mentions(text, "cluster_legend");
    check_accepted(path);
    run = RUN("dot", "-m", "resnet20", "--unfold", "-o", path);
    cr_assert_code(run, 0);
    cr_assert(!strstr(whole_file(path), "<b>batch_norm</b>"));
    cr_assert_refused(2, "there is no scope 'nowhere'", "dot", "-m", "resnet20", "--fold", "nowhere");
    cr_assert_refused(2, "--legend is of a drawing", "dot", "-m", "resnet20", "--legend", "-o", scratch_file("x.html"));
}
