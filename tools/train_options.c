/* The command line of atled train. */
#include "train_options.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "network.h"
#include "ranks.h"
#include "weight_names.h"

/* Other tools call "sgd" what is "momentum" here; ignoring the option silently would train without momentum. */
static int check_momentum(const train_options *set, int *code)
{
    int has_it = set->optimizer == OPTIMIZER_MOMENTUM || set->optimizer == OPTIMIZER_NESTEROV ||
                 set->optimizer == OPTIMIZER_RMSPROP;
    if (has_it || isnan(set->momentum) || set->momentum == 0)
        return 1;
    *code =
        report_error("train", EXIT_USAGE, "--momentum %g: %s has none: take --optimizer momentum, nesterov or rmsprop",
                     set->momentum, optimizer_names[set->optimizer]);
    return 0;
}

/* Options that only some optimizers or schedules use.  An option without effect would be an invisible error, so it is
 * reported. */
static const struct limited_option {
    const char *name;
    int of_schedule; /* else of an optimizer */
    unsigned takers; /* bit i: the i-th of their names */
} limited_options[] = {
    {"factor", 1, 1u << SCHEDULE_EXPONENTIAL | 1u << SCHEDULE_STEP},
    {"every", 1, 1u << SCHEDULE_EXPONENTIAL | 1u << SCHEDULE_STEP},
    {"at", 1, 1u << SCHEDULE_STEP},
    {"staircase", 1, 1u << SCHEDULE_EXPONENTIAL},
    {"lowest", 1, 1u << SCHEDULE_COSINE},
    {"rms-decay", 0, 1u << OPTIMIZER_RMSPROP},
    {"beta1", 0, 1u << OPTIMIZER_ADAM | 1u << OPTIMIZER_ADAMW},
    {"beta2", 0, 1u << OPTIMIZER_ADAM | 1u << OPTIMIZER_ADAMW},
    {"epsilon", 0, 1u << OPTIMIZER_RMSPROP | 1u << OPTIMIZER_ADAGRAD | 1u << OPTIMIZER_ADAM | 1u << OPTIMIZER_ADAMW},
};

/* "exponential or step" */
static void list_takers(const char *const *names, unsigned takers, char *text, size_t size)
{
    size_t at = 0;
    text[0] = 0;
    for (int i = 0; names[i] && at < size; i++)
        if (takers >> i & 1)
            at += (size_t)snprintf(text + at, size - at, "%s%s",
                                   !at                 ? ""
                                   : takers >> (i + 1) ? ", "
                                                       : " or ",
                                   names[i]);
}

static int check_limited(const train_options *set, const command_option *options, given_options given)
{
    char takers[128];
    for (size_t i = 0; i < sizeof limited_options / sizeof *limited_options; i++) {
        const struct limited_option *o = &limited_options[i];
        const char *const *names = o->of_schedule ? schedule_names : optimizer_names;
        int chosen = o->of_schedule ? set->schedule : set->optimizer;
        if (!is_given(options, given, o->name) || o->takers >> chosen & 1)
            continue;
        list_takers(names, o->takers, takers, sizeof takers);
        return report_error("train", EXIT_USAGE,
                            "--%s has no effect with --%s %s, but with %s: leave it out, or take one "
                            "of these",
                            o->name, o->of_schedule ? "schedule" : "optimizer", names[chosen], takers);
    }
    return 0;
}

/* Checks pairs of options that mean the same thing in two ways. */
static int check_pairs(const command_option *options, given_options given)
{
    static const char *const pairs[][3] = {
        {"at", "every", "they are two ways to say when the rate falls"},
        {"resume", "weights", "a checkpoint has the weights"},
        {"steps", "epochs", "they are two ways to say how long"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (is_given(options, given, pairs[i][0]) && is_given(options, given, pairs[i][1]))
            return report_error("train", EXIT_USAGE, "--%s and --%s exclude each other: %s", pairs[i][0], pairs[i][1],
                                pairs[i][2]);
    return 0;
}

static const char *const no_or_yes[] = {"no", "yes", NULL};

int read_train_options(train_options *set, int argc, char **argv, int *code)
{
    const command_option options[] = {
        MODEL_OPTION(&set->model, "the network, or an ONNX file, whose batch norm keeps its statistics", .required = 1),
        NETWORK_FILE_OPTIONS(&set->picture),
        {"data", 'd', .text = &set->data, .argument = "DIR", .required = 1,
         .help = "CIFAR-10 binary, MNIST idx, train/ and test/ with one sub-folder of images per class, or train.npz "
                 "and test.npz"},
        {"output", 'o', .text = &set->output, .argument = "FILE", .help = "the weights, .npz or .safetensors"},
        {"widths", 0, .text = &set->widths, .argument = "N,N,...",
         .help = "widths of the network's layers, in order; 0: as published"},
        {"epochs", 'e', .whole = &set->epochs, .argument = "N", .lowest = 1, .highest = 1e6,
         .help = "passes over the training data"},
        {"steps", 0, .whole = &set->most_steps, .argument = "N", .lowest = 0, .highest = 1e9,
         .help = "instead of --epochs, if not 0"},
        {"batch", 'b', .whole = &set->batch, .argument = "N", .lowest = 1, .highest = 1e6, .help = "examples per step"},
        {"seed", 0, .whole = &set->seed, .argument = "N",
         .help = "for the initial weights, the order of the examples, and the changes to the images"},

        {"optimizer", 0, .choice = &set->optimizer, .choices = optimizer_names, .argument = "NAME",
         .help = "the rule by which a step uses the gradient"},
        {"rate", 'r', .real = &set->rate, .argument = "X", .lowest = 1e-30, .highest = 1e30,
         .help = "highest learning rate; default: 0.01, for adam and adamw 0.001"},
        {"momentum", 0, .real = &set->momentum, .argument = "X", .lowest = 0, .highest = 0.999999,
         .help = "default: 0.9 for momentum and nesterov, none for rmsprop"},
        {"rms-decay", 0, .real = &set->rms_decay, .argument = "X", .lowest = 0, .highest = 0.999999999,
         .help = "decay of rmsprop's mean square"},
        {"beta1", 0, .real = &set->beta1, .argument = "X", .lowest = 0, .highest = 0.999999999,
         .help = "of adam and adamw"},
        {"beta2", 0, .real = &set->beta2, .argument = "X", .lowest = 0, .highest = 0.999999999,
         .help = "of adam and adamw"},
        {"epsilon", 0, .real = &set->epsilon, .argument = "X", .lowest = 0, .highest = 1e6,
         .help = "of rmsprop, adagrad, adam and adamw"},
        {"rate-of", 0, .texts = &set->rate_of, .argument = "NAME=X",
         .help = "multiplies the learning rate of a variable, or of all variables in a scope such as conv1, by X; 0: "
                 "they are not trained. May be given several times"},

        {"schedule", 0, .choice = &set->schedule, .choices = schedule_names, .argument = "NAME",
         .help = "how the learning rate falls: cosine, to --lowest at the end; exponential and step, by --factor every "
                 "--every epochs"},
        {"factor", 0, .real = &set->factor, .argument = "X", .lowest = 1e-9, .highest = 1,
         .help = "for the schedules exponential and step"},
        {"every", 0, .real = &set->every, .argument = "EPOCHS", .lowest = 1e-6, .highest = 1e9,
         .help = "for the schedules exponential and step"},
        {"at", 0, .text = &set->at, .argument = "EPOCH,...",
         .help = "for the schedule step: the epochs at which the rate falls (at most 8), instead of --every"},
        {"staircase", 0, .flag = &set->staircase,
         .help = "the schedule exponential falls only every --every epochs, not gradually"},
        {"lowest", 0, .real = &set->lowest, .argument = "X", .lowest = 0, .highest = 1e30,
         .help = "for the schedule cosine"},
        {"warm-up", 0, .real = &set->warm_up, .argument = "EPOCHS", .lowest = 0, .highest = 1e6,
         .help = "during which the rate rises from 0, with any schedule"},

        {"decay", 0, .real = &set->decay, .argument = "X", .lowest = 0, .highest = 1e6,
         .help = "weight decay of the dense layers; never of biases. With adamw, the default is 0.01 for all weights"},
        {"decay-all", 0, .real = &set->decay_all, .argument = "X", .lowest = 0, .highest = 1e6,
         .help = "weight decay of the dense layers and the convolutions"},
        {"decay-of", 0, .texts = &set->decay_of, .argument = "NAME=X",
         .help =
             "weight decay of a variable, or of all variables in a scope such as local3. May be given several times"},
        {"clip-value", 0, .real = &set->clip_value, .argument = "X", .lowest = 0, .highest = 1e30,
         .help = "clips each element of a gradient to -X..X"},
        {"clip-norm", 0, .real = &set->clip_norm, .argument = "X", .lowest = 0, .highest = 1e30,
         .help = "scales the gradient of each variable down to this norm"},
        {"clip-global-norm", 0, .real = &set->clip_global_norm, .argument = "X", .lowest = 0, .highest = 1e30,
         .help = "scales all gradients together down to this norm"},
        {"average", 0, .real = &set->average, .argument = "X", .lowest = 0, .highest = 0.9999999,
         .help = "keeps a moving average of the weights with this decay, such as 0.999; the average is tested and "
                 "saved instead of the weights, with batch norm's statistics measured again"},

        {"crop", 0, .whole = &set->crop, .argument = "N", .lowest = 0, .highest = 4096,
         .help = "crops N x N pixels of each image at a random position; 0: the network's input size"},
        {"pad", 0, .whole = &set->pad, .argument = "N", .lowest = 0, .highest = 4096,
         .help = "zeros added on each side of an image before the crop"},
        {"flip", 0, .flag = &set->flip, .help = "flips half of the images left to right"},
        {"brightness", 0, .real = &set->brightness, .argument = "X", .lowest = 0, .highest = 1e6,
         .help = "changes the brightness at random, by up to +-X grey levels"},
        {"contrast", 0, .real = &set->contrast, .argument = "X", .lowest = 0, .highest = 1,
         .help = "changes the contrast at random, by a factor of 1 - X to 1 + X"},

        {"checkpoint", 0, .text = &set->checkpoint, .argument = "FILE",
         .help = "everything that --resume needs, .npz; written after each epoch and on Ctrl-C"},
        {"save-every", 0, .whole = &set->save_every, .argument = "STEPS", .lowest = 0, .highest = 1e9,
         .help = "also write weights and checkpoint every N steps"},
        {"resume", 0, .text = &set->resume, .argument = "FILE",
         .help = "continue from a checkpoint, with the same other options: the result is the same as without the "
                 "interruption"},
        {"stop-after", 0, .whole = &set->stop_after, .argument = "STEPS", .lowest = 0, .highest = 1e9,
         .help = "stop as if Ctrl-C were pressed then; the schedule remains that of the whole training"},
        WEIGHTS_OPTIONS(&set->weights, &set->picture.names,
                        "initial weights; variables that the file lacks are initialised as usual"),
        ALLOW_NON_FINITE(&set->allow_non_finite),
        {"find-nan", 0, .flag = &set->find_nan,
         .help = "if the loss becomes NaN or infinite, report the first node with such a value"},
        {"distributed", 0, .flag = &set->distributed,
         .help =
             "share the work with the other processes of an MPI launcher; not needed under mpirun, which is seen by "
             "itself"},
        {"micro-batches", 0, .whole = &set->micro_batches, .argument = "N", .lowest = 0, .highest = 65536,
         .help = "divide each batch into N parts, one after another or on several ranks: any number of ranks up to N "
                 "gives the same bits; batch norm takes the statistics of a part; 0: 4 under a launcher, or the next "
                 "power of two from the number of ranks on, else 1"},
        {"deterministic", 0, .choice = &set->deterministic, .choices = no_or_yes, .argument = "WHICH",
         .help = "yes: the parts are added in a fixed order; no: one part for each rank, added as MPI likes it"},
        {"bucket-mb", 0, .whole = &set->bucket_mb, .argument = "N", .lowest = 0, .highest = 65536,
         .help = "send the gradients in buckets of about N megabytes, each as soon as it is full; with one that holds "
                 "all of them nothing travels during the backward pass; 0: a quarter of them, at most 4"},
        {"sync-batch-norm", 0, .flag = &set->sync_batch_norm,
         .help = "batch norm takes the statistics of the whole batch, over all its parts and ranks; a part then waits "
                 "for the others in each such layer, and each part of a rank has memory of its own"},
        {"rate-batch", 0, .whole = &set->rate_batch, .argument = "N", .lowest = 0, .highest = 1e6,
         .help =
             "the batch for which --rate is meant: with --batch B, the rate is multiplied by B / N (linear scaling; "
             "use --warm-up with it); 0: as given"},
        {"log", 0, .text = &set->log, .argument = "FILE", .help = "one line per epoch, CSV"},
        {"plot", 'p', .text = &set->plot, .argument = "FILE", .help = "curves of loss and accuracy, PNG"},
        {"quiet", 'q', .flag = &set->quiet, .help = "print no progress"},
        {0}};
    static const char *const examples[] = {"atled train -m lenet -d mnist -o digits.npz",
                                           "handwritten digits, in a few minutes",
                                           "atled train -m cifar10 -d cifar-10 --flip -e 20 -o cifar10.npz",
                                           "the tutorial's network",
                                           "atled train -m resnet20 -d cifar-10 --pad 4 --flip --rate 0.1 "
                                           "--decay-all 1e-4 -e 100 -o resnet20.npz",
                                           "ResNet-20",
                                           NULL};
    compile_option_table shared;
    given_options given = 0;
    list_compile_options(&set->compile, shared);
    const command_line line = {"train",
                               .about = "train a network on labelled images",
                               .options = options,
                               .shared = shared,
                               .examples = examples,
                               .given_out = &given};
    if (!read_options(&line, argc, argv, NULL, code) || !check_momentum(set, code))
        return 0;
    *code = check_limited(set, options, given);
    if (!*code)
        *code = check_pairs(options, given);
    if (!*code && !set->deterministic && set->micro_batches)
        *code = report_error("train", EXIT_USAGE,
                             "--micro-batches has no effect with --deterministic no, which takes one for each rank");
    if (!*code && set->bucket_mb && set->micro_batches <= 1 && !ranks_in_use())
        *code = report_error("train", EXIT_USAGE,
                             "--bucket-mb has no effect in one process, but with several ranks or --micro-batches");
    if (!*code && set->sync_batch_norm && set->find_nan)
        *code = report_error("train", EXIT_USAGE,
                             "--find-nan looks at one part of a batch, which --sync-batch-norm joins to the others");
    if (!*code && set->sync_batch_norm && is_network_file(set->model))
        *code = report_error("train", EXIT_USAGE,
                             "--sync-batch-norm: an ONNX file has batch norm of its own; this is for atled's networks");
    if (!*code && !is_network_file(set->model))
        *code = check_no_picture_settings("train", set->model, &set->picture);
    else if (!*code && set->widths)
        *code =
            report_error("train", EXIT_USAGE, "--widths: the layers of an ONNX file have the widths that they have");
    return !*code;
}

/* Sets the options that the optimizer has. */
atl_optimizer settle_optimizer(train_options *set)
{
    int has_momentum = set->optimizer == OPTIMIZER_MOMENTUM || set->optimizer == OPTIMIZER_NESTEROV ||
                       set->optimizer == OPTIMIZER_RMSPROP;
    int is_adam = set->optimizer == OPTIMIZER_ADAM || set->optimizer == OPTIMIZER_ADAMW;
    int has_epsilon = is_adam || set->optimizer == OPTIMIZER_RMSPROP || set->optimizer == OPTIMIZER_ADAGRAD;
    int has_decay = !isnan(set->decay) || !isnan(set->decay_all);
    if (isnan(set->decay_all))
        set->decay_all = set->optimizer == OPTIMIZER_ADAMW && !has_decay ? 0.01 : 0;
    if (isnan(set->decay))
        set->decay = 0;
    atl_optimizer o = {.rate = !isnan(set->rate) ? set->rate : is_adam ? 0.001 : 0.01};
    if (set->rate_batch)
        o.rate *= (double)set->batch / (double)set->rate_batch;
    if (has_momentum && !isnan(set->momentum))
        o.momentum = ATL_EXACTLY(set->momentum);
    if (set->optimizer == OPTIMIZER_RMSPROP)
        o.rho = ATL_EXACTLY(set->rms_decay);
    if (set->optimizer == OPTIMIZER_ADAMW)
        o.weight_decay = ATL_ZERO; /* the variables have their own */
    if (has_epsilon)
        o.epsilon = ATL_EXACTLY(set->epsilon);
    if (is_adam) {
        o.beta1 = ATL_EXACTLY(set->beta1);
        o.beta2 = ATL_EXACTLY(set->beta2);
    }
    return o;
}

int read_widths(const train_options *set, int widths[ATL_MODEL_LAYERS])
{
    const char *at = set->widths;
    for (int i = 0; at; i++) {
        char *end;
        long width = strtol(at, &end, 10);
        if (!isdigit((unsigned char)*at) || (*end && *end != ',') || width > 1 << 20 || i == ATL_MODEL_LAYERS)
            return report_error("train", EXIT_USAGE, "--widths %s: give up to %d whole numbers with commas between",
                                set->widths, ATL_MODEL_LAYERS);
        widths[i] = (int)width;
        at = *end ? end + 1 : NULL; /* after a comma there is another */
    }
    return 0;
}

int read_drops(const train_options *set, int64_t per_epoch, int64_t at[MOST_DROPS])
{
    const char *next = set->at;
    for (int i = 0; next; i++) {
        char *end;
        double epoch = strtod(next, &end);
        if (end == next || isspace((unsigned char)*next) || (*end && *end != ',') || !(epoch > 0 && epoch < 1e6) ||
            i == MOST_DROPS)
            return report_error("train", EXIT_USAGE, "--at %s: give up to %d epochs with commas between", set->at,
                                MOST_DROPS);
        int64_t step = (int64_t)(epoch * (double)per_epoch + 0.5);
        at[i] = step > 0 ? step : 1;
        next = *end ? end + 1 : NULL;
    }
    return 0;
}
