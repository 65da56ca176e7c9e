/* Minutes: 3.  Training with batch norm: the statistics that are kept. */
#include "weight_files.h"

#include "few_pictures.h"

static const char *write_colours(void)
{
    const char *path = scratch_file("colours.npz");
    atl_tensor *images = random_tensor(ATL_SHAPE(24, 8, 8, 3), 0, 100),
               *labels = atl_tensor_new(ATL_INT32, ATL_SHAPE(24));
    for (int i = 0; i < 24; i++) {
        atl_ints(labels)[i] = i % 3;
        for (int k = 0; k < 64; k++)
            atl_floats(images)[(i * 64 + k) * 3 + i % 3] += 120;
    }
    cr_assert(atl_write_npz(path, 2, (const atl_npz_entry[]){{"images", images}, {"labels", labels}}) == ATL_OK, "%s",
              atl_error());
    atl_tensor_free(images);
    atl_tensor_free(labels);
    return path;
}

/* After how many steps a training is interrupted. */
#define STOP FEWER("25", "5")

/* The smallest network with batch norm, on the images of write_colours. */
#define TRAIN_RESNET(data) "train", "-m", "resnet20", "--widths", "3", "-d", data, "--crop", "8", "-q", "--threads", "1"

/* Batch norm uses the batch's statistics in training, and the running ones afterwards: those are resumed, too, and
 * saved with the weights. */
Test(training, batch_norm_keeps_its_statistics)
{
    const char *data = write_colours(), *whole = scratch_file("whole.npz"), *parts = scratch_file("parts.npz"),
               *checkpoint = scratch_file("checkpoint.npz");
#define OPTIONS TRAIN_RESNET(data), "-b", "12", "--steps", FEWER("60", "12")
    command_run run = RUN(OPTIONS, "-o", whole);
    cr_assert_code(run, 0);
    run = RUN("eval", "-m", "resnet20", "-w", whole, "-d", data, "--crop", "8");
    cr_assert_code(run, 0);
    if (!SANITIZED)                                          /* after so few steps nothing is learned */
        cr_assert_mentions(run.out, "100.00 % of 24 right"); /* the initial statistics, 0 and 1, would not give this */
    run = RUN(OPTIONS, "-o", parts, "--stop-after", STOP, "--checkpoint", checkpoint);
    cr_assert_code(run, 1);
    cr_assert(!same_entry(whole, parts, "bn1/mean") && !same_entry(whole, parts, "layer3.2.bn2/variance"));
    run = RUN(OPTIONS, "-o", parts, "--resume", checkpoint);
    cr_assert_code(run, 0);
    assert_same_file(whole, parts);
#undef OPTIONS
}

/* The largest distance of the statistics in the file from those that its weights give for all the images. */
static double statistics_off(const char *data, const char *weights)
{
    atl_dataset *set = atl_dataset_open(data, ATL_TRAINING);
    atl_batches *batches = atl_batches_new(set, .size = 24);
    atl_graph *kept = atl_graph_new(), *now = atl_graph_new();
    atl_node *image = atl_input(now, "image", ATL_FLOAT32, ATL_SHAPE(24, 8, 8, 3));
    atl_model_args args = {.image = atl_input(kept, "image", ATL_FLOAT32, ATL_SHAPE(24, 8, 8, 3)), .widths = {3}};
    cr_assert(atl_resnet20_with(&args));
    cr_assert(atl_resnet20(image, .widths = {3}, .training = 1));
    cr_assert(atl_load_npz(kept, weights) == ATL_OK && atl_load_npz(now, weights) == ATL_OK, "%s", atl_error());
    int64_t count = atl_variables(now).count;
    atl_node *const *variable = atl_variables(now).node;
    atl_program *program = atl_compile(now, ATL_NODES(atl_group_with(atl_updates(now))), .threads = 1);
    cr_assert(program && batches, "%s", atl_error());
    const atl_batch *batch = atl_batches_next(batches);
    for (int i = 0; i < FEWER(60, 10); i++) /* until the values from the file have decayed */
        cr_assert(atl_run(program, ATL_FEED(image, batch->images)) == ATL_OK, "%s", atl_error());
    double worst = 0;
    for (int64_t i = 0; i < count; i++)
        worst = fmax(worst, relative_l2(atl_variable_value(atl_find(kept, atl_name_of(variable[i]))),
                                        atl_variable_value(variable[i])));
    atl_program_free(program);
    atl_batches_free(batches);
    atl_dataset_free(set);
    atl_graph_free(kept);
    atl_graph_free(now);
    return worst;
}

/* Averaged weights have their own statistics, also if training was interrupted and resumed. */
Test(training, averaged_weights_are_saved_with_their_own_statistics)
{
    const char *data = write_colours(), *averaged = scratch_file("averaged.npz"), *plain = scratch_file("plain.npz"),
               *parts = scratch_file("parts.npz"), *checkpoint = scratch_file("checkpoint.npz");
#define OPTIONS TRAIN_RESNET(data), "-b", "24", "--steps", FEWER("40", "8")
    command_run run = RUN(OPTIONS, "-o", plain);
    cr_assert_code(run, 0);
    run = RUN(OPTIONS, "-o", averaged, "--average", "0.95");
    cr_assert_code(run, 0);
    if (!SANITIZED)
        cr_assert_mentions(run.out, "right 100.00 % of 24");
    cr_assert(!same_entry(plain, averaged, "layer3.2.conv2/weights"));
    double off = statistics_off(data, averaged);
    cr_assert_leq(off, 0.01, "the statistics are %.3g from those of the weights in the file", off);
    run = RUN(OPTIONS, "-o", parts, "--average", "0.95", "--stop-after", STOP, "--checkpoint", checkpoint);
    cr_assert_code(run, 1);
    off = statistics_off(data, parts);
    cr_assert_leq(off, 0.01, "the statistics are %.3g from those of the weights in the file", off);
    run = RUN(OPTIONS, "-o", parts, "--average", "0.95", "--resume", checkpoint);
    cr_assert_code(run, 0);
    assert_same_file(averaged, parts);
#undef OPTIONS
}
