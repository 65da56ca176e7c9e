/* atled train before the first step. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "network.h"
#include "ranks.h"
#include "text.h"
#include "train_session.h"
#include "weight_names.h"

static int open_data(train_session *s)
{
    s->data = atl_dataset_open(s->set.data, ATL_TRAINING);
    s->test = s->data ? atl_dataset_open(s->set.data, ATL_TEST) : NULL;
    return s->test ? 0 : report_failure("train");
}

static int resume_checkpoint(train_session *s)
{
    atl_status status = atl_load_weights(s->t.trained.graph, s->set.resume);
    if (status)
        return report_error("train", exit_code_of(status), "--resume: %s", atl_error());
    int code = check_loaded("train", s->t.trained.graph, s->set.resume, s->set.allow_non_finite);
    if (code)
        return code;
    s->first = s->done = steps_done(&s->t);
    if (s->done >= s->steps)
        return report_error("train", EXIT_USAGE, "--resume %s: all %lld steps are done; give more --epochs",
                            s->set.resume, (long long)s->steps);
    return 0;
}

static int resume_weights(train_session *s)
{
    atl_npz_report report;
    weight_names names;
    int code = read_weight_names("train", s->set.picture.names, &names);
    atl_status status = code ? ATL_OK : load_weights(&s->t, s->set.weights, names.list, &report);
    free_weight_names(&names);
    if (code)
        return code;
    if (status)
        return report_error("train", exit_code_of(status), "--weights: %s", atl_error());
    if (!s->set.quiet)
        report_error("train", 0, "--weights %s: %s", s->set.weights, report.text);
    return check_loaded("train", s->t.trained.graph, s->set.weights, s->set.allow_non_finite);
}

/* Label i must mean the same in both parts. */
static int check_classes(const train_session *s)
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

static int check_data(const train_session *s)
{
    char one[64], other[64];
    atl_shape image = atl_dataset_image_shape(s->data), tested = atl_dataset_image_shape(s->test);
    if (!atl_shape_equal(image, tested))
        return report_error("train", EXIT_BAD_FILE, "%s: the images to train on are %s, but those to test with %s",
                            s->set.data, atl_shape_text(image, one, sizeof one),
                            atl_shape_text(tested, other, sizeof other));
    return check_classes(s);
}

/* Checks the crop against the preprocessed images. */
static int check_cut(const train_session *s, int64_t cut)
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

static int check_fit(const train_session *s)
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

static int check_named_files(const train_session *s)
{
    train_options set = s->set;
    if (this_rank() > 0) /* rank 0 writes */
        set.output = set.checkpoint = set.log = set.plot = NULL;
    const used_file files[] = {{"data", set.data, DATA_READ, ANY_FORMAT, NULL},
                               {"weights", set.weights, FILE_READ, ANY_FORMAT, NULL},
                               {"names", set.picture.names, FILE_READ, ANY_FORMAT, NULL},
                               {"resume", set.resume, FILE_READ, ANY_FORMAT, "checkpoint"},
                               {"output", set.output, FILE_WRITTEN, WEIGHTS_FORMAT, NULL},
                               {"checkpoint", set.checkpoint, FILE_WRITTEN, NPZ_FORMAT, NULL},
                               {"log", set.log, set.resume ? FILE_UPDATED : FILE_WRITTEN, ANY_FORMAT, NULL},
                               {"plot", set.plot, FILE_WRITTEN, PANEL_FORMAT, NULL},
                               TIMING_FILE(&set.compile),
                               {0}};
    return check_files("train", files);
}

/* Reads the epochs before the interruption, for the curves.  A missing log, or one with another format, has none. */
static void read_log(train_session *s, int room)
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

static int open_log(train_session *s)
{
    int room = (int)(s->steps / s->per_epoch) + 2;
    s->records = calloc((size_t)(2 * room), sizeof *s->records); /* of this run, and of those before it */
    if (!s->records)
        return report_no_memory("train");
    if (!s->set.log || this_rank() > 0)
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

static int64_t in_steps(const train_session *s, double epochs)
{
    return (int64_t)(epochs * (double)s->per_epoch + 0.5);
}

static int build_training(train_session *s, const atl_model *model, int64_t cut)
{
    train_options *set = &s->set;
    training_settings wanted = {.model = model,
                                .file = model ? NULL : &s->file,
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
                                .compile = set->compile,
                                .all_reduce = s->all_reduce,
                                .sync_batch_norm = set->sync_batch_norm};
    int code = read_widths(set, wanted.widths);
    if (!code)
        code = read_drops(set, s->per_epoch, wanted.at);
    if (!code)
        code = begin_training("train", &wanted, &s->t);
    if (!code && wanted.file)
        tell_network_file("train", wanted.file, s->t.used.image, s->t.used.logits);
    return code;
}

/* The side of the square that is cut out of each image. */
static int64_t cut_of(const train_session *s, const atl_model *model)
{
    int64_t own = model ? model->height : s->file.height;
    if (s->set.crop)
        return s->set.crop;
    return own == ATL_ANY || (model && strcmp(model->name, "mlp") == 0) ? atl_dataset_image_shape(s->data).size[0]
                                                                        : own;
}

static int check_file_fits(const train_session *s, int64_t cut)
{
    const network_file *f = &s->file;
    if ((f->height != ATL_ANY && f->height != cut) || (f->width != ATL_ANY && f->width != cut))
        return report_error("train", EXIT_BAD_FILE, "%s takes %lld x %lld pixels, not %lld x %lld", f->path,
                            (long long)f->height, (long long)f->width, (long long)cut, (long long)cut);
    if (f->batch != ATL_ANY && (s->set.micro_batches > 1 || rank_count() > 1))
        return report_error("train", EXIT_BAD_FILE,
                            "%s is for batches of %lld image%s only, so they cannot be divided: export it with an open "
                            "batch",
                            f->path, (long long)f->batch, plural(f->batch));
    if (f->batch != ATL_ANY && (f->batch != s->set.batch || atl_dataset_count(s->data) % f->batch))
        return report_error("train", EXIT_BAD_FILE,
                            "%s is for batches of %lld image%s only: give --batch %lld and as many images as fill the "
                            "batches, or export it with an open batch",
                            f->path, (long long)f->batch, plural(f->batch), (long long)f->batch);
    return 0;
}

static int start_batches(train_session *s, int64_t cut)
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
                                       .parts = s->parts,
                                       .threads = (int)set->compile.threads};
    if (s->all_reduce)
        s->t.examples.part_count = atl_all_reduce_parts(s->all_reduce, &s->t.examples.first_part);
    s->batches = atl_batches_new_with(&s->t.examples);
    return s->batches ? 0 : report_failure("train");
}

int start_session(train_session *s)
{
    const atl_model *model = is_network_file(s->set.model) ? NULL : atl_model_find(s->set.model);
    const train_options *set = &s->set;
    int code = check_named_files(s);
    if (!code && !model)
        code = look_at_network_file("train", set->model, &set->picture, &s->file);
    if (!code)
        code = open_data(s);
    if (!code)
        code = check_data(s);
    if (code)
        return code;
    int64_t cut = cut_of(s, model);
    if (!model)
        code = check_file_fits(s, cut);
    if (code)
        return code;
    s->per_epoch = (atl_dataset_count(s->data) + set->batch - 1) / set->batch;
    s->steps = set->most_steps ? set->most_steps : set->epochs * s->per_epoch;
    code = check_cut(s, cut);
    if (!code)
        code = start_averaging(s);
    if (!code)
        code = build_training(s, model, cut);
    if (!code)
        code = check_fit(s);
    if (!code && set->resume)
        code = resume_checkpoint(s);
    if (!code && set->weights)
        code = resume_weights(s);
    if (!code && s->all_reduce && set->sync_batch_norm)
        code = start_parts(s);
    if (!code)
        code = open_log(s);
    return code ? code : start_batches(s, cut);
}

int end_session(train_session *s, int code)
{
    int lost = s->log && fclose(s->log) != 0;
    if (lost && !code)
        code = report_error("train", EXIT_BAD_FILE, "%s cannot be written: %s; the weights are in %s", s->set.log,
                            strerror(errno), s->set.output);
    atl_batches_free(s->batches);
    free_parts(s);
    end_training(&s->t);
    atl_all_reduce_free(s->all_reduce);
    close_network_file(&s->file);
    atl_dataset_free(s->data);
    atl_dataset_free(s->test);
    free(s->set.decay_of.value);
    free(s->set.rate_of.value);
    free(s->records);
    return code;
}
