/* atled train: a network from labelled images. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "network.h"
#include "plot.h"
#include "progress.h"
#include "training.h"

typedef struct settings {
    const char *model, *data, *output, *widths, *checkpoint, *resume, *weights, *log, *plot;
    int optimizer, schedule, flip, quiet;
    int64_t epochs, batch, seed, crop, pad, most_steps, stop_after;
    double rate, momentum, factor, every, warm_up, decay, decay_all, brightness, contrast;
} settings;

typedef struct session {
    settings set;
    training t;
    atl_dataset *data, *test;
    atl_batches *batches;
    progress_line progress;
    int64_t per_epoch, steps, done; /* steps in an epoch, to run in all, and done */
    int64_t first;                  /* done before this run */
    double started;
    double loss, right; /* moving averages, for the progress line */
    FILE *log;
    epoch_record *records;
    int record_count;
} session;

static int read_settings(settings *set, int argc, char **argv, int *code)
{
    const command_option options[] = {
        {"model", 'm', .text = &set->model, .argument = "NAME", .required = 1,
         .help = "the network: lenet, cifar10, cifar10-multiscale, mlp"},
        {"data", 'd', .text = &set->data, .argument = "DIR", .required = 1,
         .help = "CIFAR-10 binary, MNIST idx, one sub-folder of pictures a class in train/ and test/, or train.npz and "
                 "test.npz"},
        {"output", 'o', .text = &set->output, .argument = "FILE", .help = "the weights, .npz"},
        {"widths", 0, .text = &set->widths, .argument = "N,N,...",
         .help = "of the network's layers, in their order; 0: as published"},
        {"epochs", 'e', .whole = &set->epochs, .argument = "N", .lowest = 1, .highest = 1e6,
         .help = "times through the data"},
        {"steps", 0, .whole = &set->most_steps, .argument = "N", .lowest = 0, .highest = 1e9,
         .help = "in place of epochs, if not 0"},
        {"batch", 'b', .whole = &set->batch, .argument = "N", .lowest = 1, .highest = 1e6,
         .help = "examples in a step"},
        {"seed", 0, .whole = &set->seed, .argument = "N",
         .help = "of the first weights, of the order and of what is done to the images"},
        {"optimizer", 0, .choice = &set->optimizer, .choices = optimizer_names, .argument = "NAME",
         .help = "how a step follows from the gradient"},
        {"rate", 'r', .real = &set->rate, .argument = "X", .lowest = 1e-30, .highest = 1e30,
         .help = "learning rate at its highest"},
        {"momentum", 0, .real = &set->momentum, .argument = "X", .lowest = 0, .highest = 0.999999,
         .help = "of momentum and nesterov"},
        {"schedule", 0, .choice = &set->schedule, .choices = schedule_names, .argument = "NAME",
         .help = "how the learning rate falls: cosine to 0 at the end; exponential and step by --factor every --every "
                 "epochs"},
        {"factor", 0, .real = &set->factor, .argument = "X", .lowest = 1e-9, .highest = 1,
         .help = "of the schedules exponential and step"},
        {"every", 0, .real = &set->every, .argument = "EPOCHS", .lowest = 1e-6, .highest = 1e9,
         .help = "of the schedules exponential and step"},
        {"warm-up", 0, .real = &set->warm_up, .argument = "EPOCHS", .lowest = 0, .highest = 1e6,
         .help = "in which the rate rises from 0"},
        {"decay", 0, .real = &set->decay, .argument = "X", .lowest = 0, .highest = 1e6,
         .help = "weight decay of the dense layers; never of biases"},
        {"decay-all", 0, .real = &set->decay_all, .argument = "X", .lowest = 0, .highest = 1e6,
         .help = "weight decay of the convolutions, too"},
        {"crop", 0, .whole = &set->crop, .argument = "N", .lowest = 0, .highest = 4096,
         .help = "N x N pixels are cut out of each image, at random; 0: as large as the network has them"},
        {"pad", 0, .whole = &set->pad, .argument = "N", .lowest = 0, .highest = 4096,
         .help = "zeros put around each image before it is cut"},
        {"flip", 0, .flag = &set->flip, .help = "half of the images are turned left to right"},
        {"brightness", 0, .real = &set->brightness, .argument = "X", .lowest = 0, .highest = 1e6,
         .help = "added at random, up to +-X grey levels"},
        {"contrast", 0, .real = &set->contrast, .argument = "X", .lowest = 0, .highest = 1,
         .help = "changed at random by a factor of 1 - X to 1 + X"},
        {"checkpoint", 0, .text = &set->checkpoint, .argument = "FILE",
         .help = "everything needed to go on, written after each epoch and on Ctrl-C"},
        {"resume", 0, .text = &set->resume, .argument = "FILE",
         .help = "go on from a checkpoint, with the same other options: the result is the same as without the stop"},
        {"stop-after", 0, .whole = &set->stop_after, .argument = "STEPS", .lowest = 0, .highest = 1e9,
         .help = "as if Ctrl-C were pressed then: the schedule is that of the whole training"},
        {"weights", 'w', .text = &set->weights, .argument = "FILE", .help = "begin with these, as far as they fit"},
        {"log", 0, .text = &set->log, .argument = "FILE", .help = "a line for each epoch, CSV"},
        {"plot", 'p', .text = &set->plot, .argument = "FILE", .help = "curves of loss and accuracy, PNG"},
        {"quiet", 'q', .flag = &set->quiet, .help = "no progress"},
        {0}};
    static const char *const examples[] = {"atled train -m lenet -d mnist -o digits.npz", "digits, in a few minutes",
                                           "atled train -m cifar10 -d cifar-10 --flip -e 20 -o cifar10.npz",
                                           "the tutorial's network", NULL};
    const command_line line = {"train", .about = "make a network from labelled images", .options = options,
                               .examples = examples};
    return read_options(&line, argc, argv, NULL, code);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int read_widths(const char *text, int widths[ATL_MODEL_LAYERS])
{
    const char *at = text;
    for (int i = 0; at && *at; i++) {
        char *end;
        long width = strtol(at, &end, 10);
        if (end == at || (*end && *end != ',') || width < 0 || width > 1 << 20 || i == ATL_MODEL_LAYERS)
            return complain("train", EXIT_USAGE, "--widths %s: give up to %d whole numbers with commas between", text,
                            ATL_MODEL_LAYERS);
        widths[i] = (int)width;
        at = *end ? end + 1 : end;
    }
    return 0;
}

static int open_data(session *s)
{
    s->data = atl_dataset_open(s->set.data, ATL_TRAINING);
    s->test = s->data ? atl_dataset_open(s->set.data, ATL_TEST) : NULL;
    return s->test ? 0 : complain("train", EXIT_BAD_FILE, "%s", atl_error());
}

/* From a checkpoint, or from weights. */
static int take_up(session *s)
{
    atl_graph *graph = s->t.graph;
    atl_status status = ATL_OK;
    if (s->set.resume) {
        status = atl_load_npz(graph, s->set.resume);
        const atl_tensor *steps = atl_variable_value(atl_step_counter(graph));
        if (!status && steps)
            s->first = s->done = *atl_ints(steps);
    } else if (s->set.weights) {
        status = atl_load_npz(graph, s->set.weights, .partial = 1);
    }
    if (status)
        return complain("train", exit_code_of(status), "%s", atl_error());
    if (s->set.resume && s->done >= s->steps)
        return complain("train", EXIT_USAGE, "--resume %s: all %lld steps are done; give more --epochs", s->set.resume,
                        (long long)s->steps);
    return 0;
}

static int check_fit(const session *s)
{
    int classes = (int)atl_shape_of(s->t.logits).size[1];
    if (atl_dataset_classes(s->data) > classes || atl_dataset_classes(s->test) > classes)
        return complain("train", EXIT_BAD_FILE,
                        "the data have %d classes, but the network tells only %d apart: see --widths",
                        atl_dataset_classes(s->data), classes);
    if (!atl_shape_equal(atl_dataset_image_shape(s->data), atl_dataset_image_shape(s->test)))
        return complain("train", EXIT_BAD_FILE, "the images to train on and those to test with differ in size");
    return 0;
}

static int open_log(session *s)
{
    s->records = calloc((size_t)(s->steps / s->per_epoch + 2), sizeof *s->records);
    if (!s->records)
        return complain("train", EXIT_INTERNAL, "out of memory");
    if (!s->set.log)
        return 0;
    s->log = fopen(s->set.log, s->set.resume ? "a" : "w");
    if (!s->log)
        return complain("train", EXIT_BAD_FILE, "%s cannot be written: %s", s->set.log, strerror(errno));
    if (!s->set.resume)
        fprintf(s->log, "epoch,step,rate,loss,accuracy,test_loss,test_accuracy,seconds\n");
    return 0;
}

static int start(session *s)
{
    const atl_model *model = atl_model_find(s->set.model);
    const settings *set = &s->set;
    if (!model)
        return refuse_network("train", set->model);
    int code = open_data(s);
    if (code)
        return code;
    atl_shape image = atl_dataset_image_shape(s->data);
    int64_t cut = set->crop ? set->crop : model->height;
    if (strcmp(model->name, "mlp") == 0 && !set->crop)
        cut = image.size[0];
    s->per_epoch = (atl_dataset_count(s->data) + set->batch - 1) / set->batch;
    s->steps = set->most_steps ? set->most_steps : set->epochs * s->per_epoch;
    training_settings wanted = {.model = model,
                                .height = cut,
                                .width = cut,
                                .channels = image.size[2],
                                .optimizer = set->optimizer,
                                .schedule = set->schedule,
                                .rate = set->rate,
                                .momentum = set->momentum,
                                .factor = set->factor,
                                .every = (int64_t)(set->every * (double)s->per_epoch + 0.5),
                                .warm_up = (int64_t)(set->warm_up * (double)s->per_epoch + 0.5),
                                .steps = s->steps,
                                .decay = set->decay,
                                .decay_all = set->decay_all,
                                .seed = (uint64_t)set->seed};
    code = read_widths(set->widths, wanted.widths);
    if (!code)
        code = begin_training("train", &wanted, &s->t);
    if (!code)
        code = check_fit(s);
    if (!code)
        code = take_up(s);
    if (!code)
        code = open_log(s);
    if (code)
        return code;
    s->batches =
        atl_batches_new(s->data, .size = set->batch, .height = cut, .width = cut, .pad = set->pad, .shuffle = 1,
                        .random_crop = 1, .flip = set->flip, .brightness = (float)set->brightness,
                        .contrast = (float)set->contrast, .seed = (uint64_t)set->seed, .first = s->done);
    return s->batches ? 0 : complain("train", EXIT_INTERNAL, "%s", atl_error());
}

static void tell_step(session *s, const atl_batch *batch)
{
    double loss = atl_number_of(s->t.step, s->t.loss), right = atl_number_of(s->t.step, s->t.right);
    int64_t here = s->done - s->first;
    double keep = here < 50 ? 1 - 1 / (double)(here + 1) : 0.98;
    s->loss = keep * s->loss + (1 - keep) * loss;
    s->right = keep * s->right + (1 - keep) * right;
    s->done++;
    double speed = (double)(here + 1) / (now() - s->started);
    show_progress(&s->progress, 0,
                  "epoch %lld/%lld  step %lld/%lld  loss %.4f  right %.2f %%  %.0f images/s  %.0f s left",
                  (long long)batch->epoch + 1, (long long)((s->steps + s->per_epoch - 1) / s->per_epoch),
                  (long long)s->done, (long long)s->steps, s->loss, 100 * s->right, speed * (double)s->set.batch,
                  (double)(s->steps - s->done) / speed);
}

/* The weights, and if wanted all that is needed to go on. */
static int save(const session *s)
{
    atl_status status = save_variables(&s->t, s->set.output, 0);
    if (!status && s->set.checkpoint)
        status = save_variables(&s->t, s->set.checkpoint, 1);
    return status ? complain("train", exit_code_of(status), "%s", atl_error()) : 0;
}

static void record(session *s, const score *tested)
{
    epoch_record r = {(double)s->done / (double)s->per_epoch, s->loss, s->right, tested->loss, tested->right};
    double seconds = now() - s->started;
    s->records[s->record_count++] = r;
    end_progress(&s->progress);
    printf("epoch %.4g: training loss %.4f, right %.2f %%; test loss %.4f, right %.2f %% of %lld; %.0f s\n", r.epoch,
           r.loss, 100 * r.right, r.test_loss, 100 * r.test_right, (long long)tested->count, seconds);
    fflush(stdout);
    if (!s->log)
        return;
    fprintf(s->log, "%.6g,%lld,%.6g,%.6g,%.6g,%.6g,%.6g,%.1f\n", r.epoch, (long long)s->done,
            (double)atl_number_of(s->t.step, s->t.rate), r.loss, r.right, r.test_loss, r.test_right, seconds);
    fflush(s->log);
}

static int end_epoch(session *s)
{
    score tested;
    atl_status status = look_at(&s->t, s->test, 250, NULL, &tested);
    if (status)
        return complain("train", exit_code_of(status), "%s", atl_error());
    record(s, &tested);
    if (s->set.plot)
        status = write_curves(s->set.plot, s->set.model, s->records, s->record_count);
    if (status)
        return complain("train", exit_code_of(status), "%s", atl_error());
    return save(s);
}

/* A step that failed has changed nothing: what the variables hold is from the step before. */
static int fail_step(session *s, atl_status status)
{
    char why[1024];
    snprintf(why, sizeof why, "%s", atl_error());
    end_progress(&s->progress);
    if (status != ATL_NOT_FINITE)
        return complain("train", exit_code_of(status), "step %lld: %s", (long long)s->done + 1, why);
    int code = save(s);
    complain("train", 0,
             "step %lld: %s\nstopped; the weights from before that step are in %s. A lower --rate helps, or --warm-up",
             (long long)s->done + 1, why, s->set.output);
    return code ? code : EXIT_GOAL_NOT_MET;
}

static int stop(session *s)
{
    int code = save(s);
    end_progress(&s->progress);
    if (code)
        return code;
    complain("train", 0, "stopped after %lld of %lld steps; the weights are in %s", (long long)s->done,
             (long long)s->steps, s->set.output);
    if (s->set.checkpoint)
        complain("train", 0, "to go on: the same command with --resume %s", s->set.checkpoint);
    return EXIT_GOAL_NOT_MET;
}

static int is_stopped(const session *s)
{
    return was_interrupted() || (s->set.stop_after && s->done >= s->set.stop_after);
}

static int train(session *s)
{
    int code = 0;
    s->started = now();
    while (!code && s->done < s->steps) {
        if (is_stopped(s))
            return stop(s);
        const atl_batch *batch = atl_batches_next(s->batches);
        atl_status status = atl_run(s->t.step, ATL_FEEDS({s->t.image, batch->images}, {s->t.labels, batch->labels}));
        if (status)
            return fail_step(s, status);
        tell_step(s, batch);
        if (batch->last || s->done == s->steps)
            code = end_epoch(s);
    }
    return code;
}

int atled_train(int argc, char **argv)
{
    session s = {.set = {.output = "weights.npz",
                         .epochs = 10,
                         .batch = 128,
                         .optimizer = OPTIMIZER_MOMENTUM,
                         .rate = 0.01,
                         .momentum = 0.9,
                         .schedule = SCHEDULE_COSINE,
                         .factor = 0.1,
                         .every = 10,
                         .seed = 1}};
    int code;
    if (!read_settings(&s.set, argc, argv, &code))
        return code;
    s.progress = start_progress(s.set.quiet);
    code = start(&s);
    if (!code) {
        catch_interrupts();
        code = train(&s);
    }
    atl_batches_free(s.batches);
    end_training(&s.t);
    atl_dataset_free(s.data);
    atl_dataset_free(s.test);
    free(s.records);
    if (s.log)
        fclose(s.log);
    return code;
}
