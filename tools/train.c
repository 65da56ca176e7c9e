/* atled train: a network from labelled images. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "network.h"
#include "plot.h"
#include "progress.h"
#include "train_options.h"

typedef struct session {
    train_options set;
    training t;
    atl_dataset *data, *test;
    atl_batches *batches;
    progress_line progress;
    int64_t per_epoch, steps, done; /* steps in an epoch, to run in all, and done */
    int64_t first;                  /* done before this run */
    double started, waited;         /* waited: seconds in which the next batch was not ready */
    double loss, right;             /* moving averages, for the progress line */
    FILE *log;
    epoch_record *records;
    int record_count;
} session;

static int open_data(session *s)
{
    s->data = atl_dataset_open(s->set.data, ATL_TRAINING);
    s->test = s->data ? atl_dataset_open(s->set.data, ATL_TEST) : NULL;
    return s->test ? 0 : report_error("train", EXIT_BAD_FILE, "%s", atl_error());
}

static int resume_checkpoint(session *s)
{
    atl_status status = atl_load_npz(s->t.trained.graph, s->set.resume);
    if (status)
        return report_error("train", exit_code_of(status), "--resume: %s", atl_error());
    s->first = s->done = steps_done(&s->t);
    if (s->done >= s->steps)
        return report_error("train", EXIT_USAGE, "--resume %s: all %lld steps are done; give more --epochs",
                            s->set.resume, (long long)s->steps);
    return 0;
}

static int resume_weights(session *s)
{
    atl_npz_report report;
    atl_status status = load_weights(&s->t, s->set.weights, &report);
    if (status)
        return report_error("train", exit_code_of(status), "--weights: %s", atl_error());
    if (!s->set.quiet)
        report_error("train", 0, "--weights %s: %s", s->set.weights, report.text);
    return 0;
}

/* Label i must mean the same in both parts. */
static int check_classes(const session *s)
{
    int count = atl_dataset_classes(s->data), tested = atl_dataset_classes(s->test);
    for (int i = 0; i < count || i < tested; i++) {
        const char *name = atl_dataset_class_name(s->data, i), *other = atl_dataset_class_name(s->test, i);
        if ((name || other) && (!name || !other || strcmp(name, other) != 0))
            return report_error(
                "train", EXIT_BAD_FILE,
                "%s: the classes to train on and those to test with differ: class %d is '%s' in one, '%s' "
                "in the other (%d and %d in all)",
                s->set.data, i, name ? name : "(none)", other ? other : "(none)", count, tested);
    }
    return 0;
}

static int check_data(const session *s)
{
    char one[64], other[64];
    atl_shape image = atl_dataset_image_shape(s->data), tested = atl_dataset_image_shape(s->test);
    if (!atl_shape_equal(image, tested))
        return report_error("train", EXIT_BAD_FILE, "%s: the images to train on are %s, but those to test with %s",
                            s->set.data, atl_shape_text(image, one, sizeof one),
                            atl_shape_text(tested, other, sizeof other));
    return check_classes(s);
}

/* In what the network makes of the images. */
static int check_cut(const session *s, int64_t cut)
{
    atl_shape image = atl_dataset_image_shape(s->data);
    int64_t height = image.size[0] + 2 * s->set.pad, width = image.size[1] + 2 * s->set.pad;
    if (cut > height || cut > width)
        return report_error(
            "train", EXIT_BAD_FILE,
            "%s is trained on %lld x %lld pixels, but the images have only %lld x %lld: give --crop N, or "
            "--pad N for zeros around them",
            s->set.model, (long long)cut, (long long)cut, (long long)height, (long long)width);
    return 0;
}

static int check_fit(const session *s)
{
    int classes = (int)atl_shape_of(s->t.used.logits).size[1], count = atl_dataset_classes(s->data);
    if (atl_dataset_classes(s->test) > count)
        count = atl_dataset_classes(s->test);
    return count <= classes
               ? 0
               : report_error("train", EXIT_BAD_FILE,
                              "the data have %d classes, but the network tells only %d apart: see --widths", count,
                              classes);
}

static int check_outputs(const session *s)
{
    const char *const path[] = {s->set.output, s->set.checkpoint, s->set.log};
    int code = 0;
    for (int i = 0; i < 3 && !code; i++)
        code = path[i] ? check_output_path("train", path[i]) : 0;
    return code || !s->set.plot ? code : check_panel("train", s->set.plot);
}

/* The epochs before the stop, of which the curves shall tell, too.  A log that is not there or says something else has none. */
static void read_log(session *s, int room)
{
    FILE *file = fopen(s->set.log, "r");
    char line[256];
    epoch_record r;
    while (file && s->record_count < room && fgets(line, sizeof line, file))
        if (sscanf(line, "%lf,%*d,%*f,%lf,%lf,%lf,%lf", &r.epoch, &r.loss, &r.right, &r.test_loss, &r.test_right) ==
                5 &&
            r.epoch * (double)s->per_epoch < (double)s->done + 0.5)
            s->records[s->record_count++] = r;
    if (file)
        fclose(file);
}

static int open_log(session *s)
{
    int room = (int)(s->steps / s->per_epoch) + 2;
    s->records = calloc((size_t)(2 * room), sizeof *s->records); /* of this run, and of those before it */
    if (!s->records)
        return report_error("train", EXIT_INTERNAL, "out of memory");
    if (!s->set.log)
        return 0;
    if (s->set.resume)
        read_log(s, room);
    s->log = fopen(s->set.log, s->set.resume ? "a" : "w");
    if (!s->log)
        return report_error("train", EXIT_BAD_FILE, "%s cannot be written: %s", s->set.log, strerror(errno));
    if (!s->set.resume)
        fprintf(s->log, "epoch,step,rate,loss,accuracy,test_loss,test_accuracy,seconds,waited\n");
    return 0;
}

static int64_t in_steps(const session *s, double epochs) { return (int64_t)(epochs * (double)s->per_epoch + 0.5); }

static int build_training(session *s, const atl_model *model, int64_t cut)
{
    train_options *set = &s->set;
    training_settings wanted = {.model = model,
                                .height = cut,
                                .width = cut,
                                .channels = atl_dataset_image_shape(s->data).size[2],
                                .options = settle_optimizer(set),
                                .optimizer = set->optimizer,
                                .schedule = set->schedule,
                                .staircase = set->staircase,
                                .factor = set->factor,
                                .lowest = set->lowest,
                                .every = in_steps(s, set->every),
                                .warm_up = in_steps(s, set->warm_up),
                                .steps = s->steps,
                                .decay = set->decay,
                                .decay_all = set->decay_all,
                                .decay_of = set->decay_of,
                                .rate_of = set->rate_of,
                                .clip_value = set->clip_value,
                                .clip_norm = set->clip_norm,
                                .clip_global_norm = set->clip_global_norm,
                                .average = set->average,
                                .seed = (uint64_t)set->seed,
                                .compile = set->compile};
    int code = read_widths(set, wanted.widths);
    if (!code)
        code = read_drops(set, s->per_epoch, wanted.at);
    return code ? code : begin_training("train", &wanted, &s->t);
}

static int start_batches(session *s, int64_t cut)
{
    const train_options *set = &s->set;
    s->t.examples = (atl_batches_args){.data = s->data,
                                       .size = set->batch,
                                       .height = cut,
                                       .width = cut,
                                       .pad = set->pad,
                                       .shuffle = 1,
                                       .random_crop = 1,
                                       .flip = set->flip,
                                       .brightness = (float)set->brightness,
                                       .contrast = (float)set->contrast,
                                       .seed = (uint64_t)set->seed,
                                       .first = s->done,
                                       .threads = (int)set->compile.threads};
    s->batches = atl_batches_new_with(&s->t.examples);
    return s->batches ? 0 : report_error("train", EXIT_BAD_FILE, "%s", atl_error());
}

static int start(session *s)
{
    const atl_model *model = atl_model_find(s->set.model);
    const train_options *set = &s->set;
    int code = check_outputs(s);
    if (!code)
        code = open_data(s);
    if (!code)
        code = check_data(s);
    if (code)
        return code;
    int64_t cut = set->crop ? set->crop : model->height;
    if (strcmp(model->name, "mlp") == 0 && !set->crop)
        cut = atl_dataset_image_shape(s->data).size[0];
    s->per_epoch = (atl_dataset_count(s->data) + set->batch - 1) / set->batch;
    s->steps = set->most_steps ? set->most_steps : set->epochs * s->per_epoch;
    code = check_cut(s, cut);
    if (!code)
        code = build_training(s, model, cut);
    if (!code)
        code = check_fit(s);
    if (!code && set->resume)
        code = resume_checkpoint(s);
    else if (!code && set->weights)
        code = resume_weights(s);
    if (!code)
        code = open_log(s);
    return code ? code : start_batches(s, cut);
}

/* Share of the time of this run that was spent waiting for data. */
static double share_waited(const session *s)
{
    double seconds = seconds_now() - s->started;
    return seconds > 0 ? s->waited / seconds : 0;
}

static void tell_step(session *s, const atl_batch *batch)
{
    double loss = atl_scalar_of(s->t.train, s->t.trained.loss), right = atl_scalar_of(s->t.train, s->t.right);
    int64_t here = s->done - s->first;
    double keep = here < 50 ? 1 - 1 / (double)(here + 1) : 0.98;
    s->loss = keep * s->loss + (1 - keep) * loss;
    s->right = keep * s->right + (1 - keep) * right;
    s->done++;
    double speed = (double)(here + 1) / (seconds_now() - s->started);
    show_progress(&s->progress, 0,
                  "epoch %lld/%lld  step %lld/%lld  loss %.4f  right %.2f %%  %.0f images/s  %.0f s left",
                  (long long)batch->epoch + 1, (long long)((s->steps + s->per_epoch - 1) / s->per_epoch),
                  (long long)s->done, (long long)s->steps, s->loss, 100 * s->right, speed * (double)s->set.batch,
                  (double)(s->steps - s->done) / speed);
}

/* The weights, and if wanted all that is needed to go on. */
static int save(session *s)
{
    atl_status status = save_weights(&s->t, s->set.output);
    if (!status && s->set.checkpoint)
        status = save_checkpoint(&s->t, s->set.checkpoint);
    return status ? report_error("train", exit_code_of(status), "%s", atl_error()) : 0;
}

static int record(session *s, const score *tested)
{
    epoch_record r = {(double)s->done / (double)s->per_epoch, s->loss, s->right, tested->loss, tested->right};
    double seconds = seconds_now() - s->started;
    s->records[s->record_count++] = r;
    end_progress(&s->progress);
    printf(
        "epoch %.4g: training loss %.4f, right %.2f %%; test loss %.4f, right %.2f %% of %lld; %.0f s, %.1f %% of it "
        "waiting for data\n",
        r.epoch, r.loss, 100 * r.right, r.test_loss, 100 * r.test_right, (long long)tested->count, seconds,
        100 * share_waited(s));
    fflush(stdout);
    if (!s->log)
        return 0;
    fprintf(s->log, "%.6g,%lld,%.6g,%.6g,%.6g,%.6g,%.6g,%.1f,%.3f\n", r.epoch, (long long)s->done,
            (double)atl_scalar_of(s->t.train, s->t.rate), r.loss, r.right, r.test_loss, r.test_right, seconds,
            s->waited);
    if (fflush(s->log) == 0)
        return 0;
    return report_error("train", EXIT_BAD_FILE, "%s cannot be written: %s; the weights are in %s", s->set.log,
                        strerror(errno), s->set.output);
}

static int end_epoch(session *s)
{
    score tested;
    atl_status status = look_at(&s->t, s->test, 250, NULL, &tested);
    if (status)
        return report_error("train", exit_code_of(status), "%s", atl_error());
    int code = save(s); /* first: what else cannot be written loses nothing */
    if (!code)
        code = record(s, &tested);
    if (code || !s->set.plot)
        return code;
    status = write_curves(s->set.plot, s->set.model, s->records, s->record_count);
    return status ? report_error("train", exit_code_of(status), "%s", atl_error()) : 0;
}

/* At which node the first NaN or infinity of the step at hand is. */
static void tell_where(const session *s, const atl_feed *feeds)
{
    const atl_node *where = NULL;
    if (!s->set.find_nan)
        report_error("train", 0, "--find-nan tells at which node it began");
    else if (atl_find_non_finite(s->t.step, feeds, &where))
        report_error("train", 0, "--find-nan: %s", atl_error());
    else if (where)
        report_error("train", 0, "it began at '%s' (%s)", atl_name_of(where), atl_op_of(where)->name);
}

/* A step that failed has changed nothing: what the variables hold is from the step before, which may itself have made one of
 * them infinite. */
static int fail_step(session *s, atl_status status, const atl_feed *feeds)
{
    end_progress(&s->progress);
    report_error("train", 0, "step %lld: %s", (long long)s->done + 1, atl_error());
    if (status != ATL_NOT_FINITE)
        return exit_code_of(status);
    tell_where(s, feeds);
    const char *non_finite = first_non_finite_variable(&s->t);
    int code = non_finite ? 0 : save(s);
    if (code)
        return code;
    if (non_finite)
        report_error("train", 0,
                     "stopped; '%s' became infinite in the step before, so nothing is saved: %s is as it was",
                     non_finite, s->set.output);
    else
        report_error("train", 0, "stopped; the weights from before that step are in %s", s->set.output);
    report_error("train", 0, "a lower --rate helps, or --warm-up, or --clip-global-norm");
    return EXIT_GOAL_NOT_MET;
}

static int stop(session *s)
{
    int code = save(s);
    end_progress(&s->progress);
    if (code)
        return code;
    report_error("train", 0, "stopped after %lld of %lld steps; the weights are in %s", (long long)s->done,
                 (long long)s->steps, s->set.output);
    if (s->set.checkpoint)
        report_error("train", 0, "to go on: the same command with --resume %s", s->set.checkpoint);
    return EXIT_GOAL_NOT_MET;
}

static int is_stopped(const session *s)
{
    return was_interrupted() || (s->set.stop_after && s->done >= s->set.stop_after);
}

static const atl_batch *next_batch(session *s)
{
    double before = seconds_now();
    const atl_batch *batch = atl_batches_next(s->batches);
    s->waited += seconds_now() - before;
    return batch;
}

static int train(session *s)
{
    int code = 0;
    const net *n = &s->t.trained;
    s->started = seconds_now();
    while (!code && s->done < s->steps) {
        if (is_stopped(s))
            return stop(s);
        const atl_batch *batch = next_batch(s);
        const atl_feed *feeds = ATL_FEEDS({n->image, batch->images}, {n->labels, batch->labels});
        atl_status status = atl_run(s->t.train, feeds);
        if (status)
            return fail_step(s, status, feeds);
        tell_step(s, batch);
        if (batch->last || s->done == s->steps)
            code = end_epoch(s);
        else if (s->set.save_every && s->done % s->set.save_every == 0)
            code = save(s);
    }
    return code;
}

int atled_train(int argc, char **argv)
{
    session s = {.set = {.output = "weights.npz",
                         .epochs = 10,
                         .batch = 128,
                         .optimizer = OPTIMIZER_MOMENTUM,
                         .rate = NAN,
                         .momentum = NAN,
                         .rms_decay = 0.9,
                         .beta1 = 0.9,
                         .beta2 = 0.999,
                         .epsilon = 1e-8,
                         .schedule = SCHEDULE_COSINE,
                         .factor = 0.1,
                         .every = 10,
                         .decay = NAN,
                         .seed = 1}};
    int code;
    if (read_train_options(&s.set, argc, argv, &code)) {
        s.progress = start_progress(s.set.quiet);
        code = start(&s);
        if (!code) {
            catch_interrupts();
            code = train(&s);
        }
        int end = end_compiling("train", &s.set.compile);
        code = code ? code : end;
    }
    atl_batches_free(s.batches);
    end_training(&s.t);
    atl_dataset_free(s.data);
    atl_dataset_free(s.test);
    free(s.set.decay_of.value);
    free(s.set.rate_of.value);
    free(s.records);
    if (s.log)
        fclose(s.log);
    return code;
}
