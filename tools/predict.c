/* atled predict: the most likely classes of pictures. */
#include <stdlib.h>

#include "bundled_weights.h"
#include "compile_options.h"
#include "network_file.h"
#include "photograph.h"
#include "text.h"
#include "top_classes.h"
#include "weight_names.h"

enum { MOST_PICTURES = 10000 };

typedef struct predict_settings {
    const char *model, *weights, *labels;
    int64_t top;
    int exact, allow_non_finite;
    char **pictures;
    int picture_count;
    compile_options compile;
    picture_settings form; /* of an ONNX file */
} predict_settings;

typedef struct prediction {
    predict_settings set;
    char weights_path[4096];
    loaded_network network;
    class_names labels;
    atl_program *program;
    int64_t unread; /* pictures that cannot be read */
} prediction;

static int read_settings(predict_settings *set, int argc, char **argv, int *code)
{
    const command_option options[] = {
        MODEL_OPTION(&set->model, "the network, or an ONNX file"),
        NETWORK_FILE_OPTIONS(&set->form),
        WEIGHTS_OPTIONS(&set->weights, &set->form.names, WEIGHTS_OR_BUNDLED),
        {"labels", 'l', .text = &set->labels, .argument = "FILE",
         .help = "names of the classes, one per line; default: the network's own, or a labels.txt or "
                 "imagenet_classes.txt beside the weights"},
        {"top", 't', .whole = &set->top, .argument = "N", .lowest = 1, .highest = 1e6,
         .help = "how many classes to print for each picture"},
        {"exact", 0, .flag = &set->exact, .help = "refuse a picture of another size instead of scaling it"},
        ALLOW_NON_FINITE(&set->allow_non_finite),
        {0}};
    static const char *const examples[] = {"atled predict cat.jpg",
                                           "by the network that ships with atled",
                                           "atled predict -m squeezenet -w squeezenet_v1_1.npz *.jpg",
                                           "many photographs",
                                           "atled predict -m net.onnx --preprocess imagenet cat.jpg",
                                           "a network of your own",
                                           NULL};
    compile_option_table shared;
    list_compile_options(&set->compile, shared);
    const command_line line = {"predict",
                               .about = "tell what a network sees in pictures: the most likely classes",
                               .operands = "PICTURE...",
                               .least_operands = 1,
                               .most_operands = MOST_PICTURES,
                               .options = options,
                               .shared = shared,
                               .examples = examples};
    int first;
    if (!read_options(&line, argc, argv, &first, code))
        return 0;
    set->pictures = argv + first;
    set->picture_count = argc - first;
    return 1;
}

static int check_all_files(const predict_settings *set)
{
    enum { OTHERS = 5 };
    used_file *files = calloc((size_t)set->picture_count + OTHERS, sizeof *files);
    if (!files)
        return report_no_memory("predict");
    int count = 0;
    for (; count < set->picture_count; count++)
        files[count] = (used_file){"PICTURE", set->pictures[count], FILE_READ, ANY_FORMAT, NULL};
    files[count++] = (used_file){"weights", set->weights, FILE_READ, ANY_FORMAT, NULL};
    files[count++] = (used_file){"names", set->form.names, FILE_READ, ANY_FORMAT, NULL};
    files[count++] = (used_file){"labels", set->labels, FILE_READ, ANY_FORMAT, NULL};
    files[count++] = (used_file)TIMING_FILE(&set->compile);
    int code = check_files("predict", files);
    free(files);
    return code;
}

static int open_model(prediction *p)
{
    predict_settings *set = &p->set;
    int is_file = is_network_file(set->model);
    if (!set->weights && !is_file)
        set->weights = bundled_weights(set->model, p->weights_path, sizeof p->weights_path);
    if (!set->weights && !is_file)
        return report_no_weights("predict", set->model);
    int code = open_any_network("predict", set->model, set->weights, 1, 0, &set->form, &p->network);
    if (!code)
        code =
            check_loaded("predict", p->network.graph, set->weights ? set->weights : set->model, set->allow_non_finite);
    if (code)
        return code;
    int classes = p->network.size.classes;
    const char *const *own = p->network.model->classes == classes ? p->network.model->labels : NULL;
    code = read_labels("predict", set->labels, own, set->weights ? set->weights : set->model, classes, &p->labels);
    if (code)
        return code;
    if (!p->labels.count)
        fprintf(stderr, "atled predict: classes are shown by number: --labels FILE names them, one name a line\n");
    atl_compile_args args = compile_args_of(&set->compile);
    args.graph = p->network.graph;
    args.outputs = ATL_NODES(p->network.logits);
    p->program = atl_compile_with(&args);
    return p->program ? 0 : report_graph_failure("predict", p->network.graph);
}

static int predict(prediction *p, const char *path)
{
    atl_tensor *picture = read_photograph(&p->network, path, p->set.exact);
    if (!picture)
        return leave_picture_out("predict", &p->unread);
    atl_shape shape = atl_tensor_shape(picture);
    atl_tensor *batch =
        atl_tensor_view(ATL_FLOAT32, ATL_SHAPE(1, shape.size[0], shape.size[1], 3), atl_floats(picture));
    int failed = !batch || atl_run(p->program, ATL_FEED(p->network.image, batch)) != ATL_OK;
    int code = failed ? report_failure("predict") : 0;
    if (!code) {
        char shown[4096];
        printf("%s\n", clean_text(path, shown, sizeof shown));
        code = print_top_classes("predict", atl_floats(atl_value(p->program, p->network.logits)),
                                 p->network.size.classes, is_softmax(p->network.logits), (int)p->set.top, &p->labels);
    }
    atl_tensor_free(batch);
    atl_tensor_free(picture);
    return code;
}

int atled_predict(int argc, char **argv)
{
    prediction p = {.set = {.model = "cifar10", .top = 5}};
    int code;
    if (!read_settings(&p.set, argc, argv, &code))
        return code;
    code = check_all_files(&p.set);
    if (!code)
        code = begin_compiling("predict", &p.set.compile);
    if (!code)
        code = open_model(&p);
    for (int i = 0; i < p.set.picture_count && !code; i++)
        code = predict(&p, p.set.pictures[i]);
    if (!code)
        code = end_compiling("predict", &p.set.compile);
    code = end_without_pictures("predict", code, p.unread);
    atl_program_free(p.program);
    close_network(&p.network);
    free_labels(&p.labels);
    return code;
}
