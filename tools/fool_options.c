/* The command line of atled fool. */
#include "fool_options.h"

#include "network_file.h"

const char *const loss_names[] = {"cross-entropy", "logit", "margin", "mse", NULL};
static const char *const methods[] = {"adam", "normalised", "sign", "raw", NULL};

int read_fool_options(fool_options *set, int argc, char **argv, int *code)
{
    const command_option options[] = {
        {"model", 'm', .text = &set->model, .choices = network_names(), .or_ending = ".onnx", .argument = "NAME",
         .help = "the network to fool, or an ONNX file"},
        PICTURE_OPTIONS(&set->picture),
        {"logits", 0, .text = &set->picture.logits, .argument = "NAME",
         .help = "of an ONNX file: the value with the scores; else its first output"},
        {"weights", 'w', .text = &set->weights, .argument = "FILE",
         .help = "its weights, .npz; without it those that ship with atled, for cifar10 and lenet"},
        {"target", 't', .text = &set->target, .argument = "CLASS", .required = 1,
         .help = "the target: a class by index or name, 'random', 'least-likely' (for the start), or 'all'"},
        {"output", 'o', .text = &set->output, .argument = "FILE",
         .help = "the picture, PNG; with several targets the class is put before the dot"},
        {"count", 'n', .whole = &set->count, .argument = "N", .lowest = 1, .highest = 1e6,
         .help = "with --target random: how many different ones"},
        {"loss", 'l', .choice = &set->loss, .choices = loss_names, .argument = "NAME",
         .help = "what the iterations minimise; mse, the mean squared error of the softmax, shows how that fails"},
        {"method", 0, .choice = &set->method, .choices = methods, .argument = "NAME",
         .help = "how an iteration follows the gradient"},
        {"iterations", 0, .whole = &set->iterations, .argument = "N", .lowest = 1, .highest = 1e8, .help = "at most"},
        {"steps", 0, .whole = &set->iterations, .argument = "N", .lowest = 1, .highest = 1e8,
         .help = "the same as --iterations"},
        {"step-size", 0, .real = &set->rate, .argument = "X", .lowest = 1e-30, .highest = 1e30,
         .help = "in grey levels (2 for adam, 1 for normalised and sign if not given); for raw the factor of the "
                 "gradient (1)"},
        {"confidence", 'c', .real = &set->confidence, .argument = "P", .lowest = 1e-6, .highest = 0.9999999,
         .help = "the probability that the target must have, in the written file"},
        {"start", 's', .text = &set->start, .argument = "FILE", .help = "'noise', 'grey', or a picture to begin with"},
        {"seed", 0, .whole = &set->seed, .argument = "N", .help = "of the noise and of random targets"},
        {"labels", 0, .text = &set->labels, .argument = "FILE",
         .help = "names of the classes, one a line; without it a labels.txt or imagenet_classes.txt beside the weights "
                 "is taken"},
        {"panel", 'p', .text = &set->panel, .argument = "FILE",
         .help = "also draw start, result, difference, gradient and the course of it, PNG"},
        {"sheet", 0, .text = &set->sheet, .argument = "FILE",
         .help = "all pictures in one, in the order of targets, PNG"},
        ALLOW_NON_FINITE(&set->allow_non_finite),
        {"quiet", 'q', .flag = &set->quiet, .help = "no progress"},
        {0}};
    static const char *const examples[] = {
        "atled fool -t cat",
        "noise that the network which ships with atled takes for a cat",
        "atled fool -m squeezenet -w squeezenet_v1_1.npz -t flamingo -o out.png",
        "noise that SqueezeNet takes for a flamingo",
        "atled fool -m squeezenet -w squeezenet_v1_1.npz -t random --count 20 --seed 1",
        "twenty classes drawn at random",
        "atled fool -m squeezenet -w squeezenet_v1_1.npz -t 130 --loss mse --method raw",
        "the way that fails, with the reason why",
        NULL};
    compile_option_table shared;
    list_compile_options(&set->compile, shared);
    const command_line line = {"fool", .about = "make a picture that a network takes for what it is not",
                               .options = options, .shared = shared, .examples = examples};
    return read_options(&line, argc, argv, NULL, code);
}
