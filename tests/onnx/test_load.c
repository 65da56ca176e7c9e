/* Minutes: 5 */
/* Whole networks from ONNX files, against goldens. */
#include "onnx/nets.h"

/* The classifier's logits and two gradients, which were computed in double.  bound: relative L2. */
static void check_classifier(const char *name, unsigned disabled, double bound, double gradient_bound)
{
    char model[96], golden[96];
    snprintf(model, sizeof model, "onnx/%s.onnx", name);
    snprintf(golden, sizeof golden, "onnx/%s.npz", name);
    onnx_net n = open_net(data_file(model));
    const char *values = data_file(golden);
    atl_tensor *input = golden_array(values, "input"), *logits = golden_array(values, "logits"),
               *grad_top = golden_array(values, "grad_top"), *grad_loss = golden_array(values, "grad_cross_entropy0");
    atl_node *top = atl_reduce_max(n.output, ATL_AXES(1)), *of_top = atl_gradient(atl_sum(top), n.input);
    atl_node *loss = atl_mean(atl_softmax_cross_entropy(n.output, .label = ATL_ZERO)),
             *of_loss = atl_gradient(loss, n.input);
    atl_program *program = atl_compile(n.graph, ATL_NODES(n.output, of_top, of_loss), .disabled_passes = disabled);
    cr_assert(program, "%s", atl_error());
    cr_assert(atl_run(program, ATL_FEED(n.input, input)) == ATL_OK, "%s", atl_error());
    cr_assert_close(atl_value(program, n.output), logits, bound);
    cr_assert_close(atl_value(program, of_top), grad_top, gradient_bound);
    cr_assert_close(atl_value(program, of_loss), grad_loss, gradient_bound);
    atl_program_free(program);
    atl_tensor_free(input);
    atl_tensor_free(logits);
    atl_tensor_free(grad_top);
    atl_tensor_free(grad_loss);
    close_net(&n);
}

Test(load, mnist_robust) { check_classifier("mnist_robust", ATL_PASS_WINOGRAD, 1e-5, 1e-5); }
Test(load, cifar10_resnet2b) { check_classifier("cifar10_resnet2b", ATL_PASS_WINOGRAD, 1e-5, 1e-5); }
/* Its relu6 ops have kinks: if float and double are on different sides of one, a gradient differs. */
Test(load, efficientnet_lite0) { check_classifier("efficientnet_lite0", ATL_PASS_WINOGRAD, 1e-5, 5e-3); }

/* All outputs in the golden file, which another runtime computed in float32. */
static void check_outputs(const char *name, const char *const *outputs, double bound)
{
    char model[96], golden[96];
    snprintf(model, sizeof model, "onnx/%s.onnx", name);
    snprintf(golden, sizeof golden, "onnx/%s.npz", name);
    onnx_net n = open_net(data_file(model));
    const char *values = data_file(golden);
    atl_tensor *input = golden_array(values, "input");
    for (int i = 0; outputs[i]; i++) {
        atl_node *output = atl_onnx_output(n.net, outputs[i]);
        cr_assert(output, "there is no output '%s'", outputs[i]);
        atl_tensor *expected = golden_array(values, outputs[i]);
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
