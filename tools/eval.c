/* atled eval: measures the accuracy of a network. */
#include <stdlib.h>
#include <string.h>

#include "bundled_weights.h"
#include "eval_work.h"
#include "network.h"
#include "plot.h"
#include "text.h"
#include "weight_names.h"

typedef eval_settings settings;

static int read_settings(settings *set, int argc, char **argv, int *code)
{
    static const char *const parts[] = {"training", "test", NULL};
    const command_option options[] = {
        MODEL_OPTION(&set->model, "the network, or an ONNX file"),
        NETWORK_FILE_OPTIONS(&set->form),
        WEIGHTS_OPTIONS(&set->weights, &set->form.names, WEIGHTS_OR_BUNDLED),
        {"data", 'd', .text = &set->data, .argument = "DIR", .required = 1,
         .help = "CIFAR-10 binary, MNIST idx, a folder with one sub-folder of images per class, or .npz, as for atled "
                 "train"},
        {"part", 0, .choice = &set->part, .choices = parts, .argument = "NAME", .help = "which part of the data"},
        {"batch", 'b', .whole = &set->batch, .argument = "N", .lowest = 1, .highest = 1e6, .help = "images per run"},
        {"crop", 0, .whole = &set->crop, .argument = "N", .lowest = 0, .highest = 4096,
         .help = "crops the centre N x N pixels of each image; 0: the size that the weights require"},
        {"confusion", 'c', .flag = &set->with_matrix,
         .help = "print the confusion matrix: one row per true class, one column per predicted class"},
        {"plot", 'p', .text = &set->picture, .argument = "FILE", .help = "draw the confusion matrix, PNG"},
        SHARD_OPTIONS(&set->shard),
        ALLOW_NON_FINITE(&set->allow_non_finite),
        {0}};
    static const char *const examples[] = {"atled eval -m cifar10 -w cifar10.npz -d cifar-10 --confusion",
                                           "accuracy on the test data, and which classes are confused", NULL};
    compile_option_table shared;
    list_compile_options(&set->compile, shared);
    const command_line line = {"eval",
                               .about = "measure the accuracy of a network",
                               .options = options,
                               .shared = shared,
                               .examples = examples,
                               .words_out = &set->shard.words};
    if (!read_options(&line, argc, argv, NULL, code))
        return 0;
    *code = check_shard_options("eval", &set->shard);
    return !*code;
}

static void print_matrix(const int64_t *confusion, int classes, const atl_dataset *data)
{
    printf("\nrows: what it is; columns: what it is taken for\n%16s", "");
    for (int j = 0; j < classes; j++)
        printf("%7d", j);
    printf("\n");
    for (int i = 0; i < classes; i++) {
        const char *name = atl_dataset_class_name(data, i);
        char shown[64];
        print_column(clean_text(name ? name : "", shown, sizeof shown), 12);
        printf(" %3d", i);
        for (int j = 0; j < classes; j++)
            printf("%7lld", (long long)confusion[(int64_t)i * classes + j]);
        printf("\n");
    }
}

static void tell_score(const score *result, int classes)
{
    printf("%.2f %% of %lld right", 100 * result->right, (long long)result->count);
    if (classes > 5)
        printf(", %.2f %% within the first five", 100 * result->top5);
    printf("; mean cross entropy %.4f\n", result->loss);
}

static int tell(settings *set, training *t, const atl_dataset *data, int classes)
{
    score result = {0};
    const char **names = calloc((size_t)classes, sizeof *names);
    int64_t *confusion = calloc((size_t)classes * (size_t)classes, sizeof *confusion);
    if (!names || !confusion) {
        free(names);
        free(confusion);
        return report_no_memory("eval");
    }
    int has_names = 1;
    for (int i = 0; i < classes; i++)
        has_names = has_names && (names[i] = atl_dataset_class_name(data, i)) != NULL;
    int is_shown = 1, failed = 0, code = 0;
    if (needs_facts(&set->shard))
        code = eval_shard(set, t, data, classes, confusion, &result, &is_shown);
    else
        failed = look_at(t, data, set->batch, confusion, &result);
    if (!failed && !code && is_shown) {
        tell_score(&result, classes);
        if (set->with_matrix)
            print_matrix(confusion, classes, data);
        flush_output();
        failed = set->picture && write_confusion(set->picture, confusion, classes, has_names ? names : NULL);
    }
    free(names);
    free(confusion);
    if (failed)
        return report_failure("eval");
    if (code || !is_shown)
        return code;
    if (result.not_finite)
        return report_error("eval", EXIT_GOAL_NOT_MET, "%lld of %lld images have scores that are NaN or infinite",
                            (long long)result.not_finite, (long long)result.count);
    return 0;
}

static int open_model(const settings *set, const atl_dataset *data, training *t)
{
    char text[64];
    atl_model_size size;
    const atl_model *model = atl_model_find(set->model);
    atl_status status = atl_model_size_of(model, set->form.names ? NULL : set->weights, &size);
    if (status)
        return report_failure("eval");
    atl_shape image = atl_dataset_image_shape(data);
    if (set->crop)
        size.height = size.width = set->crop;
    else if (strcmp(model->name, "mlp") == 0)
        size.height = image.size[0], size.width = image.size[1];
    training_settings network = {.model = model,
                                 .look_only = 1,
                                 .height = size.height,
                                 .width = size.width,
                                 .channels = image.size[2],
                                 .compile = set->compile};
    memcpy(network.widths, size.widths, sizeof network.widths);
    int code = begin_training("eval", &network, t);
    if (code)
        return code;
    weight_names names;
    code = read_weight_names("eval", set->form.names, &names);
    status = code ? ATL_OK : atl_model_load(model, t->used.graph, set->weights, .names = names.list);
    free_weight_names(&names);
    return code     ? code
           : status ? report_error("eval", exit_code_of(status),
                                   "%s; the images of %s are %s: are the weights for such ones?", atl_error(),
                                   set->data, atl_shape_text(image, text, sizeof text))
                    : 0;
}

static int open_file(const settings *set, const network_file *file, const atl_dataset *data, training *t)
{
    atl_shape image = atl_dataset_image_shape(data);
    training_settings wanted = {.file = file,
                                .look_only = 1,
                                .height = file->height > 0 ? file->height : image.size[0],
                                .width = file->width > 0 ? file->width : image.size[1],
                                .channels = image.size[2],
                                .compile = set->compile};
    if (set->crop)
        wanted.height = wanted.width = set->crop;
    if ((file->height > 0 && file->height != wanted.height) || (file->width > 0 && file->width != wanted.width))
        return report_error("eval", EXIT_BAD_FILE, "--crop %lld: %s takes %lld x %lld pixels", (long long)set->crop,
                            file->path, (long long)file->height, (long long)file->width);
    if (wanted.height > image.size[0] || wanted.width > image.size[1])
        return report_error("eval", EXIT_BAD_FILE,
                            "%s takes %lld x %lld pixels, but the images of %s have only %lld x %lld", file->path,
                            (long long)wanted.height, (long long)wanted.width, set->data, (long long)image.size[0],
                            (long long)image.size[1]);
    if (file->batch > 0 && atl_dataset_count(data) % file->batch)
        return report_error(
            "eval", EXIT_BAD_FILE,
            "%s is for batches of %lld images only, which %lld image%s cannot fill: export it with an open "
            "batch",
            file->path, (long long)file->batch, (long long)atl_dataset_count(data), plural(atl_dataset_count(data)));
    int code = begin_training("eval", &wanted, t);
    if (code)
        return code;
    tell_network_file("eval", file, t->used.image, t->used.logits);
    return set->weights ? load_network_weights("eval", NULL, t->used.graph, set->weights, set->form.names) : 0;
}

/* file: null, or what --model names. */
static int evaluate(settings *set, const network_file *file, training *t, const atl_dataset *data)
{
    int code = file ? open_file(set, file, data, t) : open_model(set, data, t);
    if (!code)
        code = check_loaded("eval", t->used.graph, set->weights ? set->weights : set->model, set->allow_non_finite);
    if (code)
        return code;
    int classes = (int)atl_shape_of(t->used.logits).size[1];
    if (set->picture && classes > MOST_CONFUSION_CLASSES)
        return report_error("eval", EXIT_USAGE, "--plot: %d classes are too many for a picture; %d can be drawn",
                            classes, MOST_CONFUSION_CLASSES);
    if (atl_dataset_classes(data) > classes)
        return report_error("eval", EXIT_BAD_FILE, "the data have %d classes, but the network tells only %d apart",
                            atl_dataset_classes(data), classes);
    return tell(set, t, data, classes);
}

int atled_eval(int argc, char **argv)
{
    settings set = {.model = "cifar10", .batch = 250, .part = ATL_TEST};
    training t = {0};
    network_file file = {0};
    char shipped[4096];
    int code;
    if (!read_settings(&set, argc, argv, &code)) {
        json_decref(set.shard.words);
        return code;
    }
    int is_file = is_network_file(set.model);
    if (!set.weights && !is_file)
        set.weights = bundled_weights(set.model, shipped, sizeof shipped);
    if (!set.weights && !is_file) {
        json_decref(set.shard.words);
        return report_no_weights("eval", set.model);
    }
    const used_file files[] = {{"weights", set.weights, FILE_READ, ANY_FORMAT, NULL},
                               {"names", set.form.names, FILE_READ, ANY_FORMAT, NULL},
                               {"data", set.data, DATA_READ, ANY_FORMAT, NULL},
                               {"plot", set.picture, FILE_WRITTEN, PANEL_FORMAT, NULL},
                               {"shard-file", set.shard.file, FILE_UPDATED, ANY_FORMAT, NULL},
                               TIMING_FILE(&set.compile),
                               {0}};
    code = check_files("eval", files);
    if (!code && !is_file)
        code = check_no_picture_settings("eval", set.model, &set.form);
    else if (!code)
        code = look_at_network_file("eval", set.model, &set.form, &file);
    atl_dataset *data = code ? NULL : atl_dataset_open(set.data, (atl_part)set.part);
    if (file.batch > 0)
        set.batch = file.batch;
    if (!code)
        code = data ? evaluate(&set, is_file ? &file : NULL, &t, data) : report_failure("eval");
    if (!code)
        code = end_compiling("eval", &set.compile);
    end_training(&t);
    close_network_file(&file);
    atl_dataset_free(data);
    json_decref(set.shard.words);
    return code;
}
