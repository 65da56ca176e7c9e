/* Minutes: 5 */
/* Whole networks from ONNX files, against goldens. */
#include "onnx/nets.h"

#include "kinks.h"

/* The gradient of y by the net's input is the golden one, to `bound`.  Or it is that of the double reference, at least
 * with the same masks, and that is the golden one to `jump`. */
static void expect_gradient(const onnx_net *n, const atl_program *program, atl_node *slope, atl_node *y,
                            const atl_tensor *input, const atl_tensor *golden, double bound, double jump)
{
    double distance = relative_l2(atl_value(program, slope), golden);
    fprintf(stderr, "gradient: %.2g\n", distance);
    if (distance <= bound || SANITIZED) /* the plain build compares it with the reference, which takes minutes here */
        return;
    const atl_feed *feeds = ATL_FEED(n->input, input);
    atl_reference *exact = atl_reference_run(ATL_NODES(slope), feeds);
    cr_assert(exact, "%s", atl_error());
    const atl_tensor *expected = atl_reference_value(exact, slope);
    double off = relative_l2(expected, golden),
           beside = distance_beside_kinks(y, n->input, feeds, ATL_PASS_WINOGRAD, bound, expected);
    fprintf(stderr, "with the masks of double: %.2g; the reference: %.2g\n", beside, off);
    cr_expect_leq(beside, bound, "the gradient of '%s' is %.3g from the reference", atl_name_of(y), beside);
    cr_expect_leq(off, jump, "the reference's gradient of '%s' is %.3g from the golden one", atl_name_of(y), off);
    atl_reference_free(exact);
}

/* The classifier's logits and two gradients, which were computed in double.  bound: relative L2; jump: of the
 * gradients.  Without Winograd's method. */
static void check_classifier(const char *name, double bound, double jump)
{
    char model[96], golden[96];
    snprintf(model, sizeof model, "onnx/%s.onnx", name);
    snprintf(golden, sizeof golden, "onnx/%s.npz", name);
    onnx_net n = open_net(data_file(model));
    const char *values = data_file(golden);
    atl_tensor *input = npz_array(values, "input"), *logits = npz_array(values, "logits"),
               *grad_top = npz_array(values, "grad_top"), *grad_loss = npz_array(values, "grad_cross_entropy0");
    atl_node *top = atl_sum(atl_reduce_max(n.output, ATL_AXES(1))), *of_top = atl_gradient(top, n.input);
    atl_node *loss = atl_mean(atl_softmax_cross_entropy(n.output, .label = ATL_ZERO)),
             *of_loss = atl_gradient(loss, n.input);
    atl_program *program =
        atl_compile(n.graph, ATL_NODES(n.output, of_top, of_loss), .disabled_passes = ATL_PASS_WINOGRAD);
    cr_assert(program, "%s", atl_error());
    cr_assert(atl_run(program, ATL_FEED(n.input, input)) == ATL_OK, "%s", atl_error());
    cr_assert_close(atl_value(program, n.output), logits, bound);
    expect_gradient(&n, program, of_top, top, input, grad_top, bound, jump);
    expect_gradient(&n, program, of_loss, loss, input, grad_loss, bound, jump);
    atl_program_free(program);
    atl_tensor_free(input);
    atl_tensor_free(logits);
    atl_tensor_free(grad_top);
    atl_tensor_free(grad_loss);
    close_net(&n);
}

Test(load, mnist_robust) { check_classifier("mnist_robust", 1e-5, 1e-5); }
Test(load, cifar10_resnet2b) { check_classifier("cifar10_resnet2b", 1e-5, 1e-5); }
/* The golden values are those of the network before its batch norms were folded into the filters of the file: the
 * double reference's logits differ by 7e-7.  That puts an activation of the second picture on the other side of a kink
 * of relu6, and its gradient 1.4e-3 from the golden one. */
Test(load, efficientnet_lite0) { check_classifier("efficientnet_lite0", 1e-5, 2e-3); }

/* All outputs in the golden file, which another runtime computed in float32. */
static void check_outputs(const char *name, const char *const *outputs, double bound)
{
    char model[96], golden[96];
    snprintf(model, sizeof model, "onnx/%s.onnx", name);
    snprintf(golden, sizeof golden, "onnx/%s.npz", name);
    onnx_net n = open_net(data_file(model));
    const char *values = data_file(golden);
    atl_tensor *input = npz_array(values, "input");
    for (int i = 0; outputs[i]; i++) {
        atl_node *output = atl_onnx_output(n.net, outputs[i]);
        cr_assert(output, "there is no output '%s'", outputs[i]);
        atl_tensor *expected = npz_array(values, outputs[i]);
        atl_program *program = atl_compile(n.graph, ATL_NODES(output));
        cr_assert(program && atl_run(program, ATL_FEED(n.input, input)) == ATL_OK, "%s", atl_error());
        cr_assert_close(atl_value(program, output), expected, bound);
        atl_program_free(program);
        atl_tensor_free(expected);
    }
    atl_tensor_free(input);
    close_net(&n);
}

Test(load, yolox_nano) { check_outputs("yolox_nano", (const char *const[]){"output", NULL}, 1e-4); }
Test(load, face_slim320) { check_outputs("face_slim320", (const char *const[]){"scores", "boxes", NULL}, 1e-4); }

/* ---- nets without their weights: structure and ops --------------------------------------------------------------- */

static void check_light(const char *name)
{
    char model[96], golden[96];
    snprintf(model, sizeof model, "onnx/light/light_%s.onnx", name);
    snprintf(golden, sizeof golden, "onnx/light/light_%s_output_0.pb", name);
    onnx_net n = open_net(data_file(model));
    atl_tensor *expected = atl_read_onnx_tensor(data_file(golden)),
               *input = atl_tensor_new(ATL_FLOAT32, atl_shape_of(n.input));
    cr_assert(expected && input, "%s", atl_error());
    int64_t count = atl_tensor_count(input);
    for (int64_t i = 0; i < count; i++)
        atl_floats(input)[i] = (float)((double)i / (double)count);
    atl_program *program = atl_compile(n.graph, ATL_NODES(n.output));
    cr_assert(program && atl_run(program, ATL_FEED(n.input, input)) == ATL_OK, "%s", atl_error());
    const atl_tensor *value = atl_value(program, n.output);
    cr_assert(atl_shape_equal(atl_tensor_shape(value), atl_tensor_shape(expected)));
    for (int64_t i = 0; i < atl_tensor_count(expected); i++)
        cr_assert(fabs(element_of(value, i) - element_of(expected, i)) <= 1e-7 + 1e-3 * fabs(element_of(expected, i)),
                  "element %lld is %g, not %g", (long long)i, element_of(value, i), element_of(expected, i));
    atl_program_free(program);
    atl_tensor_free(expected);
    atl_tensor_free(input);
    close_net(&n);
}

Test(light, bvlc_alexnet) { check_light("bvlc_alexnet"); }
Test(light, densenet121) { check_light("densenet121"); }
Test(light, inception_v1) { check_light("inception_v1"); }
Test(light, inception_v2) { check_light("inception_v2"); }
Test(light, resnet50) { check_light("resnet50"); }
Test(light, shufflenet) { check_light("shufflenet"); }
Test(light, squeezenet) { check_light("squeezenet"); }
Test(light, vgg19) { check_light("vgg19"); }
Test(light, zfnet512) { check_light("zfnet512"); }
