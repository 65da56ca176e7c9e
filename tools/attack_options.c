/* The command line of atled attack. */
#include "attack_options.h"

#include <string.h>

#include "eps.h"
#include "weight_names.h"

const char *const norm_names[] = {"linf", "l2", "l1", "l0", NULL};
static const char *const parts[] = {"training", "test", NULL};

static const char *const *method_names(void)
{
    enum { MOST = 64 };
    static const char *names[MOST + 1];
    for (int i = 0; i < atl_attack_method_count() && i < MOST; i++)
        names[i] = atl_attack_method_at(i)->name;
    return names;
}

/* Of --spec: what describes pictures and changes is of no use. */
static int check_spec(const attack_options *set)
{
    const char *option = set->operands[0]                              ? set->operands[0]
                         : set->data                                   ? "--data"
                         : set->eps_text                               ? "--eps"
                         : set->target                                 ? "--target"
                         : set->output                                 ? "--output"
                         : set->report                                 ? "--report"
                         : set->transfer.model                         ? "--transfer"
                         : set->unrounded                              ? "--float"
                         : set->jpeg                                   ? "--jpeg"
                         : set->label                                  ? "--label"
                         : set->network.weights                        ? "--weights"
                         : set->network.picture.names                  ? "--names"
                         : set->network.picture.logits                 ? "--logits"
                         : has_picture_settings(&set->network.picture) ? "preprocessing"
                         : needs_facts(&set->shard)                    ? "--shard or mpirun"
                                                                       : NULL;
    if (!is_network_file(set->network.model))
        return report_error("attack", EXIT_USAGE, "--spec is for an ONNX file, not for --model %s", set->network.model);
    if (option)
        return report_error("attack", EXIT_USAGE,
                            "--spec does not go with %s: the property is about the inputs of the ONNX file themselves",
                            option);
    return 0;
}

static const char *list_norms(const atl_attack_method *method, char *text, size_t size)
{
    text[0] = 0;
    for (int n = 0; norm_names[n]; n++)
        if (method->norms >> n & 1) {
            size_t used = strlen(text);
            snprintf(text + used, size - used, "%s%s", used ? ", " : "", norm_names[n]);
        }
    return text;
}

/* Whether the options fit each other; eps is read. */
static int check(attack_options *set, int *code)
{
    char norms[64];
    const atl_attack_method *m = atl_attack_method_find(set->method);
    *code = check_shard_options("attack", &set->shard);
    if (!*code && m->is_shared && needs_facts(&set->shard))
        *code = report_error("attack", EXIT_USAGE,
                             "the method %s makes one change of all pictures, in one process: "
                             "neither --shard nor mpirun divides it",
                             m->name);
    if (*code)
        return 0;
    if (set->spec) {
        *code = check_spec(set);
        return !*code;
    }
    if (!(m->norms >> set->norm & 1))
        *code = report_error("attack", EXIT_USAGE, "--norm %s: the method %s has %s only", norm_names[set->norm],
                             m->name, list_norms(m, norms, sizeof norms));
    if (!*code && set->eps_text)
        *code = read_eps("attack", set->eps_text, (atl_norm)set->norm, &set->eps);
    else if (!*code && !m->is_minimal)
        *code = report_error("attack", EXIT_USAGE, "--eps is missing: %s looks for a change of a given size", m->name);
    if (!*code && !set->data && !set->operands[0])
        *code = report_error("attack", EXIT_USAGE, "nothing to attack: give pictures or folders, or --data");
    if (!*code && set->data && set->operands[0])
        *code = report_error("attack", EXIT_USAGE, "--data %s and the picture %s: give one or the other", set->data,
                             set->operands[0]);
    if (!*code && set->data && set->label)
        *code = report_error("attack", EXIT_USAGE, "--label is for pictures; the data set has its own");
    if (!*code && set->transfer.weights && !set->transfer.model)
        *code = report_error("attack", EXIT_USAGE, "--transfer-weights are those of a second network: see --transfer");
    if (!*code && set->jpeg && (set->unrounded || m->is_shared))
        *code = report_error("attack", EXIT_USAGE, "--jpeg does not go with %s%s",
                             set->unrounded ? "--float, which writes no pictures" : "--method ",
                             set->unrounded ? "" : m->name);
    if (!*code && set->report && (!set->output || set->unrounded || set->results_only))
        *code = report_error("attack", EXIT_USAGE, "--report shows the files of --output%s",
                             !set->output     ? ": give a folder"
                             : set->unrounded ? ", and --float writes none"
                                              : ", and --results-only writes none");
    return !*code;
}

int read_attack_options(attack_options *set, int argc, char **argv, int *code)
{
    const command_option options[] = {
        MODEL_OPTION(&set->network.model, "the network to attack, or an ONNX file", .required = 1),
        PICTURE_OPTIONS(&set->network.picture),
        {"logits", 0, .text = &set->network.picture.logits, .argument = "NAME",
         .help = "of an ONNX file: the value with the scores; else its first output"},
        WEIGHTS_OPTIONS(&set->network.weights, &set->network.picture.names, WEIGHTS_OR_BUNDLED),
        {"data", 'd', .text = &set->data, .argument = "DIR", .help = "a data set, as for atled eval"},
        {"part", 0, .choice = &set->part, .choices = parts, .argument = "NAME", .help = "of the data"},
        {"count", 'n', .whole = &set->count, .argument = "N", .lowest = 1, .highest = 1e9,
         .help = "pictures of the data; all of them if not given"},
        {"right", 0, .whole = &set->right, .argument = "N", .lowest = 0, .highest = 1e9,
         .help = "ends after N pictures that the network gets right; 0: no such end"},
        {"first", 0, .whole = &set->first, .argument = "N", .lowest = 0, .highest = 1e9,
         .help = "the number of the first picture: random numbers depend on it, and the data are read from there"},
        {"label", 0, .text = &set->label, .argument = "CLASS",
         .help = "what the pictures show; without it what the network takes them for"},
        {"labels", 0, .text = &set->labels, .argument = "FILE", .help = "names of the classes, one a line"},
        {"method", 0, .text = &set->method, .choices = method_names(), .argument = "NAME", .help = "the attack"},
        {"norm", 0, .choice = &set->norm, .choices = norm_names, .argument = "NAME",
         .help = "in which the change is measured"},
        {"eps", 'e', .text = &set->eps_text, .argument = "SIZE",
         .help =
             "the largest change: a fraction (8/255), a number (0.03), or grey levels (8g), always of the picture's "
             "own pixels, before any preprocessing"},
        {"spec", 0, .text = &set->spec, .argument = "FILE",
         .help = "a property, VNN-LIB, of an ONNX file: prints an input that it describes, as in the verification "
                 "competitions; --steps, --restarts and --seed apply"},
        {"target", 't', .text = &set->target, .argument = "CLASS",
         .help =
             "the class to reach: an index or a name, 'random', 'least-likely', or 'all'; without it any wrong one"},
        {"steps", 0, .whole = &set->steps, .argument = "N", .lowest = 0, .highest = 1e6,
         .help = "of the method; 0: its own number"},
        {"restarts", 0, .whole = &set->restarts, .argument = "N", .lowest = 0, .highest = 1e6, .help = "the same"},
        {"step-size", 0, .real = &set->step_size, .argument = "X", .lowest = 0, .highest = 1e6,
         .help = "a fraction of the range, like --eps; 0: the method's own, which follows eps"},
        {"confidence", 'c', .real = &set->confidence, .argument = "X", .lowest = 0, .highest = 1e6,
         .help = "by how much the scores must meet the goal; 0: by more than rounding errors"},
        {"float", 0, .flag = &set->unrounded,
         .help = "results are float numbers, as in papers, and not pixels of 8 bits: no pictures are written"},
        {"jpeg", 0, .whole = &set->jpeg, .argument = "QUALITY", .lowest = 1, .highest = 100,
         .help = "results must survive JPEG of that quality: both pictures are such files, and what is read back from "
                 "them is judged and measured"},
        {"exact", 0, .flag = &set->exact, .help = "pictures of another size are an error; else they are scaled"},
        {"output", 'o', .text = &set->output, .argument = "DIR",
         .help = "where results.jsonl, the pictures and their certificates go; the same command continues there"},
        {"report", 0, .text = &set->report, .argument = "FILE",
         .help = "also write one self-contained page, HTML, of the output folder: numbers, pictures, changes, "
                 "certificates"},
        {"results-only", 0, .flag = &set->results_only, .help = "no pictures and certificates in the output folder"},
        {"transfer", 0, .text = &set->transfer.model, .choices = network_names(), .or_ending = ".onnx",
         .argument = "NAME",
         .help = "also asks a second network about each result, or an ONNX file with the same preprocessing"},
        {"transfer-weights", 0, .text = &set->transfer.weights, .argument = "FILE", .help = "its weights"},
        {"batch", 'b', .whole = &set->at_once, .argument = "N", .lowest = 1, .highest = 256,
         .help = "pictures that are attacked at the same time: changes no result; without it twice what the threads "
                 "can run"},
        {"seed", 0, .whole = &set->seed, .argument = "N", .help = "of everything that is random"},
        SHARD_OPTIONS(&set->shard),
        ALLOW_NON_FINITE(&set->network.allow_non_finite),
        {"quiet", 'q', .flag = &set->quiet, .help = "no progress"},
        {0}};
    static const char *const examples[] = {
        "atled attack -m resnet20 -w resnet20.npz -d cifar-10 -n 1000 --eps 8/255 -o out",
        "PGD on the first thousand pictures of the test set",
        "atled attack -m squeezenet -w squeezenet_v1_1.npz dog.jpg "
        "--method bim --eps 2/255 -t flamingo -o out",
        "a dog that the network takes for a flamingo", NULL};
    compile_option_table shared;
    int operand;
    list_compile_options(&set->compile, shared);
    const command_line line = {"attack",
                               .about = "change pictures so little that nobody sees it until a network errs",
                               .operands = "[PICTURE or FOLDER...]",
                               .most_operands = 1 << 20,
                               .options = options,
                               .shared = shared,
                               .examples = examples,
                               .words_out = &set->shard.words};
    if (!read_options(&line, argc, argv, &operand, code))
        return 0;
    set->operands = (const char *const *)argv + operand;
    return check(set, code);
}
