/* Timing the algorithms of a convolution: once each; kept, written and read; the result is the same. */
#include "compiler/layout/timing.h"
#include "compiler/layout/known_times.h"

#include <unistd.h>

#include "nets.h"
#include "lowering/lowering.h"

typedef struct timed_net {
    atl_graph *graph;
    atl_node *image, *outputs[3];
} timed_net;

/* Two layers with a choice, their gradients, and one without a choice. */
static timed_net new_net(void)
{
    timed_net n = {.graph = atl_graph_new()};
    n.image = atl_input(n.graph, "image", ATL_FLOAT32, ATL_SHAPE(2, 14, 14, 16));
    atl_node *h = n.image;
    for (int i = 0; i < 3; i++) {
        int64_t size = i < 2 ? 3 : 1;
        atl_node *w = atl_variable(n.graph, ATL_NAME("w%d", i), ATL_SHAPE(size, size, 16, 16), atl_he());
        atl_node *b = atl_variable(n.graph, ATL_NAME("b%d", i), ATL_SHAPE(16), atl_fill_with(20));
        h = atl_relu(atl_bias_add(atl_conv2d(h, w), b));
    }
    n.outputs[0] = atl_sum(h);
    n.outputs[1] = atl_gradient(n.outputs[0], n.image);
    n.outputs[2] = atl_gradient(n.outputs[0], atl_find(n.graph, "w1"));
    return n;
}

static void check_against_estimates(int winograd)
{
    timed_net n = new_net();
    atl_nodes wanted = {3, n.outputs};
    unsigned without = winograd ? 0 : ATL_PASS_WINOGRAD;
    atl_program *timed = atl_compile(n.graph, wanted, .timing = 1, .disabled_passes = without);
    atl_program *estimated = atl_compile(n.graph, wanted, .disabled_passes = without);
    cr_assert(timed && estimated, "%s", atl_error());
    atl_tensor *pixels = random_tensor(atl_shape_of(n.image), -1, 1);
    for (int run = 0; run < 2; run++) {
        cr_assert_eq(atl_run(timed, ATL_FEED(n.image, pixels)), ATL_OK, "%s", atl_error());
        cr_assert_eq(atl_run(estimated, ATL_FEED(n.image, pixels)), ATL_OK, "%s", atl_error());
        for (int i = 0; i < 3; i++)
            cr_assert_close(atl_value(timed, n.outputs[i]), atl_value(estimated, n.outputs[i]), 1e-5);
    }
    atl_tensor_free(pixels);
    atl_program_free(timed);
    atl_program_free(estimated);
    atl_graph_free(n.graph);
}

Test(timing, changes_nothing_but_speed)
{
    check_against_estimates(1);
    check_against_estimates(0);
}

static char *contents(const char *path)
{
    static char text[1 << 16];
    FILE *file = fopen(path, "r");
    cr_assert(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    return text;
}

/* Nothing is timed twice, so that two programs of a process have the same steps. */
Test(timing, is_done_once_and_kept_in_a_file)
{
    char path[] = "timing_XXXXXX", first[1 << 16];
    int file = mkstemp(path);
    cr_assert_geq(file, 0);
    close(file);
    check_against_estimates(1);
    cr_assert_eq(atl_write_timing(path), ATL_OK, "%s", atl_error());
    strcpy(first, contents(path));
    check_against_estimates(1);
    cr_assert_eq(atl_write_timing(path), ATL_OK, "%s", atl_error());
    cr_expect_str_eq(first, contents(path));
    cr_expect_eq(atl_read_timing(path), ATL_OK, "%s", atl_error()); /* all of it is known */
    cr_assert_eq(atl_write_timing(path), ATL_OK, "%s", atl_error());
    cr_expect_str_eq(first, contents(path));
    remove(path);
}

/* Writes a file in which that algorithm takes a microsecond, and all others take a second. */
static void write_times_in_favour_of(int way, const char *path)
{
    char *line = strtok(contents(path), "\n"), *key;
    FILE *file = fopen(path, "w");
    cr_assert(file && line);
    fprintf(file, "%s\n", line);
    while ((line = strtok(NULL, "\n"))) {
        strtoll(line, &key, 10);
        fprintf(file, "%d%s\n", strstr(key, ATL_NAME(" algorithm %d", way)) ? 1000 : 1000000000, key);
    }
    fclose(file);
}

static int64_t count_winograd(void)
{
    timed_net n = new_net();
    atl_program *program = atl_compile(n.graph, {3, n.outputs}, .timing = 1);
    cr_assert(program, "%s", atl_error());
    int64_t count = steps_by(program, NULL, "winograd:");
    atl_program_free(program);
    atl_graph_free(n.graph);
    return count;
}

/* Two layers forward, two image gradients, one filter gradient. */
Test(timing, a_file_decides)
{
    char path[] = "timing_XXXXXX";
    close(mkstemp(path));
    count_winograd();
    cr_assert_eq(atl_write_timing(path), ATL_OK);
    write_times_in_favour_of(ATL_ALGO_WINOGRAD, path);
    atl_forget_times();
    cr_assert_eq(atl_read_timing(path), ATL_OK, "%s", atl_error());
    cr_expect_eq(count_winograd(), 5);
    write_times_in_favour_of(ATL_ALGO_DIRECT, path);
    atl_forget_times();
    cr_assert_eq(atl_read_timing(path), ATL_OK, "%s", atl_error());
    cr_expect_eq(count_winograd(), 0);
    remove(path);
}

static int64_t count_few_channels(void)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(2, 14, 14, 3));
    atl_node *y = atl_conv2d(image, atl_variable(g, "w", ATL_SHAPE(5, 5, 3, 16), atl_he()));
    atl_node *dx = atl_gradient(atl_sum(atl_square(y)), image);
    atl_program *program = atl_compile(g, ATL_NODES(dx), .timing = 1);
    cr_assert(program, "%s", atl_error());
    int64_t count = steps_by(program, "conv2d_input_grad", "few channels");
    atl_program_free(program);
    atl_graph_free(g);
    return count;
}

/* The gradient by an image of few channels: ours, and oneDNN's. */
Test(timing, a_file_decides_about_few_channels)
{
    char path[] = "timing_XXXXXX";
    close(mkstemp(path));
    count_few_channels();
    cr_assert_eq(atl_write_timing(path), ATL_OK);
    for (int own = 0; own <= 1; own++) {
        write_times_in_favour_of(own ? ATL_ALGO_FEW_CHANNELS : ATL_ALGO_DIRECT, path);
        atl_forget_times();
        cr_assert_eq(atl_read_timing(path), ATL_OK, "%s", atl_error());
        cr_expect_eq(count_few_channels(), own);
    }
    remove(path);
}

Test(timing, files_that_hold_no_times)
{
    static const char *const texts[] = {"", "nonsense\n",
                                        "atled timing 1: nanoseconds, op, attributes, shapes, threads, algorithm\nx\n"};
    char path[] = "timing_XXXXXX";
    close(mkstemp(path));
    for (int i = 0; i < 3; i++) {
        FILE *file = fopen(path, "w");
        fputs(texts[i], file);
        fclose(file);
        cr_expect_eq(atl_read_timing(path), ATL_BAD_FILE, "text %d", i);
        cr_assert_mentions(atl_error(), path);
    }
    remove(path);
    cr_expect_eq(atl_read_timing(path), ATL_BAD_FILE);
    cr_expect_eq(atl_read_timing(NULL), ATL_INVALID);
    cr_expect_eq(atl_write_timing("no/such/folder/file"), ATL_BAD_FILE);
    cr_expect_eq(atl_write_timing(NULL), ATL_INVALID);
}
