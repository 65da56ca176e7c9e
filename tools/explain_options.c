/* The command line of atled explain. */
#include "explain_options.h"

#include "network_file.h"
#include "weight_names.h"

enum { MOST_PICTURES = 10000 };

/* The names of the methods, ending with null. */
static const char *const *method_names(void)
{
    static const char *names[ATL_EXPLAIN_METHODS + 1];
    for (int i = 0; i < ATL_EXPLAIN_METHODS; i++)
        names[i] = atl_explain_method_name((atl_explain_method)i);
    return names;
}

int read_explain_options(explain_options *set, int argc, char **argv, int *code)
{
    const command_option options[] = {
        MODEL_OPTION(&set->model, "the network, or an ONNX file"),
        NETWORK_FILE_OPTIONS(&set->picture),
        WEIGHTS_OPTIONS(&set->weights, &set->picture.names, WEIGHTS_OR_BUNDLED),
        {"method", 0, .several = &set->methods, .choices = method_names(), .argument = "NAME,...",
         .help = "what to compute; all of them if not given"},
        {"target", 't', .text = &set->target, .argument = "CLASS",
         .help = "the class to explain, by index or name; the most probable one if not given"},
        {"layer", 'l', .text = &set->layer, .argument = "NAME",
         .help = "of the Grad-CAM family; if not given, the last map before the last pooling, or the tokens before the "
                 "last attention"},
        {"output", 'o', .text = &set->output, .argument = "DIR",
         .help = "the folder to write to, made if it is not there: PICTURE-METHOD.png, PICTURE-METHOD.npy and "
                 "PICTURE-sheet.png; for one picture and one method also a file, .png"},
        {"report", 0, .text = &set->report, .argument = "FILE",
         .help = "also write one self-contained page, HTML, with all pictures"},
        {"curves", 0, .flag = &set->curves,
         .help = "also judge each map: the probability while pixels are deleted and inserted in its order; written to "
                 "PICTURE-METHOD-curves.npy, [2, 101]"},
        {"sanity", 0, .flag = &set->sanity,
         .help = "also tell how much each map changes when the weights are shuffled, layer by layer from the top"},
        {"dream", 0, .text = &set->dream, .argument = "CLASS",
         .help = "make a picture that this class responds to most, or with 'channel:N' channel N of --layer; needs no "
                 "PICTURE"},
        {"iterations", 0, .whole = &set->iterations, .argument = "N", .lowest = 1, .highest = 1e6,
         .help = "of --dream"},
        {"baseline", 0, .text = &set->baseline, .argument = "FILE",
         .help = "'black', 'grey', 'white' or a picture: what gradient-input, integrated, occlusion and rise compare "
                 "with"},
        {"samples", 0, .whole = &set->samples, .argument = "N", .lowest = 1, .highest = 1e6,
         .help = "noisy copies of smooth-grad"},
        {"deviation", 0, .real = &set->deviation, .argument = "X", .lowest = 0, .highest = 1e6,
         .help = "of smooth-grad's noise, in grey levels; 0: 0.15 of the picture's range"},
        {"integral-steps", 0, .whole = &set->steps, .argument = "N", .lowest = 1, .highest = 1600,
         .help = "of integrated, at first; doubled while the error of the sum is above 1 %"},
        {"window", 0, .whole = &set->window, .argument = "N", .lowest = 0, .highest = 1e6,
         .help = "side of occlusion's window in pixels; 0: a 14th of the picture, at least 4"},
        {"stride", 0, .whole = &set->stride, .argument = "N", .lowest = 0, .highest = 1e6,
         .help = "from window to window; 0: half the window"},
        {"masks", 0, .whole = &set->masks, .argument = "N", .lowest = 1, .highest = 1e6, .help = "of rise"},
        {"cells", 0, .whole = &set->cells, .argument = "N", .lowest = 1, .highest = 1000,
         .help = "of a mask of rise, in each direction"},
        {"seed", 0, .whole = &set->seed, .argument = "N", .help = "of smooth-grad and rise"},
        {"memory", 0, .real = &set->memory, .argument = "MB", .lowest = 0, .highest = 1e9,
         .help = "at most so much for weights and values: batches are cut to fit; 0: no limit"},
        {"batch", 'b', .whole = &set->batch, .argument = "N", .lowest = 1, .highest = 4096,
         .help = "pictures in a run, at most"},
        {"exact", 0, .flag = &set->exact, .help = "refuse a picture of another size instead of scaling it"},
        {"labels", 0, .text = &set->labels, .argument = "FILE",
         .help = "names of the classes, one a line; without it a labels.txt or imagenet_classes.txt beside the weights "
                 "is taken"},
        SHARD_OPTIONS(&set->shard),
        ALLOW_NON_FINITE(&set->allow_non_finite),
        {"quiet", 'q', .flag = &set->quiet, .help = "no progress"},
        {0}};
    static const char *const examples[] = {"atled explain cat.png",
                                           "all methods, for the class that the network which ships with atled sees",
                                           "atled explain -m squeezenet -w squeezenet_v1_1.npz --method "
                                           "grad-cam,integrated -t 243 -o maps dog.jpg",
                                           "two methods for one class of SqueezeNet",
                                           "atled explain -m squeezenet -w squeezenet_v1_1.npz --dream flamingo",
                                           "a picture of what the network looks for in a flamingo",
                                           "atled explain -m net.onnx --preprocess imagenet --report page.html *.jpg",
                                           "a page about many pictures",
                                           NULL};
    compile_option_table shared;
    list_compile_options(&set->compile, shared);
    const command_line line = {"explain",
                               .about = "show which pixels of a picture a network's score depends on",
                               .operands = "PICTURE...",
                               .most_operands = MOST_PICTURES,
                               .options = options,
                               .shared = shared,
                               .examples = examples,
                               .words_out = &set->shard.words};
    int first;
    if (!read_options(&line, argc, argv, &first, code) || (*code = check_shard_options("explain", &set->shard)))
        return 0;
    set->pictures = argv + first;
    set->picture_count = argc - first;
    if (set->picture_count || set->dream)
        return 1;
    *code = report_error("explain", EXIT_USAGE, "PICTURE... is missing: see atled explain --help");
    return 0;
}
