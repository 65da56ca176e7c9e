/* atled check: the gradient of an ONNX file against central differences in double, and float against double, in
 * words. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "onnx_file.h"
#include "text.h"

typedef struct settings {
    option_list inputs;
    int64_t elements, seed;
    picture_settings picture;
} settings;

static int read_settings(settings *set, int argc, char **argv, int *operand, int *code)
{
    const command_option options[] = {{"input", 'i', .texts = &set->inputs, .argument = "[NAME=]FILE",
                                       .help = "as for atled run; inputs that are not given are random, in [0, 1)"},
                                      {"elements", 'n', .whole = &set->elements, .argument = "N", .lowest = 1,
                                       .highest = 1e6, .help = "number of elements of each input to compare"},
                                      {"seed", 0, .whole = &set->seed, .argument = "N", .lowest = 0, .highest = 1e9,
                                       .help = "for the random inputs"},
                                      PICTURE_OPTIONS(&set->picture),
                                      {0}};
    static const char *const examples[] = {"atled check net.onnx", "checks the gradient of its first output", NULL};
    const command_line line = {"check", .about = "compare the gradient of an ONNX file with central differences",
                               ONE_ONNX_FILE, .options = options, .examples = examples};
    return read_options(&line, argc, argv, operand, code);
}

/* Random numbers for inputs that are not given; an open size is 1. */
static int feed_the_rest(const settings *set, onnx_file *f)
{
    int64_t inputs = atl_onnx_input_count(f->net), fed = 0;
    for (int64_t i = 0; i < inputs && i < MOST_ONNX_FEEDS; i++) {
        atl_node *x = atl_onnx_input(f->net, atl_onnx_input_name(f->net, i));
        atl_shape shape = atl_shape_of(x);
        for (int k = 0; k < shape.rank; k++)
            shape.size[k] = shape.size[k] == ATL_ANY ? 1 : shape.size[k];
        if (!f->value[i])
            f->value[i] = atl_dtype_of(x) == ATL_FLOAT32 ? atl_uniform_tensor(shape, 0, 1, (uint64_t)(set->seed + i))
                                                         : atl_tensor_new(ATL_INT32, shape);
        if (!f->value[i])
            return report_error("check", EXIT_INTERNAL, "%s", atl_error());
        f->feed[fed++] = (atl_feed){x, f->value[i]};
    }
    return 0;
}

static const double NEXT_TO_0 = 1e-10;

/* The distance of the float program from the double reference.  what: "y", or "the gradient of y by x" */
static int compare_floats(onnx_file *f, atl_node *y, const char *what)
{
    atl_program *program = atl_compile(f->graph, ATL_NODES(y));
    atl_reference *exact = program && !atl_run(program, f->feed) ? atl_reference_run(ATL_NODES(y), f->feed) : NULL;
    double difference = 0, size = 0;
    const atl_tensor *value = exact ? atl_value(program, y) : NULL,
                     *reference = exact ? atl_reference_value(exact, y) : NULL;
    for (int64_t i = 0; reference && atl_floats(value) && i < atl_tensor_count(value); i++) {
        double d = (double)atl_floats(value)[i] - atl_doubles(reference)[i];
        difference += d * d;
        size += atl_doubles(reference)[i] * atl_doubles(reference)[i];
    }
    int code = exact ? 0 : report_error("check", EXIT_BAD_FILE, "%s", atl_error());
    if (exact && size <= NEXT_TO_0 * NEXT_TO_0)
        printf("%s in double is next to 0 (2-norm %.3g: its parts cancel); in float it is %.3g from that\n", what,
               sqrt(size), sqrt(difference));
    else if (exact)
        printf("%s in float is %.3g from double (relative, 2-norm)\n", what,
               size > 0 ? sqrt(difference / size) : sqrt(difference));
    atl_reference_free(exact);
    atl_program_free(program);
    return code;
}

/* Whether gradients pass roundings as if they were not there, so that they are not derivatives. */
static int passes_roundings(const atl_graph *graph)
{
    for (int64_t i = 0; i < atl_graph_node_count(graph); i++)
        if (atl_op_of(atl_graph_node(graph, i))->flags & ATL_OP_STRAIGHT_THROUGH)
            return 1;
    return 0;
}

/* y: the output of that name in the file. */
static int compare_gradient(const settings *set, onnx_file *f, const char *name, atl_node *y, int *bad)
{
    for (int64_t i = 0; i < atl_onnx_input_count(f->net); i++) {
        const char *by = atl_onnx_input_name(f->net, i);
        atl_node *x = atl_onnx_input(f->net, by), *gradient = NULL;
        atl_gradient_check check;
        if (atl_dtype_of(x) != ATL_FLOAT32)
            continue;
        if (atl_gradients(.of = ATL_NODES(y), .by = ATL_NODES(x), .result_out = &gradient, .unused = ATL_UNUSED_NULL))
            return report_error("check", EXIT_BAD_FILE, "%s", atl_graph_error(f->graph));
        if (!gradient) {
            printf("%s does not depend on %s\n", name, by);
            continue;
        }
        if (atl_check_gradient(y, ATL_NODES(x), f->feed, .most = set->elements, .result_out = &check))
            return report_error("check", EXIT_BAD_FILE, "%s", atl_error());
        int fine = check.worst <= 1e-5, is_through = !fine && passes_roundings(f->graph);
        *bad |= !fine && !is_through;
        printf(
            "the gradient of %s by %s %s central differences: off by %.3g at worst, of %lld element%s; %lld stood on "
            "a kink\n",
            name, by,
            fine         ? "agrees with"
            : is_through ? "passes straight through roundings, which have no derivative: it is not that of"
                         : "DIFFERS from",
            check.worst, (long long)check.checked, plural(check.checked), (long long)check.kinks);
        char what[600];
        snprintf(what, sizeof what, "the gradient of %s by %s", name, by);
        int code = compare_floats(f, gradient, what);
        if (code)
            return code;
    }
    return 0;
}

/* Exit code 0 or that of a goal not met, unless something fails. */
static int compare_all(const void *given, onnx_file *f)
{
    const settings *set = given;
    int bad = 0, code = feed_the_rest(set, f);
    for (int64_t i = 0; !code && i < atl_onnx_output_count(f->net); i++) {
        const char *name = atl_onnx_output_name(f->net, i);
        atl_node *y = atl_onnx_output(f->net, name);
        if (atl_dtype_of(y) != ATL_FLOAT32)
            continue;
        code = compare_floats(f, y, name);
        if (!code)
            code = compare_gradient(set, f, name, y, &bad);
    }
    return code ? code : bad ? EXIT_GOAL_NOT_MET : 0;
}

int atled_check(int argc, char **argv)
{
    settings set = {.elements = 8, .seed = 1};
    int operand, code;
    if (!read_settings(&set, argc, argv, &operand, &code))
        return code;
    code = with_onnx("check", argv[operand], &set.inputs, &set.picture, NULL, 1, compare_all, &set);
    free(set.inputs.value);
    return code;
}
