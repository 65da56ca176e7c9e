/* Minutes: 10 */
/* ONNX's own backend tests (Debian's package libonnx-testdata), at their own tolerance. Each passes, or is rejected
 * with a reason; none crashes, none is wrong.  results/onnx.txt has a line for each, from which tests/onnx/table.sh
 * makes docs/onnx.md.  ATLED_ONNX_DATA names another folder of such tests, as tests/onnx/node_tests.py makes it of a
 * newer version of ONNX; its results are in results/onnx_other.txt. */
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "onnx/nets.h"
#include "roots.h"

enum { MOST_INPUTS = 64, LEAST_PASSING = 780, LEAST_WRITTEN = 700 };

/* Elements of a gradient that are compared. Each takes two runs of the reference, which are the same code again: a
 * sanitizer has nothing new to see in them. */
enum { COMPARED = FEWER(16, 2) };

static const char usual_data[] = "/usr/share/libonnx-testdata/data";

static const char *data_folder(void)
{
    const char *other = getenv("ATLED_ONNX_DATA");
    return other ? other : usual_data;
}

typedef struct verdict {
    int passed, refused, wrong, faulty;
    int gradients, bad_gradients; /* inputs whose gradient was compared; those that differ */
    int written, bad_written; /* models that were written, gradient included, and read again; those that then differ */
} verdict;

#define CUT_BFLOAT16 "its data are cut off to bfloat16, where opset 19, onnxruntime and PyTorch round to the nearest"

/* Tests that disagree with their own model: not counted as wrong, but exactly these must disagree. */
static const struct {
    const char *test, *why;
} faulty[] = {{"test_adam_multiple", "its data were made with an epsilon of 0.01, which its model does not say"},
              {"test_cast_FLOAT_to_BFLOAT16", CUT_BFLOAT16},
              {"test_castlike_FLOAT_to_BFLOAT16", CUT_BFLOAT16},
              {"test_castlike_FLOAT_to_BFLOAT16_expanded", CUT_BFLOAT16}};

static const char *fault_of(const char *name)
{
    for (size_t i = 0; i < sizeof faulty / sizeof *faulty; i++)
        if (strcmp(faulty[i].test, name) == 0)
            return faulty[i].why;
    return NULL;
}

/* Ops whose gradient passes straight through a rounding, so it is not the derivative of the function; and one whose
 * test data are at a discontinuity. */
static int is_straight_through(const atl_onnx_report *report)
{
    static const char *const op[] = {"QuantizeLinear", "DynamicQuantizeLinear",
                                     "QLinearMatMul",  "Cast",
                                     "CastLike",       "Sign"};
    for (int64_t i = 0; i < atl_onnx_report_op_count(report); i++)
        for (size_t k = 0; k < sizeof op / sizeof *op; k++)
            if (strcmp(atl_onnx_report_op(report, i).op, op[k]) == 0)
                return 1;
    return 0;
}

static atl_tensor *read_data(const char *folder, const char *what, int64_t i)
{
    char path[600];
    snprintf(path, sizeof path, "%s/test_data_set_0/%s_%lld.pb", folder, what, (long long)i);
    return atl_read_onnx_tensor(path);
}

/* bfloat16 numbers are stored in the test data as 16 bits. */
static atl_tensor *as_declared(atl_tensor *tensor, atl_onnx_port port)
{
    if (!tensor || strcmp(port.type, "BFLOAT16") != 0 || atl_tensor_dtype(tensor) != ATL_INT32)
        return tensor;
    atl_tensor *floats = atl_tensor_new(ATL_FLOAT32, atl_tensor_shape(tensor));
    for (int64_t i = 0; i < atl_tensor_count(tensor); i++) {
        uint32_t bits = (uint32_t)atl_ints(tensor)[i] << 16;
        memcpy(&atl_floats(floats)[i], &bits, sizeof bits);
    }
    atl_tensor_free(tensor);
    return floats;
}

static int is_close(double a, double b)
{
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-7 + 1e-3 * fabs(b);
}

/* "" if the value is as expected, otherwise a text with the difference. */
static const char *difference(const atl_tensor *value, const atl_tensor *expected, char *text, size_t size)
{
    char shapes[2][160];
    text[0] = 0;
    if (!atl_shape_equal(atl_tensor_shape(value), atl_tensor_shape(expected)))
        snprintf(text, size, "the shape is %s, not %s", atl_shape_text(atl_tensor_shape(value), shapes[0], 160),
                 atl_shape_text(atl_tensor_shape(expected), shapes[1], 160));
    for (int64_t i = 0; !text[0] && i < atl_tensor_count(expected); i++)
        if (!is_close(element_of(value, i), element_of(expected, i)))
            snprintf(text, size, "element %lld is %.9g, not %.9g", (long long)i, element_of(value, i),
                     element_of(expected, i));
    return text;
}

typedef struct example {
    atl_tensor *input[MOST_INPUTS];
    atl_onnx_value known[MOST_INPUTS + 1];
    atl_feed feed[MOST_INPUTS + 1];
    int inputs;
    atl_onnx_report *report;
} example;

static const char *run(atl_onnx *net, atl_graph *graph, const char *folder, example *e, char *text, size_t size)
{
    atl_node *output[MOST_INPUTS];
    int64_t outputs = atl_onnx_output_count(net), feeds = 0;
    for (int64_t i = 0; i < atl_onnx_input_count(net); i++)
        if (i < e->inputs && e->input[i] &&
            atl_shape_equal(atl_tensor_shape(e->input[i]),
                            atl_shape_of(atl_onnx_input(net, atl_onnx_input_name(net, i)))))
            e->feed[feeds++] = (atl_feed){atl_onnx_input(net, atl_onnx_input_name(net, i)), e->input[i]};
    for (int64_t i = 0; i < outputs && i < MOST_INPUTS; i++)
        output[i] = atl_onnx_output(net, atl_onnx_output_name(net, i));
    text[0] = 0;
    atl_program *program = atl_compile(graph, (atl_nodes){outputs, output});
    if (!program || atl_run(program, e->feed))
        snprintf(text, size, "it does not run: %s", atl_error());
    for (int64_t i = 0; i < outputs && !text[0]; i++) {
        atl_tensor *expected = as_declared(read_data(folder, "output", i), atl_onnx_report_output(e->report, i));
        if (expected)
            difference(atl_value(program, output[i]), expected, text, size);
        else
            snprintf(text, size, "no expected output %lld: %s", (long long)i, atl_error());
        atl_tensor_free(expected);
    }
    atl_program_free(program);
    return text;
}

/* Each float output with respect to each float input on which it depends, against central differences in double. */
static void check_gradients(atl_onnx *net, const example *e, const char *name, FILE *report, verdict *v)
{
    int64_t checked = 0;
    for (int64_t o = 0; o < atl_onnx_output_count(net); o++) {
        atl_node *y = atl_onnx_output(net, atl_onnx_output_name(net, o));
        for (int64_t i = 0; atl_dtype_of(y) == ATL_FLOAT32 && i < atl_onnx_input_count(net); i++) {
            atl_node *x = atl_onnx_input(net, atl_onnx_input_name(net, i)), *gradient = NULL;
            if (atl_dtype_of(x) != ATL_FLOAT32 || x == y)
                continue;
            if (atl_gradients(.of = ATL_NODES(y), .by = ATL_NODES(x), .result_out = &gradient,
                              .unused = ATL_UNUSED_NULL) ||
                !gradient)
                continue;
            atl_gradient_check check;
            int fine = 0;
            /* A large step for small derivatives, a small one near kinks and in steep regions. */
            for (int k = 0; k < 2 && !fine; k++) {
                atl_status status = atl_check_gradient(y, ATL_NODES(x), e->feed, .most = COMPARED,
                                                       .step = k ? 1e-5 : 1e-3, .result_out = &check);
                fine = !status                               ? check.worst <= 1e-5 || check.checked == 0
                       : strstr(atl_error(), "not a number") ? -1
                                                             : 0;
            }
            if (fine < 0) /* the point is at the edge of a domain, or no number */
                continue;
            v->gradients += fine;
            v->bad_gradients += !fine;
            checked += fine;
            if (!fine)
                fprintf(report, "gradient %s of output %lld by input %lld: %s (off by %.3g: %.9g, not %.9g)\n", name,
                        (long long)o, (long long)i, atl_error(), check.worst, check.analytic, check.numeric);
        }
    }
    fprintf(report, "%lld", (long long)checked);
}

/* The values of the nodes in a program; 0 if it does not run. */
static int values_of(atl_graph *graph, atl_nodes nodes, const atl_feed *feeds, atl_program **program_out)
{
    *program_out = atl_compile(graph, nodes, .disabled_passes = ATL_PASS_WINOGRAD);
    return *program_out && !atl_run(*program_out, feeds);
}

/* The outputs, and a gradient if there is one, are written as a model and read again; the model must compute the
 * same. */
static void check_written(atl_onnx *net, atl_graph *graph, const example *e, const char *name, FILE *report, verdict *v)
{
    atl_node *node[MOST_INPUTS + 1], *again[MOST_INPUTS + 1];
    int64_t count = atl_onnx_output_count(net), outputs = count;
    char text[300] = "";
    for (int64_t i = 0; i < count; i++)
        node[i] = atl_onnx_output(net, atl_onnx_output_name(net, i));
    atl_node *x = count && atl_onnx_input_count(net) ? atl_onnx_input(net, atl_onnx_input_name(net, 0)) : NULL,
             *gradient = NULL;
    if (x && x != node[0] && atl_dtype_of(x) == ATL_FLOAT32 && atl_dtype_of(node[0]) == ATL_FLOAT32 &&
        !atl_gradients(ATL_NODES(node[0]), ATL_NODES(x), &gradient, .unused = ATL_UNUSED_NULL) && gradient)
        node[count++] = gradient;
    const char *path = scratch_file("written.onnx");
    if (atl_onnx_write(path, (atl_nodes){count, node})) {
        fprintf(report, "unwritten %s %s\n", name, atl_error());
        return;
    }
    atl_graph *second = atl_graph_new();
    atl_onnx *copy = atl_onnx_load(second, path);
    atl_feed feed[MOST_INPUTS + 1] = {{0}};
    for (int64_t i = 0, k = 0; copy && e->feed[i].node; i++)
        if (atl_onnx_input(copy, atl_name_of(e->feed[i].node)))
            feed[k++] = (atl_feed){atl_onnx_input(copy, atl_name_of(e->feed[i].node)), e->feed[i].value};
    for (int64_t i = 0; copy && i < count; i++)
        again[i] = atl_onnx_output(copy, atl_onnx_output_name(copy, i));
    atl_program *first_run = NULL, *second_run = NULL;
    if (!copy || !values_of(graph, (atl_nodes){count, node}, e->feed, &first_run) ||
        !values_of(second, (atl_nodes){count, again}, feed, &second_run))
        snprintf(text, sizeof text, "%.250s", atl_error());
    for (int64_t i = 0; i < count && !*text; i++)
        difference(atl_value(second_run, again[i]), atl_value(first_run, node[i]), text, sizeof text);
    v->written++;
    v->bad_written += *text != 0;
    if (*text)
        fprintf(report, "rewritten %s (%lld outputs of %lld) %s\n", name, (long long)outputs, (long long)count, text);
    atl_program_free(first_run);
    atl_program_free(second_run);
    atl_onnx_free(copy);
    atl_graph_free(second);
}

/* The model, read twice: first for the names of its inputs, then with their values, which some shapes depend on. */
static atl_onnx *load(atl_graph *graph, const char *folder, example *e)
{
    char model[500];
    atl_graph *first = atl_graph_new();
    snprintf(model, sizeof model, "%s/model.onnx", folder);
    atl_onnx_free(atl_onnx_load(first, model, .report_out = &e->report));
    atl_graph_free(first);
    e->inputs = (int)atl_onnx_report_input_count(e->report);
    for (int i = 0, known = 0; i < e->inputs && i < MOST_INPUTS; i++)
        if ((e->input[i] = as_declared(read_data(folder, "input", i), atl_onnx_report_input(e->report, i))))
            e->known[known++] = (atl_onnx_value){atl_onnx_report_input(e->report, i).name, e->input[i]};
    return atl_onnx_load(graph, model, .known = e->known);
}

static void run_test(const char *set, const char *name, FILE *report, verdict *v)
{
    char folder[400], text[2500];
    example e = {0};
    snprintf(folder, sizeof folder, "%.150s/%s/%s", data_folder(), set, name);
    atl_graph *graph = atl_graph_new();
    atl_onnx *net = load(graph, folder, &e);
    /* verdict, set/test, its op, gradients that were compared, why */
    const char *op = atl_onnx_report_op_count(e.report) == 1 ? atl_onnx_report_op(e.report, 0).op : "-";
    if (!net) {
        snprintf(text, sizeof text, "%s", atl_error());
        fprintf(report, "refused %s/%s %s 0 %s\n", set, name, op, text);
        v->refused++;
    } else if (*run(net, graph, folder, &e, text, sizeof text)) {
        const char *fault = fault_of(name);
        fprintf(report, "%s %s/%s %s 0 %s\n", fault ? "faulty" : "wrong", set, name, op, fault ? fault : text);
        *(fault ? &v->faulty : &v->wrong) += 1;
    } else {
        fprintf(report, "passed %s/%s %s ", set, name, op);
        if (is_straight_through(e.report))
            fprintf(report, "0");
        else
            check_gradients(net, &e, name, report, v);
        fprintf(report, "\n");
        check_written(net, graph, &e, name, report, v);
        v->passed++;
    }
    fflush(report);
    atl_onnx_free(net);
    atl_graph_free(graph);
    atl_onnx_report_free(e.report);
    for (int i = 0; i < e.inputs && i < MOST_INPUTS; i++)
        atl_tensor_free(e.input[i]);
}

static void run_set(const char *set, FILE *report, verdict *v)
{
    char folder[200];
    struct dirent **entry;
    snprintf(folder, sizeof folder, "%.150s/%s", data_folder(), set);
    int count = scandir(folder, &entry, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        if (entry[i]->d_name[0] != '.')
            run_test(set, entry[i]->d_name, report, v);
        free(entry[i]);
    }
    if (count >= 0)
        free(entry);
}

Test(backend, all_pass_or_are_refused)
{
    static const char *const set[] = {"node", "pytorch-converted", "pytorch-operator", "simple"};
    verdict v = {0};
    struct stat about;
    int usual = data_folder() == usual_data;
    if (stat(data_folder(), &about) != 0)
        cr_skip_test("%s is missing: install libonnx-testdata", data_folder());
    FILE *report =
        fopen(usual ? ATLED_BUILD_ROOT "/results/onnx.txt" : ATLED_BUILD_ROOT "/results/onnx_other.txt", "w");
    cr_assert(report);
    for (int i = 0; i < 4; i++)
        run_set(set[i], report, &v);
    fclose(report);
    fprintf(stderr,
            "%d pass, %d are refused, %d are wrong, of %d the data are at fault; %d gradients agree, %d do not\n",
            v.passed, v.refused, v.wrong, v.faulty, v.gradients, v.bad_gradients);
    cr_expect(!usual || v.faulty == (int)(sizeof faulty / sizeof *faulty));
    fprintf(stderr, "%d are written and read again, of which %d differ\n", v.written, v.bad_written);
    cr_expect(v.bad_written == 0, "%d are written wrongly: see results/onnx.txt", v.bad_written);
    cr_expect(!usual || v.written >= LEAST_WRITTEN);
    cr_expect(v.bad_gradients == 0, "%d gradients are wrong: see results/onnx.txt", v.bad_gradients);
    cr_expect(v.wrong == 0, "%d are wrong: see results/onnx.txt", v.wrong);
    cr_expect(!usual || v.passed >= LEAST_PASSING, "%d pass", v.passed);
}
