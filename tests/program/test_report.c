/* A program's description of itself. */
#include "json.h"
#include "nets.h"

static char *text_of(FILE *file)
{
    static char text[1 << 16];
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    return text;
}

Test(report, profile_as_table_and_json)
{
    small_net net = small_net_new(2, 8);
    atl_program *program = atl_compile(net.graph, ATL_NODES(net.by_image));
    atl_tensor *pixels = random_tensor(ATL_SHAPE(2, 8, 8, 3), -1, 1);
    FILE *table = tmpfile(), *json = tmpfile();
    cr_assert_eq(atl_program_write_profile(program, table, ATL_PROFILE_TABLE, NULL), ATL_INVALID);
    cr_assert_mentions(atl_error(), "atl_program_profile");
    cr_assert_eq(atl_program_profile(program, ATL_FEED(net.image, pixels), 3), ATL_OK, "%s", atl_error());
    atl_machine_peak peak = {1e11, 1e10};
    cr_assert_eq(atl_program_write_profile(program, table, ATL_PROFILE_TABLE, &peak), ATL_OK);
    cr_assert_eq(atl_program_write_profile(program, json, ATL_PROFILE_JSON, &peak), ATL_OK);
    const char *text = text_of(table);
    cr_assert_mentions(text, "conv2d_input_grad");
    cr_assert_mentions(text, "of peak");
    text = text_of(json);
    cr_assert(is_json(text), "%s", text);
    cr_assert_mentions(text, "\"steps\": [");
    cr_assert_mentions(text, "\"op\": \"conv2d_fused\"");
    double sum = 0;
    for (int64_t i = 0; i < atl_program_step_count(program); i++) {
        atl_step_info info;
        cr_assert_eq(atl_program_step(program, i, &info), ATL_OK);
        cr_assert(info.prepack || info.microseconds > 0);
        sum += info.microseconds;
    }
    cr_assert_gt(sum, 0);
    atl_tensor_free(pixels);
    atl_program_free(program);
    atl_graph_free(net.graph);
}

/* Names come from users; a peak of 0 and steps of no time must not produce invalid JSON. */
Test(report, any_profile_is_json)
{
    cr_assert(is_json(" {\"a\": [1, -0.5e+3, true, {}, []], \"b\\\"\": \"\\u00e9\"}\n") && !is_json("[1, nan]") &&
              !is_json("{1: 2}") && !is_json("[01]") && !is_json("[1,]") && !is_json("\"a\"\"") &&
              !is_json("[\"\\x\"]"));
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(0, 3)), *y = atl_input(g, "y", ATL_FLOAT32, ATL_SHAPE(4, 3));
    atl_node *a = atl_named(atl_tanh(x), "a \"quoted\" name\\ \t \xe9 \xc3\xa9 \x7f"), *b = atl_softmax(y);
    atl_tensor *none = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(0, 3)), *some = random_tensor(ATL_SHAPE(4, 3), -1, 1);
    const atl_machine_peak peaks[] = {{0, 0}, {1e11, 1e10}};
    atl_program *program = atl_compile(g, ATL_NODES(a, b));
    cr_assert(program, "%s", atl_graph_error(g));
    cr_assert_eq(atl_program_profile(program, ATL_FEEDS({x, none}, {y, some}), 1), ATL_OK, "%s", atl_error());
    for (int i = 0; i < 3; i++) {
        FILE *json = tmpfile();
        cr_assert_eq(atl_program_write_profile(program, json, ATL_PROFILE_JSON, i < 2 ? &peaks[i] : NULL), ATL_OK);
        const char *text = text_of(json);
        cr_assert(is_json(text), "%s", text);
    }
    atl_tensor_free(none);
    atl_tensor_free(some);
    atl_program_free(program);
    atl_graph_free(g);
}

Test(report, plan_names_every_step)
{
    small_net net = small_net_new(2, 8);
    atl_program *program = atl_compile(net.graph, ATL_NODES(net.loss));
    FILE *file = tmpfile();
    cr_assert_eq(atl_program_write_plan(program, file), ATL_OK);
    const char *text = text_of(file);
    cr_assert_mentions(text, "once");
    cr_assert_mentions(text, "arena");
    atl_step_info info;
    cr_assert_eq(atl_program_step(program, 1000, &info), ATL_INVALID);
    cr_assert_mentions(atl_error(), "no step 1000");
    atl_program_free(program);
    atl_graph_free(net.graph);
}

Test(report, the_machine_has_a_peak)
{
    atl_machine_peak peak = atl_measure_peak(0);
    cr_assert_gt(peak.flops_per_second, 0);
    cr_assert_gt(peak.bytes_per_second, 0);
}

Test(report, times_by_node_colour_the_drawing)
{
    small_net net = small_net_new(2, 8);
    atl_program *program = atl_compile(net.graph, ATL_NODES(net.loss, net.by_image));
    atl_tensor *pixels = random_tensor(ATL_SHAPE(2, 8, 8, 3), -1, 1);
    int64_t count = atl_graph_node_count(net.graph);
    double *time = calloc((size_t)count, sizeof *time), sum = 0, of_steps = 0;
    cr_assert_eq(atl_program_node_times(program, count, time), ATL_INVALID);
    cr_assert_eq(atl_program_profile(program, ATL_FEED(net.image, pixels), 3), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_program_node_times(program, count, time), ATL_OK, "%s", atl_error());
    for (int64_t i = 0; i < count; i++)
        sum += time[i];
    for (int64_t i = 0; i < atl_program_step_count(program); i++) {
        atl_step_info info;
        atl_program_step(program, i, &info);
        of_steps += info.microseconds;
        atl_node *node = atl_find(net.graph, info.node);
        cr_assert(node);
        if (!info.prepack)
            cr_assert_gt(time[atl_index_of(node)], 0, "%s", info.node);
    }
    cr_assert(fabs(sum - of_steps) < 1e-6 * of_steps, "the nodes took %g, the steps %g", sum, of_steps);
    FILE *file = tmpfile();
    cr_assert_eq(atl_write_dot(net.graph, .file = file, .microseconds = time), ATL_OK);
    const char *text = text_of(file);
    cr_assert_mentions(text, "\xc2\xb5s, ");
    cr_assert_mentions(text, "fillcolor=\"#f87a5a\""); /* the slowest */
    free(time);
    atl_tensor_free(pixels);
    atl_program_free(program);
    atl_graph_free(net.graph);
}

/* A convolution with bias and relu in one step is the convolution, in the table and in the times. */
Test(report, a_fused_convolution_is_not_its_relu)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, 16, 16, 8));
    atl_node *h = atl_conv_layer(x, "conv", 16, .window = {3, 3}, .activation = atl_relu);
    atl_node *r = atl_relu(atl_add(atl_conv_layer(h, "conv2", 16, .window = {3, 3}), h));
    atl_node *y = atl_dense_layer(atl_flatten(r), "dense", 4, .activation = atl_relu);
    atl_node *by = atl_gradient(atl_sum(atl_square(y)), x);
    atl_program *program = atl_compile(g, ATL_NODES(y, by));
    atl_tensor *value = random_tensor(ATL_SHAPE(1, 16, 16, 8), -1, 1);
    int64_t count = atl_graph_node_count(g);
    double *time = calloc((size_t)count, sizeof *time);
    cr_assert(program && !atl_program_profile(program, ATL_FEED(x, value), 3), "%s", atl_error());
    cr_assert_eq(atl_program_node_times(program, count, time), ATL_OK);
    int seen = 0;
    for (int64_t i = 0; i < atl_program_step_count(program); i++) {
        atl_step_info info;
        cr_assert_eq(atl_program_step(program, i, &info), ATL_OK);
        cr_expect_eq(info.prepack, i < atl_program_prepack_count(program), "step %lld", (long long)i);
        if (strcmp(info.op, "conv2d_fused") == 0 || strcmp(info.op, "matmul_fused") == 0 ||
            strcmp(info.op, "conv2d_input_relu_grad") == 0) {
            const char *own = atl_op_of(atl_find(g, info.node))->name;
            cr_expect(strncmp(own, info.op, 6) == 0 && !strstr(own, "relu"), "%s is booked on %s, a %s", info.op,
                      info.node, own);
            cr_expect_gt(time[atl_index_of(atl_find(g, info.node))], 0);
            seen++;
        }
    }
    cr_expect_geq(seen, 3);
    cr_expect_gt(time[atl_index_of(atl_find(g, "conv/conv2d"))], 0);
    cr_expect_gt(time[atl_index_of(atl_find(g, "conv2/conv2d"))], 0);
    free(time);
    atl_tensor_free(value);
    atl_program_free(program);
    atl_graph_free(g);
}

Test(report, the_peak_in_turn_with_the_steps)
{
    small_net net = small_net_new(2, 8);
    atl_program *program = atl_compile(net.graph, ATL_NODES(net.loss));
    atl_tensor *pixels = random_tensor(ATL_SHAPE(2, 8, 8, 3), -1, 1);
    atl_machine_peak peak;
    for (int runs = 1; runs < 26; runs += 12) {
        cr_assert_eq(atl_program_profile_with_peak(program, ATL_FEED(net.image, pixels), runs, &peak), ATL_OK, "%s",
                     atl_error());
        cr_expect(peak.flops_per_second > 1e6 && peak.bytes_per_second > 1e6);
        atl_step_info info;
        cr_assert_eq(atl_program_step(program, atl_program_step_count(program) - 1, &info), ATL_OK);
        cr_expect_gt(info.microseconds, 0);
    }
    cr_expect_eq(atl_program_profile_with_peak(program, ATL_NO_FEEDS, 3, &peak), ATL_INVALID);
    cr_expect_eq(peak.flops_per_second, 0);
    cr_expect_eq(atl_program_profile_with_peak(program, ATL_NO_FEEDS, -3, &peak), ATL_INVALID);
    cr_expect_eq(atl_program_profile_with_peak(NULL, ATL_NO_FEEDS, 3, &peak), ATL_INVALID);
    cr_expect_eq(atl_program_profile_with_peak(program, ATL_NO_FEEDS, 3, NULL), ATL_INVALID);
    atl_tensor_free(pixels);
    atl_program_free(program);
    atl_graph_free(net.graph);
}
