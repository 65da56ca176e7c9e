/* Minutes: 10 */
/* Each sample of each op, with its gradients, is written as a model and read again, and computes the same in double.
 * What cannot be written is listed here, so that an op that loses its writer is noticed. */
#include "battery/battery.h"
#include "python.h"

#include <stdlib.h>
#include <sys/stat.h>

/* What they say that have no counterpart in ONNX: random numbers of our own, assignments, a format for which ONNX does
 * not define the rounding before opset 19, means over processes, arithmetic that stops at the limits of int32, high
 * derivatives of products. */
static const char *const unwritten[] = {"is a uniform_noise, which is not written",
                                        "is a normal_noise, which is not written",
                                        "is a assign, which is not written",
                                        "is a increment, which is not written",
                                        "is a round_to_bfloat16, which is not written",
                                        "is a all_reduce_mean, which is not written",
                                        "is a all_reduce_send, which is not written",
                                        "is a all_reduce_receive, which is not written",
                                        "this arithmetic of whole numbers has no op in ONNX",
                                        "is the derivative of order 3 of a product",
                                        NULL};

static int may_be_unwritten(const char *why)
{
    for (int i = 0; unwritten[i]; i++)
        if (strstr(why, unwritten[i]))
            return 1;
    return 0;
}

/* The feeds of the first graph, for the inputs and variables of the second that have their names. */
static void feed_second(const trial *t, const atl_onnx *copy, atl_feed *feed)
{
    for (int i = 0; i < t->feed_count; i++) {
        atl_node *node = atl_onnx_input(copy, atl_name_of(t->feeds[i].node));
        if (node)
            *feed++ = (atl_feed){node, t->feeds[i].value};
    }
}

static double largest(const atl_tensor *x)
{
    double most = 0;
    for (int64_t i = 0; i < atl_tensor_count(x); i++)
        most = fmax(most, isfinite(element_of(x, i)) ? fabs(element_of(x, i)) : 0);
    return most;
}

static void expect_same(const atl_tensor *a, const atl_tensor *b, const char *op, int output)
{
    double scale = largest(b);
    cr_assert(atl_shape_equal(atl_tensor_shape(a), atl_tensor_shape(b)), "%s: output %d has another shape", op, output);
    for (int64_t i = 0; i < atl_tensor_count(a); i++) {
        double x = element_of(a, i), y = element_of(b, i);
        cr_assert(x == y || (isnan(x) && isnan(y)) || fabs(x - y) <= 1e-5 * scale,
                  "%s: element %lld of output %d is %.9g, not %.9g", op, (long long)i, output, x, y);
    }
}

/* 0: it cannot be written, and that is known. */
static int check_outputs(trial *t, const char *op, int count, atl_node *const *node)
{
    const char *path = scratch_file("round_trip.onnx");
    if (atl_onnx_write(path, (atl_nodes){count, (atl_node **)node})) {
        cr_expect(may_be_unwritten(atl_error()), "%s: %s", op, atl_error());
        return 0;
    }
    atl_graph *second = atl_graph_new();
    atl_onnx *copy = atl_onnx_load(second, path);
    cr_assert(copy, "%s: %s", op, atl_error());
    cr_assert_eq(atl_onnx_output_count(copy), count);
    atl_feed feeds[MOST_FEEDS + 1] = {{0}};
    atl_node *again[ATL_MAX_RULES + 1];
    feed_second(t, copy, feeds);
    for (int i = 0; i < count; i++)
        again[i] = atl_onnx_output(copy, atl_onnx_output_name(copy, i));
    atl_reference *first = atl_reference_run((atl_nodes){count, (atl_node **)node}, t->feeds);
    cr_assert(first, "%s: %s", op, atl_error());
    atl_reference *later = atl_reference_run((atl_nodes){count, again}, feeds);
    cr_assert(later, "%s: %s", op, atl_error());
    for (int i = 0; i < count; i++)
        expect_same(atl_reference_value(later, again[i]), atl_reference_value(first, node[i]), op, i);
    atl_reference_free(first);
    atl_reference_free(later);
    atl_onnx_free(copy);
    atl_graph_free(second);
    return 1;
}

FOR_EVERY_OP(round_trip, of_values_and_gradients)
{
    int written = 0, samples = 0;
    for (const atl_sample *sample = op->samples; sample && is_sample(sample); sample++) {
        trial *t = trial_new(sample, (trial_batch){0});
        functional f;
        if (t->y) {
            samples++;
            fprintf(stderr, "sample %s\n", sample->about), written += check_outputs(t, op->name, 1, &t->y);
            if (atl_dtype_of(t->y) == ATL_FLOAT32 && trial_differentiate(t, &f) && t->count > 0)
                written += check_outputs(t, op->name, t->count, t->last);
        }
        trial_free(t);
    }
    fprintf(stderr, "%s: %d samples, %d models are written\n", op->name, samples, written);
}

/* ---- onnxruntime ------------------------------------------------------------------------------------------------- */

/* Samples whose values onnxruntime does not define or takes otherwise. */
static const struct {
    const char *op, *sample;
} undefined[] = {{"cast", "beyond int32"},
                 {"int_binary", "beyond int32"},
                 {"int_binary", "mod, broadcast"}, /* by 0 */
                 {"lrn", "alpha and beta 0"}};
enum { UNDEFINED = sizeof undefined / sizeof *undefined };

static int is_undefined(const atl_op *op, const atl_sample *sample)
{
    for (int i = 0; i < UNDEFINED; i++)
        if (strcmp(undefined[i].op, op->name) == 0 && strcmp(undefined[i].sample, sample->about) == 0)
            return 1;
    return 0;
}

/* Every N.onnx of a folder, on the inputs of N.npz, against the values there. */
static const char compare_all[] =
    "import sys, os, numpy, onnxruntime\n"
    "options = onnxruntime.SessionOptions()\n"
    "options.log_severity_level = 4\n"
    "options.intra_op_num_threads = 1\n"
    "folder, bad = sys.argv[1], 0\n"
    "for name in sorted({n[:-5] for n in os.listdir(folder) if n.endswith('.onnx')}):\n"
    "    values = dict(numpy.load(folder + '/' + name + '.npz'))\n"
    "    try:\n"
    "        session = onnxruntime.InferenceSession(folder + '/' + name + '.onnx', options,\n"
    "                                               providers=['CPUExecutionProvider'])\n"
    "        outputs = session.run(None, {i.name: values[i.name] for i in session.get_inputs()})\n"
    "    except Exception as e:\n"
    "        print(name, str(e)[:300].replace('\\n', ' '))\n"
    "        bad += 1\n"
    "        continue\n"
    "    for i, y in enumerate(outputs):\n"
    "        want = values['output_%d' % i]\n"
    "        scale = numpy.abs(want[numpy.isfinite(want)]).max(initial=1e-30)\n"
    "        if y.shape != want.shape or not numpy.allclose(y, want, 1e-4, 1e-4 * scale, True):\n"
    "            print(name, 'output', i, y.shape, want.shape, y.ravel()[:4], want.ravel()[:4])\n"
    "            bad += 1\n"
    "sys.exit(bad > 0)\n";

/* N.onnx, and N.npz with the inputs and the values in double; 0 if it cannot be written. */
static int write_case(trial *t, const char *folder, const char *name, int count, atl_node *const *node)
{
    char path[600];
    atl_npz_entry entry[MOST_FEEDS + ATL_MAX_RULES];
    snprintf(path, sizeof path, "%s/%s.onnx", folder, name);
    if (atl_onnx_write(path, (atl_nodes){count, (atl_node **)node}))
        return 0;
    atl_reference *values = atl_reference_run((atl_nodes){count, (atl_node **)node}, t->feeds);
    cr_assert(values, "%s: %s", name, atl_error());
    int entries = 0;
    for (; entries < t->feed_count; entries++)
        entry[entries] = (atl_npz_entry){atl_name_of(t->feeds[entries].node), t->feeds[entries].value};
    static const char *const output[] = {"output_0", "output_1", "output_2", "output_3",
                                         "output_4", "output_5", "output_6", "output_7"};
    for (int i = 0; i < count; i++)
        entry[entries++] = (atl_npz_entry){output[i], atl_reference_value(values, node[i])};
    snprintf(path, sizeof path, "%s/%s.npz", folder, name);
    cr_assert_eq(atl_write_npz(path, entries, entry), ATL_OK, "%s", atl_error());
    atl_reference_free(values);
    return 1;
}

Test(round_trip, onnxruntime_agrees)
{
    need_onnxruntime();
    const char *folder = scratch_file("models");
    int written = 0, left_out = 0;
    mkdir(folder, 0777);
    for (int k = 0; k < op_count(); k++) {
        const atl_op *op = op_at(k);
        for (int i = 0; op->samples && is_sample(&op->samples[i]); i++) {
            trial *t = trial_new(&op->samples[i], (trial_batch){0});
            functional f;
            char name[100];
            snprintf(name, sizeof name, "%s_%d", op->name, i);
            if (is_undefined(op, &op->samples[i]))
                left_out++;
            else
                written += t->y && write_case(t, folder, name, 1, &t->y);
            snprintf(name, sizeof name, "%s_%d_gradient", op->name, i);
            if (t->y && atl_dtype_of(t->y) == ATL_FLOAT32 && trial_differentiate(t, &f) && t->count > 0)
                written += write_case(t, folder, name, t->count, t->last);
            trial_free(t);
        }
    }
    cr_assert_eq(left_out, UNDEFINED, "a sample has another name than in the list of those that are undefined");
    const char *said = scratch_file("said.txt");
    int code = run_python(compare_all, folder, "", said);
    fprintf(stderr, "%d models are written\n", written);
    FILE *file = fopen(said, "rb");
    char line[600];
    while (file && fgets(line, sizeof line, file))
        fputs(line, stderr);
    if (file)
        fclose(file);
    cr_assert_eq(code, 0, "onnxruntime does not agree on all of them");
}
