/* The command line of atled fool. */
#include "fool_options.h"

#include "network_file.h"
#include "weight_names.h"

const char *const loss_names[] = {"cross-entropy", "logit", "margin", "mse", NULL};
static const char *const methods[] = {"adam", "normalised", "sign", "raw", NULL};

int read_fool_options(fool_options *set, int argc, char **argv, int *code)
{
    const command_option options[] = {
        MODEL_OPTION(&set->model, "the network to fool, or an ONNX file"),
        NETWORK_FILE_OPTIONS(&set->picture),
        WEIGHTS_OPTIONS(&set->weights, &set->picture.names, WEIGHTS_OR_BUNDLED),
        {"target", 't', .text = &set->target, .argument = "CLASS", .required = 1,
         .help = "the target: a class by index or name, 'random', 'least-likely' (for the start), or 'all'"},
        {"output", 'o', .text = &set->output, .argument = "FILE",
         .help = "the image, PNG; with several targets the class is added to the name"},
        {"count", 'n', .whole = &set->count, .argument = "N", .lowest = 1, .highest = 1e6,
         .help = "with --target random: the number of different targets"},
        {"batch", 'b', .whole = &set->at_once, .argument = "N", .lowest = 1, .highest = 256,
         .help =
             "with several targets, how many run at the same time: changes no image; default: twice what the threads "
             "can run"},
        {"loss", 'l', .choice = &set->loss, .choices = loss_names, .argument = "NAME",
         .help = "the loss to minimise; mse, the mean squared error of the softmax, is there to show how it fails"},
        {"method", 0, .choice = &set->method, .choices = methods, .argument = "NAME",
         .help = "how an iteration uses the gradient"},
        {"iterations", 0, .whole = &set->iterations, .argument = "N", .lowest = 1, .highest = 1e8,
         .help = "the largest number of iterations"},
        {"steps", 0, .whole = &set->iterations, .argument = "N", .lowest = 1, .highest = 1e8,
         .help = "the same as --iterations"},
        {"step-size", 0, .real = &set->rate, .argument = "X", .lowest = 1e-30, .highest = 1e30,
         .help = "size of a change in grey levels (default: 2 for adam, 1 for normalised and sign); for raw, the "
                 "factor of the gradient (default: 1)"},
        {"confidence", 'c', .real = &set->confidence, .argument = "P", .lowest = 1e-6, .highest = 0.9999999,
         .help = "the probability that the target must reach in the written file"},
        {"start", 's', .text = &set->start, .argument = "FILE",
         .help = "the initial image: 'noise', 'grey', or a file"},
        {"seed", 0, .whole = &set->seed, .argument = "N", .help = "for the noise and the random targets"},
        {"labels", 0, .text = &set->labels, .argument = "FILE",
         .help = "names of the classes, one per line; default: labels.txt or imagenet_classes.txt beside the weights"},
        {"panel", 'p', .text = &set->panel, .argument = "FILE",
         .help = "also draw start, result, difference, gradient, and the probability in each iteration, PNG"},
        {"sheet", 0, .text = &set->sheet, .argument = "FILE",
         .help = "all images in one, in the order of the targets, PNG"},
        {"report", 0, .text = &set->report, .argument = "FILE",
         .help = "also write one self-contained page, HTML, with every target: images, change, probabilities, course"},
        SHARD_OPTIONS(&set->shard),
        ALLOW_NON_FINITE(&set->allow_non_finite),
        {"quiet", 'q', .flag = &set->quiet, .help = "print no progress"},
        {0}};
    static const char *const examples[] = {
        "atled fool -t cat",
        "noise that the bundled network classifies as a cat",
        "atled fool -m squeezenet -w squeezenet_v1_1.npz -t flamingo -o out.png",
        "noise that SqueezeNet classifies as a flamingo",
        "atled fool -m squeezenet -w squeezenet_v1_1.npz -t random --count 20 --seed 1",
        "twenty random classes",
        "atled fool -m squeezenet -w squeezenet_v1_1.npz -t 130 --loss mse --method raw",
        "the method that fails, with the reason",
        NULL};
    compile_option_table shared;
    list_compile_options(&set->compile, shared);
    const command_line line = {"fool",
                               .about = "make an image that a network misclassifies",
                               .options = options,
                               .shared = shared,
                               .examples = examples,
                               .words_out = &set->shard.words};
    if (!read_options(&line, argc, argv, NULL, code))
        return 0;
    *code = check_shard_options("fool", &set->shard);
    return !*code;
}
