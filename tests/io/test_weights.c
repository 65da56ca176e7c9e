/* Weights of a graph to and from archives. */
#include "scratch.h"

#include "atled/files.h"
#include "atled/ops.h"
#include "graph/memory.h"

TestSuite(weights, .init = make_scratch, .fini = remove_scratch);

/* conv1/weights [2, 3], conv1/biases [3], scale [4]; each filled with its value. */
static atl_graph *new_model(float weights, float biases, float scale)
{
    atl_graph *g = atl_graph_new();
    atl_enter(g, "conv1");
    atl_variable(g, "weights", ATL_SHAPE(2, 3), atl_fill_with(weights));
    atl_variable(g, "biases", ATL_SHAPE(3), atl_fill_with(biases));
    atl_leave(g);
    atl_variable(g, "gain", ATL_SHAPE(4), atl_fill_with(scale));
    return g;
}

static float first_of(const atl_graph *g, const char *name)
{
    return atl_floats(atl_variable_value(atl_find(g, name)))[0];
}

static void assert_values(const atl_graph *g, float weights, float biases, float gain)
{
    cr_assert_eq(first_of(g, "conv1/weights"), weights);
    cr_assert_eq(first_of(g, "conv1/biases"), biases);
    cr_assert_eq(first_of(g, "gain"), gain);
}

/* An archive of one or two arrays of zeros. */
static void write_archive(const char *a, atl_shape a_shape, const char *b, atl_shape b_shape)
{
    atl_tensor *x = atl_tensor_new(ATL_FLOAT32, a_shape), *y = atl_tensor_new(ATL_FLOAT32, b_shape);
    atl_npz_entry entries[] = {{a, x}, {b, y}};
    cr_assert_eq(atl_write_npz(in_scratch("w.npz"), b ? 2 : 1, entries), ATL_OK, "%s", atl_error());
    atl_tensor_free(x);
    atl_tensor_free(y);
}

Test(weights, come_back)
{
    atl_graph *saved = new_model(1, 2, 3), *fresh = new_model(0, 0, 0), *used = new_model(0, 0, 0);
    assert_values(used, 0, 0, 0);
    cr_assert_eq(atl_save_npz(saved, in_scratch("w.npz")), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_load_npz(fresh, in_scratch("w.npz")), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_load_npz(used, in_scratch("w.npz")), ATL_OK, "%s", atl_error());
    assert_values(fresh, 1, 2, 3);
    assert_values(used, 1, 2, 3);
    cr_assert_str_empty(atl_graph_error(used));
    atl_graph_free(saved);
    atl_graph_free(fresh);
    atl_graph_free(used);
}

Test(weights, suffixes)
{
    atl_graph *saved = new_model(1, 2, 3), *loaded = new_model(0, 0, 0);
    cr_assert_eq(atl_save_npz(saved, in_scratch("w.npz"), .suffixes = {"_W", "_b"}), ATL_OK, "%s", atl_error());
    atl_npz *npz = atl_npz_open(in_scratch("w.npz"));
    cr_assert(atl_npz_has(npz, "conv1_W") && atl_npz_has(npz, "conv1_b") && atl_npz_has(npz, "gain"));
    atl_npz_close(npz);
    cr_assert_eq(atl_load_npz(loaded, in_scratch("w.npz"), .suffixes = {"_W", "_b"}), ATL_OK, "%s", atl_error());
    assert_values(loaded, 1, 2, 3);
    atl_graph_free(saved);
    atl_graph_free(loaded);
}

Test(weights, misfits_are_told_and_change_nothing)
{
    atl_graph *g = new_model(1, 2, 3);
    write_archive("conv1/weights", ATL_SHAPE(3, 2), "conv9", ATL_SHAPE(1));
    cr_assert_eq(atl_load_npz(g, in_scratch("w.npz")), ATL_BAD_FILE);
    assert_told("1 differ: 'conv1/weights' is float32 [3, 2], expected float32 [2, 3]");
    assert_told("2 missing: 'conv1/biases' [3], 'gain' [4]");
    assert_told("1 that no variable wants: 'conv9'");
    cr_assert_str_eq(atl_graph_error(g), atl_error());
    assert_values(g, 1, 2, 3);
    cr_assert_eq(atl_load_npz(g, in_scratch("w.npz"), .allow_missing = 1, .allow_extra = 1), ATL_BAD_FILE);
    assert_told("1 differ");
    cr_assert_null(strstr(atl_error(), "missing"));
    assert_values(g, 1, 2, 3);
    atl_graph_free(g);
}

Test(weights, partial)
{
    atl_graph *g = new_model(1, 2, 3);
    write_archive("gain", ATL_SHAPE(4), "conv9", ATL_SHAPE(1));
    cr_assert_eq(atl_load_npz(g, in_scratch("w.npz")), ATL_BAD_FILE);
    assert_told(".allow_missing = 1");
    cr_assert_eq(atl_load_npz(g, in_scratch("w.npz"), .allow_missing = 1, .allow_extra = 1), ATL_OK, "%s", atl_error());
    assert_values(g, 1, 2, 0);
    write_archive("conv9", ATL_SHAPE(1), NULL, ATL_SCALAR);
    cr_assert_eq(atl_load_npz(g, in_scratch("w.npz"), .allow_missing = 1, .allow_extra = 1), ATL_BAD_FILE);
    assert_told("3 missing");
    assert_told("another network's");
    assert_told(".suffixes");
    atl_graph_free(g);
}

/* A whole state_dict of PyTorch has more entries than weights: extra entries may be allowed, missing ones may not. */
Test(weights, extra_and_missing_are_allowed_apart)
{
    atl_graph *g = atl_graph_new();
    atl_variable(g, "bn/scale", ATL_SHAPE(2), atl_zeros());
    write_archive("bn.weight", ATL_SHAPE(2), "bn.num_batches_tracked", ATL_SHAPE(1));
    const char *path = in_scratch("w.npz");
    cr_assert_eq(atl_load_npz(g, path, .suffixes[2] = ".weight"), ATL_BAD_FILE);
    assert_told("1 that no variable wants: 'bn.num_batches_tracked'");
    assert_told(".allow_extra = 1");
    cr_assert_eq(atl_load_npz(g, path, .suffixes[2] = ".weight", .allow_missing = 1), ATL_BAD_FILE);
    cr_assert_eq(atl_load_npz(g, path, .suffixes[2] = ".weight", .allow_extra = 1), ATL_OK, "%s", atl_error());
    atl_variable(g, "bn/shift", ATL_SHAPE(2), atl_zeros());
    cr_assert_eq(atl_load_npz(g, path, .suffixes[2] = ".weight", .allow_extra = 1), ATL_BAD_FILE);
    assert_told("1 missing: 'bn/shift'");
    atl_graph_free(g);
}

Test(weights, long_lists_are_cut)
{
    atl_graph *g = atl_graph_new();
    for (int i = 0; i < 1000; i++)
        atl_variable(g, ATL_NAME("v%d", i), ATL_SHAPE(1), atl_zeros());
    write_archive("v1", ATL_SHAPE(1), "v2", ATL_SHAPE(1));
    cr_assert_eq(atl_load_npz(g, in_scratch("w.npz")), ATL_BAD_FILE);
    assert_told("998 missing: 'v0' [1], 'v3' [1], 'v4' [1], 'v5' [1] and 994 more");
    atl_graph_free(g);
}

/* Doubles and halves become floats; integers are an error. */
Test(weights, types)
{
    atl_graph *g = atl_graph_new();
    atl_variable(g, "w", ATL_SHAPE(2), atl_zeros());
    double wide[] = {0.5, 2};
    atl_tensor *doubles = atl_tensor_view(ATL_FLOAT64, ATL_SHAPE(2), wide);
    atl_tensor *ints = atl_tensor_of_ints(ATL_SHAPE(2), (const int32_t[]){1, 2});
    cr_assert_eq(atl_write_npz(in_scratch("w.npz"), 1, &(atl_npz_entry){"w", doubles}), ATL_OK);
    cr_assert_eq(atl_load_npz(g, in_scratch("w.npz")), ATL_OK, "%s", atl_error());
    cr_assert_eq(first_of(g, "w"), 0.5f);
    cr_assert_eq(atl_write_npz(in_scratch("w.npz"), 1, &(atl_npz_entry){"w", ints}), ATL_OK);
    cr_assert_eq(atl_load_npz(g, in_scratch("w.npz")), ATL_BAD_FILE);
    assert_told("'w' is int32 [2], expected float32 [2]");
    cr_assert_eq(first_of(g, "w"), 0.5f);
    atl_tensor_free(doubles);
    atl_tensor_free(ints);
    atl_graph_free(g);
}

/* The last entry is damaged: the first must not have been loaded. */
Test(weights, damaged_entry_changes_nothing)
{
    size_t size;
    atl_graph *saved = new_model(5, 6, 7), *g = new_model(1, 2, 3);
    cr_assert_eq(atl_save_npz(saved, in_scratch("w.npz")), ATL_OK);
    unsigned char *bytes = read_file(in_scratch("w.npz"), &size);
    for (size_t i = size; i-- > 4;) {
        static const unsigned char seven[] = {0, 0, 0xe0, 0x40};
        if (memcmp(bytes + i - 4, seven, 4) == 0) {
            bytes[i - 4] ^= 1;
            break;
        }
    }
    write_file(in_scratch("w.npz"), bytes, size);
    free(bytes);
    cr_assert_eq(atl_load_npz(g, in_scratch("w.npz")), ATL_BAD_FILE);
    assert_told("'gain'");
    assert_told("checksum");
    assert_values(g, 1, 2, 3);
    atl_graph_free(saved);
    atl_graph_free(g);
}

Test(weights, wrong_arguments)
{
    atl_graph *empty = atl_graph_new(), *g = new_model(1, 2, 3);
    cr_assert_eq(atl_load_npz_with(NULL), ATL_INVALID);
    cr_assert_eq(atl_load_npz(NULL, "w.npz"), ATL_INVALID);
    cr_assert_eq(atl_load_npz(g, NULL), ATL_INVALID);
    cr_assert_str_not_empty(atl_graph_error(g));
    cr_assert_eq(atl_save_npz(empty, in_scratch("w.npz")), ATL_INVALID);
    assert_told("no variables");
    cr_assert_eq(atl_load_npz(g, in_scratch("missing.npz")), ATL_BAD_FILE);
    assert_told("there is no file");
    cr_assert_eq(atl_save_npz(g, in_scratch("no/such.npz")), ATL_BAD_FILE);
    atl_graph_free(empty);
    atl_graph_free(g);
}

Test(weights, keys_must_differ)
{
    atl_graph *g = atl_graph_new();
    atl_variable(g, "a/weights", ATL_SHAPE(1), atl_zeros());
    atl_variable(g, "a_W", ATL_SHAPE(1), atl_zeros());
    cr_assert_eq(atl_save_npz(g, in_scratch("w.npz"), .suffixes = {"_W"}), ATL_INVALID);
    assert_told("two variables have the key 'a_W'");
    cr_assert_eq(atl_save_npz(g, in_scratch("w.npz")), ATL_OK, "%s", atl_error());
    atl_graph_free(g);
}

/* Each allocation fails in turn: a clean error, and the variables are unchanged. */
Test(weights, out_of_memory)
{
    atl_graph *saved = new_model(5, 6, 7), *g = new_model(1, 2, 3);
    assert_values(g, 1, 2, 3);
    cr_assert_eq(atl_save_npz(saved, in_scratch("w.npz")), ATL_OK);
    int failures = 0;
    for (atl_status status = ATL_OUT_OF_MEMORY; status != ATL_OK; failures++) {
        cr_assert_lt(failures, 1000);
        atl_fail_allocations_after(failures);
        status = atl_load_npz(g, in_scratch("w.npz"));
        atl_fail_allocations_after(-1);
        cr_assert(status == ATL_OK || status == ATL_OUT_OF_MEMORY, "%d: %s", failures, atl_error());
        if (status)
            assert_values(g, 1, 2, 3);
    }
    assert_values(g, 5, 6, 7);
    cr_assert_gt(failures, 10);
    for (atl_status status = ATL_OUT_OF_MEMORY; status != ATL_OK; failures++) {
        cr_assert_lt(failures, 1000);
        atl_fail_allocations_after(failures % 50);
        status = atl_save_npz(g, in_scratch("w.npz"));
        atl_fail_allocations_after(-1);
        cr_assert(status == ATL_OK || status == ATL_OUT_OF_MEMORY, "%s", atl_error());
        cr_assert_eq(files_in_scratch(), 1);
    }
    atl_graph_free(saved);
    atl_graph_free(g);
}

/* ---- checkpoints ------------------------------------------------------------------------------------------------- */

/* The model with an optimizer's variables. */
static atl_graph *new_trainer(void)
{
    atl_graph *g = new_model(1, 2, 3);
    atl_node *slot = atl_variable(g, "gain/adam/m", ATL_SHAPE(4), atl_fill_with(7));
    atl_variable_set_state(atl_variable_set_trainable(slot, 0), 1);
    atl_variable_set_state(atl_variable_set_trainable(atl_variable(g, "gain/average", ATL_SHAPE(4), atl_fill_with(8)),
                                                      0),
                           1);
    atl_step_counter(g);
    return g;
}

Test(weights, a_checkpoint_has_all_and_serves_as_weights)
{
    atl_graph *trainer = new_trainer(), *model = new_model(0, 0, 0), *other = new_trainer();
    atl_npz_report report;
    cr_assert_eq(atl_save_npz(trainer, in_scratch("w.npz")), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_load_npz(other, in_scratch("w.npz"), .report_out = &report), ATL_OK, "%s", atl_error());
    cr_assert(report.matched == 6 && !report.missing && !report.extra && !report.differing);
    cr_assert_eq(atl_load_npz(model, in_scratch("w.npz")), ATL_BAD_FILE);
    assert_told("3 that no variable wants: 'gain/adam/m', 'gain/average', 'steps'");
    cr_assert_eq(atl_load_npz(model, in_scratch("w.npz"), .weights_only = 1, .report_out = &report), ATL_OK, "%s",
                 atl_error());
    cr_assert(report.matched == 3 && report.extra == 3);
    assert_values(model, 1, 2, 3);
    atl_graph_free(trainer);
    atl_graph_free(model);
    atl_graph_free(other);
}

Test(weights, without_what_training_needs)
{
    atl_graph *trainer = new_trainer(), *model = new_model(0, 0, 0);
    atl_npz_report report;
    cr_assert_eq(atl_save_npz(trainer, in_scratch("w.npz"), .weights_only = 1), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_load_npz(model, in_scratch("w.npz")), ATL_OK, "%s", atl_error());
    assert_values(model, 1, 2, 3);
    cr_assert_eq(atl_load_npz(trainer, in_scratch("w.npz"), .report_out = &report),
                 ATL_BAD_FILE); /* it cannot go on from there */
    assert_told("3 missing: 'gain/adam/m' [4], 'gain/average' [4], 'steps' []");
    cr_assert(report.missing == 3 && report.matched == 3);
    cr_assert_eq(atl_load_npz(trainer, in_scratch("w.npz"), .weights_only = 1), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_save_npz(trainer, in_scratch("w.npz"), .averages = 1), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_load_npz(model, in_scratch("w.npz")), ATL_OK, "%s", atl_error());
    assert_values(model, 1, 2, 8);
    atl_graph_free(trainer);
    atl_graph_free(model);
}

Test(weights, a_checkpoint_of_another_net_is_told_in_full)
{
    atl_graph *g = new_trainer();
    atl_npz_report report;
    write_archive("conv1/weights", ATL_SHAPE(3, 2), "conv9", ATL_SHAPE(1));
    cr_assert_eq(atl_load_npz(g, in_scratch("w.npz"), .report_out = &report), ATL_BAD_FILE);
    cr_assert(report.matched == 0 && report.missing == 5 && report.extra == 1 && report.differing == 1);
    cr_assert(strstr(report.text, "1 differ: 'conv1/weights' is float32 [3, 2], expected float32 [2, 3]"), "%s",
              report.text);
    cr_assert(strstr(report.text, "1 that no variable wants: 'conv9'"), "%s", report.text);
    atl_graph_free(g);
}
