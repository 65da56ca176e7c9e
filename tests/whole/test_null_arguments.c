/* Null for each pointer of each public function, alone and together with the others: no call ends the process, and a
 * call that fails sets a message.  null_calls.awk makes the calls from the headers, so a new function needs no entry
 * here. */
#include "support.h"
#include "attack/attempt.h"
#include "roots.h"

#include <setjmp.h>
#include <signal.h>
#include <unistd.h>

/* After a crash, continues with the next call. */
static sigjmp_buf next_call;
static int calls;

static void back_to_next_call(int signal)
{
    (void)signal;
    siglongjmp(next_call, 1);
}

static void catch_crashes(void)
{
    struct sigaction action = {.sa_handler = back_to_next_call, .sa_flags = SA_NODEFER};
    for (int i = 0; i < 4; i++)
        sigaction((int[]){SIGSEGV, SIGBUS, SIGABRT, SIGFPE}[i], &action, NULL);
}

/* ---- arguments that are not null, made anew for each call -------------------------------------------------------- */

static void *volatile nothing; /* null, but the compiler does not know it */
static char path[200];
static _Alignas(64) char memory[8192];
static int64_t counts[16];
static FILE *sink;

static atl_graph *g;
static atl_node *image, *nodes[16];
static atl_program *program;
static atl_tensor *pixels;
static atl_fool_result fooled;
/* Not literals in the macros below: options outlive the function that makes them, and what they point at must, too. */
static atl_feed feeds[2];
static atl_machine_peak peak = {1e9, 1e9};
static atl_explain_args explain_args;
static atl_npz_args npz_args;
static atl_npz_entry npz_entry;
static atl_onnx_binding onnx_bindings[2];
static atl_onnx_size onnx_sizes[] = {{"batch", 1}, {NULL, 0}};
static atl_onnx_value onnx_values[2];
static atl_override overrides[] = {{"relu", NULL, atl_guided_relu}, {NULL, NULL, NULL}};
static atl_explanation explained;
static atl_explain_curves curves;
static atl_explain_sanity_result sanity;
/* These live as long as the test. */
static atl_graph *fooled_graph;
static atl_fooler *fooler;
static atl_explainer *explainer;
static atl_dataset *dataset;
static atl_batches *batches;
static atl_npz *npz;
static atl_safetensors *safetensors;
static atl_context *context;
static atl_reference *reference;
static atl_graph *onnx_graph;
static atl_onnx *onnx;
static atl_onnx_report *onnx_report;
static atl_attacker *attacker;
static atl_all_reduce *averaging;
static atl_attempt attempt;
static atl_attack_args attempt_args;

static const atl_weight_name weight_names[] = {{"a", "b"}, {NULL, NULL}};

#define GOOD_FILE_p                      sink
#define GOOD_atl_activation_p            atl_relu
#define GOOD_atl_all_reduce_p            averaging
#define GOOD_atl_batch_part_p            (&(const atl_batch_part){.context = context})
#define GOOD_atl_batches_p               batches
#define GOOD_atl_dataset_p               dataset
#define GOOD_atl_descent_effect_p        (atl_descent_effect *)memory
#define GOOD_atl_dtype                   ATL_FLOAT32
#define GOOD_atl_explain_method          ATL_EXPLAIN_GRADIENT
#define GOOD_atl_explain_watch_p         stop_explaining
#define GOOD_atl_explainer_p             explainer
#define GOOD_atl_explanation_p           &explained
#define GOOD_atl_feed_p                  feeds
#define GOOD_atl_fool_result_p           &fooled
#define GOOD_atl_fool_watch_p            stop_at_once
#define GOOD_atl_fool_many_done_p        stop_when_done
#define GOOD_atl_fool_many_watch_p       stop_many
#define GOOD_atl_fooler_p                fooler
#define GOOD_atl_gradient_check_p        (atl_gradient_check *)memory
#define GOOD_atl_graph_p                 g
#define GOOD_atl_initializer             atl_zeros()
#define GOOD_atl_layout                  ATL_NHWC
#define GOOD_atl_machine_peak_p          (&peak)
#define GOOD_atl_model_p                 atl_model_find("mlp")
#define GOOD_atl_model_size_p            (atl_model_size *)memory
#define GOOD_atl_node_p                  image
#define GOOD_atl_node_p_p                (void *)nodes
#define GOOD_atl_nodes                   ((atl_nodes){2, nodes})
#define GOOD_atl_int_op                  ATL_INT_ADD
#define GOOD_atl_onnx_p                  onnx
#define GOOD_atl_onnx_binding_p          onnx_bindings
#define GOOD_atl_onnx_report_p           onnx_report
#define GOOD_atl_onnx_report_p_p         NULL /* what is returned there would have to be freed */
#define GOOD_atl_onnx_size_p             onnx_sizes
#define GOOD_atl_onnx_value_p            onnx_values
#define GOOD_atl_explain_args_p          (&explain_args)
#define GOOD_atl_npz_args_p              (&npz_args)
#define GOOD_atl_npz_entry_p             (&npz_entry)
#define GOOD_atl_npz_p                   npz
#define GOOD_atl_safetensors_p           safetensors
#define GOOD_atl_weight_name_p           weight_names
#define GOOD_atl_npz_report_p            (atl_npz_report *)memory
#define GOOD_atl_op_p                    atl_op_of(nodes[1])
#define GOOD_atl_optimizer_rule_p        atl_adam().rule
#define GOOD_atl_override_p              overrides
#define GOOD_atl_part                    ATL_TEST
#define GOOD_atl_profile_format          ATL_PROFILE_JSON
#define GOOD_atl_program_p               program
#define GOOD_atl_ranks_p                 NULL /* alone */
#define GOOD_atl_reference_p             reference
#define GOOD_atl_shape                   ATL_SHAPE(1, 4, 4, 3)
#define GOOD_atl_shape_p                 (atl_shape *)memory
#define GOOD_atl_context_p               context
#define GOOD_atl_status                  ATL_INVALID
#define GOOD_atl_step_info_p             (atl_step_info *)memory
#define GOOD_atl_value_info_p            (atl_value_info *)memory
#define GOOD_atl_tensor_p                pixels
#define GOOD_atl_tensor_p_p              NULL /* what is returned there would have to be freed */
#define GOOD_bool                        true
#define GOOD_char_p                      path
#define GOOD_double_p                    (double *)memory
#define GOOD_float                       0.5f
#define GOOD_float_p                     (float *)memory
#define GOOD_int                         1
#define GOOD_int32_t                     1
#define GOOD_int32_t_p                   (int32_t *)memory
#define GOOD_int64_t                     1
#define GOOD_int64_t_p                   counts
#define GOOD_int_p                       (int *)memory
#define GOOD_size_t                      16
#define GOOD_uint64_t                    1
#define GOOD_void_p                      memory
#define GOOD_void_p_p                    (void **)memory
#define GOOD_size_t_p                    (size_t *)memory
#define GOOD_atl_explain_curves_p        &curves
#define GOOD_atl_explain_sanity_result_p &sanity
#define GOOD_atl_attack_method_p         atl_attack_method_at(0)
#define GOOD_atl_attack_poll_p           NULL
#define GOOD_atl_attack_project_p        keep_pixels
#define GOOD_atl_attack_result_p         (atl_attack_result *)memory
#define GOOD_atl_attack_watch_p          watch_attack
#define GOOD_atl_attack_loss             ATL_ATTACK_MARGIN
#define GOOD_atl_attacker_p              attacker
#define GOOD_atl_attempt_p               &attempt
#define GOOD_atl_norm                    ATL_NORM_L2

static bool stop_at_once(void *given, const atl_fool_progress *progress) { return given && progress; }
static bool stop_many(void *given, int position, const atl_fool_progress *progress)
{
    return given && progress && position >= 0;
}
static bool stop_when_done(void *given, int position, atl_fool_result *result)
{
    return given && result && position >= 0;
}

static int stop_explaining(void *given, int64_t done, int64_t all) { return given && done < all; }
static int watch_attack(void *given, const atl_attack_result *result) { return given && !result; }
static void keep_pixels(void *given, const float *original, float *changed, int64_t count)
{
    (void)given, (void)original, (void)changed, (void)count;
}

static void set_arguments(void)
{
    snprintf(path, sizeof path, "%s/null_%d.tmp", ATLED_BUILD_ROOT, (int)getpid());
    memset(memory, 0, sizeof memory);
    for (int i = 0; i < 16; i++)
        counts[i] = 1;
    fooled = (atl_fool_result){0};
    explained = (atl_explanation){0};
    curves = (atl_explain_curves){0};
    sanity = (atl_explain_sanity_result){0};
    g = atl_graph_new();
    image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, 4, 4, 3));
    for (int i = 0; i < 16; i++)
        nodes[i] = i % 2 ? atl_relu(image) : image;
    pixels = random_tensor(ATL_SHAPE(1, 4, 4, 3), 0, 255);
    feeds[0] = (atl_feed){image, pixels};
    explain_args = (atl_explain_args){.explainer = explainer};
    npz_args = (atl_npz_args){.graph = g, .path = path};
    npz_entry = (atl_npz_entry){"a", pixels};
    onnx_bindings[0] = (atl_onnx_binding){"image", image};
    onnx_values[0] = (atl_onnx_value){"image", pixels};
    program = atl_compile(g, ATL_NODES(nodes[1]), .threads = 1);
    context = atl_context_new(program);
    cr_assert_eq(atl_program_profile(program, ATL_FEED(image, pixels), 1), ATL_OK, "%s", atl_error());
}

static void free_arguments(void)
{
    atl_context_free(context);
    atl_program_free(program);
    atl_tensor_free(pixels);
    atl_tensor_free(fooled.pixels);
    atl_explanation_free(&explained);
    atl_explain_curves_free(&curves);
    atl_explain_sanity_free(&sanity);
    atl_graph_free(g);
}

static void set_lasting_arguments(void)
{
    set_arguments();
    atl_tensor *labels = atl_tensor_new(ATL_INT32, ATL_SHAPE(1));
    sink = fopen("/dev/null", "w");
    dataset = atl_dataset_of(pixels, labels);
    batches = atl_batches_new(dataset, 1, .threads = 1);
    reference = atl_reference_run(ATL_NODES(nodes[1]), ATL_FEED(image, pixels));
    cr_assert_eq(atl_write_npz(path, 1, &(atl_npz_entry){"a", pixels}), ATL_OK, "%s", atl_error());
    npz = atl_npz_open(path);
    const char *weights = scratch_file("null.safetensors");
    cr_assert_eq(atl_write_safetensors(weights, 1, &(atl_npz_entry){"a", pixels}), ATL_OK, "%s", atl_error());
    safetensors = atl_safetensors_open(weights);
    const char *model = scratch_file("null.onnx");
    cr_assert_eq(atl_onnx_write(model, ATL_NODES(nodes[1])), ATL_OK, "%s", atl_error());
    onnx_graph = atl_graph_new();
    onnx = atl_onnx_load(onnx_graph, model, .report_out = &onnx_report);
    fooled_graph = atl_graph_new();
    atl_node *input = atl_input(fooled_graph, "image", ATL_FLOAT32, ATL_SHAPE(1, 4, 4, 3));
    atl_node *scores = atl_mlp(input);
    fooler = atl_fooler_new(input, scores, .compile.threads = 1);
    explainer = atl_explainer_new(input, scores, .compile.threads = 1);
    cr_assert(sink && dataset && batches && reference && npz && safetensors && fooler && explainer, "%s", atl_error());
    averaging = atl_all_reduce_new(NULL);
    attacker = atl_attacker_new(input, scores, .threads = 1);
    cr_assert(attacker && averaging, "%s", atl_error());
    attempt = (atl_attempt){.args = &attempt_args, .method = atl_attack_method_at(0), .attacker = attacker};
    attempt.task = (atl_attempt_task){.classes = 10, .norm = ATL_NORM_L2, .eps = 100, .target = -1};
    attempt.queue = atl_query_queue_new(attacker, 1, NULL, NULL);
    cr_assert(attacker && attempt.queue && !atl_attempt_begin(&attempt, atl_floats(pixels)), "%s", atl_error());
    cr_assert(sink && dataset && batches && reference && npz && safetensors && fooler && explainer, "%s", atl_error());
    atl_tensor_free(labels);
    free_arguments();
}

static void free_lasting_arguments(void)
{
    remove(path);
    fclose(sink);
    atl_attempt_end(&attempt);
    atl_query_queue_free(attempt.queue);
    atl_attacker_free(attacker);
    atl_all_reduce_free(averaging);
    atl_fooler_free(fooler);
    atl_explainer_free(explainer);
    atl_graph_free(fooled_graph);
    atl_npz_close(npz);
    atl_safetensors_close(safetensors);
    atl_reference_free(reference);
    atl_onnx_report_free(onnx_report);
    atl_onnx_free(onnx);
    atl_graph_free(onnx_graph);
    atl_batches_free(batches);
    atl_dataset_free(dataset);
}

/* ---- what comes out ---------------------------------------------------------------------------------------------- */

static void take_status(const char *call, atl_status status)
{
    if (status != ATL_OK)
        cr_expect(atl_error()[0], "%s fails (%d) without a word", call, (int)status);
}

static void pass_over(const char *call, ...) { (void)call; }

/* The caller owns and frees a non-const result; null is a failure, which has a message. */
#define TAKE(type, release)                                                                                            \
    static void take_##type(const char *call, type *made)                                                              \
    {                                                                                                                  \
        if (made)                                                                                                      \
            release(made);                                                                                             \
        else                                                                                                           \
            cr_expect(atl_error()[0], "%s gives null without a word", call);                                           \
    }
TAKE(atl_tensor, atl_tensor_free)
TAKE(atl_program, atl_program_free)
TAKE(atl_context, atl_context_free)
TAKE(atl_reference, atl_reference_free)
TAKE(atl_npz, atl_npz_close)
TAKE(atl_safetensors, atl_safetensors_close)
TAKE(atl_dataset, atl_dataset_free)
TAKE(atl_batches, atl_batches_free)
TAKE(atl_fooler, atl_fooler_free)
TAKE(atl_explainer, atl_explainer_free)
TAKE(atl_onnx, atl_onnx_free)
TAKE(atl_attacker, atl_attacker_free)
TAKE(atl_all_reduce, atl_all_reduce_free)

#define BEGIN_CALL(text)                                                                                               \
    set_arguments();                                                                                                   \
    atl_set_error(ATL_OK, "%s", "");                                                                                   \
    calls++;                                                                                                           \
    if (sigsetjmp(next_call, 1))                                                                                       \
        cr_expect(0, "%s crashes", text);                                                                              \
    else
#define CALL_VOID(call)                                                                                                \
    BEGIN_CALL(#call) { call; }                                                                                        \
    free_arguments()
#define CALL(call)                                                                                                     \
    BEGIN_CALL(#call)                                                                                                  \
    _Generic((call), atl_status                                                                                        \
             : take_status, atl_tensor *                                                                               \
             : take_atl_tensor, atl_program *                                                                          \
             : take_atl_program, atl_context *                                                                         \
             : take_atl_context, atl_reference *                                                                       \
             : take_atl_reference, atl_npz *                                                                           \
             : take_atl_npz, atl_safetensors *                                                                         \
             : take_atl_safetensors, atl_dataset *                                                                     \
             : take_atl_dataset, atl_batches *                                                                         \
             : take_atl_batches, atl_fooler *                                                                          \
             : take_atl_fooler, atl_explainer *                                                                        \
             : take_atl_explainer, atl_onnx *                                                                          \
             : take_atl_onnx, atl_attacker *                                                                           \
             : take_atl_attacker, atl_all_reduce *                                                                     \
             : take_atl_all_reduce, default                                                                            \
             : pass_over)(#call, call);                                                                                \
    free_arguments()
#define OPTIONS(type, null, number) ((type[1]){options_##type(null, number)})

#include "null_calls.inc" /* make_all_calls */

/* Minutes: 5 */
Test(null_arguments, no_call_crashes_or_fails_without_a_word)
{
    set_lasting_arguments();
    catch_crashes();
    make_all_calls();
    free_lasting_arguments();
    cr_expect_gt(calls, 1000);
}
