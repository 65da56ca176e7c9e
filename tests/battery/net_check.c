/* A random network in every variant of compiling, against the double reference. */
#include "net_expected.h"

#include <stdlib.h>

#include "graph/error.h"
#include "graph/graph.h"
#include "graph/random.h"

enum { TRIES = 3, MOST_SIZES = 2 };

/* With all passes, without any, and without each. */
enum { ALL_PASSES, NO_PASS, FIRST_PASS, MOST_VARIANTS = FIRST_PASS + 32, LONGEST_NAME = 64 };

int net_variants(void)
{
    int64_t passes;
    atl_pass_table(&passes);
    return FIRST_PASS + (int)passes;
}

static unsigned disabled_in(int variant)
{
    return variant >= FIRST_PASS ? atl_pass_table(NULL)[variant - FIRST_PASS].flag : variant == NO_PASS ? ~0u : 0;
}

/* The text stays until the function is called again. */
const char *net_variant_name(int variant)
{
    static char name[LONGEST_NAME];
    if (variant < FIRST_PASS)
        return variant == NO_PASS ? "no pass" : "all passes";
    snprintf(name, sizeof name, "without %s", atl_pass_table(NULL)[variant - FIRST_PASS].name);
    return name;
}

/* ---- implementations met ----------------------------------------------------------------------------------------- */

static struct {
    char name[64];
    int64_t programs;
} met[400];
static int met_count;

static void meet(const char *name)
{
    int i = 0;
    while (i < met_count && strcmp(met[i].name, name))
        i++;
    if (i == (int)(sizeof met / sizeof *met))
        return;
    if (i == met_count)
        snprintf(met[met_count++].name, sizeof met[i].name, "%.63s", name);
    met[i].programs++;
}

static void meet_steps(const atl_program *program)
{
    atl_step_info info;
    for (int64_t i = 0; i < atl_program_step_count(program); i++)
        if (!atl_program_step(program, i, &info))
            meet(ATL_NAME("%s [%s]", info.op, info.implementation));
}

void net_print_implementations(FILE *file)
{
    for (int i = 0; i < met_count; i++)
        fprintf(file, "%8lld %s\n", (long long)met[i].programs, met[i].name);
}

/* ---- one trial --------------------------------------------------------------------------------------------------- */

typedef struct trial_net {
    const net_recipe *recipe;
    net n; /* what is compiled */
    int sizes;
    expected expected[MOST_SIZES];
    atl_tensor *start[MOST_VARIABLES];
    int64_t variables;
    char *text;
    size_t size;
} trial_net;

static int complain(trial_net *t, const char *format, ...) ATL_PRINTF(2, 3);
static int complain(trial_net *t, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(t->text, t->size, format, list);
    va_end(list);
    return 0;
}

static int reaches(const atl_node *node, const char *op, char *seen)
{
    if (seen[node->index])
        return 0;
    seen[node->index] = 1;
    int found = !strcmp(atl_op_of(node)->name, op);
    for (int i = 0; i < node->input_count && !found; i++)
        found = reaches(node->inputs[i], op, seen);
    return found;
}

static int depends_on(const atl_node *node, const char *op)
{
    char *seen = calloc((size_t)node->index + 1, 1); /* operands are older */
    int found = seen && reaches(node, op, seen);
    free(seen);
    return found;
}

static int is_expected(trial_net *t, const expected *e, int variant, int i, const atl_tensor *value, const char *what)
{
    char why[300] = "";
    int winograd = e->exact && !(disabled_in(variant) & ATL_PASS_WINOGRAD);
    int may_spread = winograd || (e->exact && depends_on(e->node[i], "conv2d_filter_grad"));
    int may_lack = winograd && depends_on(e->node[i], "conv2d") && depends_on(e->node[i], "relu_grad");
    return is_as_expected(e, i, value, may_spread, may_lack, why, sizeof why) ||
           complain(t, "%s: %s: %s", net_variant_name(variant), what, why);
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

static void keep_start(trial_net *t)
{
    atl_node *const *variable = atl_variables(t->n.graph).node;
    t->variables = atl_variables(t->n.graph).count;
    for (int64_t i = 0; i < t->variables && i < MOST_VARIABLES; i++)
        t->start[i] = atl_tensor_copy(atl_variable_value(variable[i]));
}

static void back_to_start(trial_net *t)
{
    atl_node *const *variable = atl_variables(t->n.graph).node;
    for (int64_t i = 0; i < t->variables && i < MOST_VARIABLES; i++)
        atl_variable_assign(variable[i], t->start[i]);
}

static int same_bits(const atl_tensor *a, const atl_tensor *b)
{
    return a && b && atl_tensor_count(a) == atl_tensor_count(b) &&
           !memcmp(atl_tensor_dtype(a) == ATL_INT32 ? (const void *)atl_ints(a) : atl_floats(a),
                   atl_tensor_dtype(b) == ATL_INT32 ? (const void *)atl_ints(b) : atl_floats(b),
                   (size_t)atl_tensor_count(a) * 4);
}

/* Variables after a run: assigned, or as they were. */
static int variables_are_expected(trial_net *t, const expected *e, int variant, int steps_before)
{
    atl_node *const *variable = atl_variables(t->n.graph).node;
    for (int64_t i = 0; i < t->variables && i < MOST_VARIABLES; i++) {
        const atl_tensor *value = atl_variable_value(variable[i]);
        const char *what = ATL_NAME("variable %.40s after the run", atl_name_of(variable[i]));
        if (e->assigned[i] && !e->cannot_step) {
            if (!is_expected(t, e, variant, e->assigned[i], value, what))
                return 0;
        } else if (!steps_before && !same_bits(value, t->start[i]))
            return complain(t, "%s: %s has changed, and nothing assigns to it", net_variant_name(variant), what);
    }
    return 1;
}

/* Runs the program once and checks all its results. */
static int run_is_expected(trial_net *t, atl_program *program, const expected *e, const atl_tensor *pixels, int variant,
                           int steps_before)
{
    atl_status status = atl_run(program, ATL_FEED(t->n.image, pixels));
    if (e->cannot_step ? status != ATL_NOT_FINITE : status != ATL_OK)
        return complain(t, "%s: the run ends with status %d%s%s", net_variant_name(variant), status,
                        e->cannot_step ? ", though the cost is not finite" : ": ", status ? atl_error() : "");
    for (int i = 0; i < t->n.outputs && !status; i++)
        if (!is_expected(t, e, variant, i, atl_value(program, t->n.output[i]), t->n.about[i]))
            return 0;
    return variables_are_expected(t, e, variant, steps_before);
}

/* ---- more than one run ------------------------------------------------------------------------------------------- */

/* A second training step, from the result of the first: no outdated prepacked value may be used. */
static int second_step(trial_net *t, atl_program *program, int variant, uint64_t attempt)
{
    expected again;
    int ok = expect(&again, t->recipe, t->expected[0].batch, attempt, t->n.graph);
    ok = ok ? run_is_expected(t, program, &again, again.pixels, variant, 1)
            : complain(t, "the second step's reference does not run: %s", atl_error());
    forget(&again);
    return ok;
}

/* A program that computes only the value sees the variables as the training step left them. */
static int value_beside_training(trial_net *t, atl_program *program, int variant, uint64_t attempt)
{
    const atl_tensor *pixels = t->expected[0].pixels;
    expected later = {0};
    atl_program *value =
        atl_compile(t->n.graph, ATL_NODES(t->n.last), .disabled_passes = disabled_in(variant),
                    .threads = t->recipe->option[NET_THREADS], .bfloat16 = t->recipe->option[NET_BFLOAT16]);
    int ok = value && !atl_run(value, ATL_FEED(t->n.image, pixels));
    ok = ok ? is_expected(t, &t->expected[0], variant, 0, atl_value(value, t->n.last), "the value before the step")
            : complain(t, "%s: the second program fails: %s", net_variant_name(variant), atl_error());
    ok = ok && run_is_expected(t, program, &t->expected[0], pixels, variant, 0);
    if (ok && !expect(&later, t->recipe, t->expected[0].batch, attempt, t->n.graph))
        ok = complain(t, "the reference after the step does not run: %s", atl_error());
    if (ok && atl_run(value, ATL_FEED(t->n.image, pixels)))
        ok = complain(t, "%s: the second program fails after the step: %s", net_variant_name(variant), atl_error());
    ok = ok && is_expected(t, &later, variant, 0, atl_value(value, t->n.last), "the value after the step");
    forget(&later);
    atl_program_free(value);
    return ok;
}

/* Feeds the program an output of its own that has the shape of the image. */
static int fed_back(trial_net *t, atl_program *program, int variant, uint64_t attempt)
{
    const expected *e = &t->expected[0];
    int i = 0;
    while (i < t->n.outputs && !atl_shape_equal(atl_shape_of(e->n.output[i]), atl_shape_of(e->n.image)))
        i++;
    if (i == t->n.outputs || e->cannot_step || t->recipe->option[NET_NAN])
        return 1;
    if (atl_run(program, ATL_FEED(t->n.image, e->pixels)))
        return complain(t, "%s: the run before feeding back fails: %s", net_variant_name(variant), atl_error());
    expected next;
    const atl_tensor *own = atl_value(program, t->n.output[i]);
    int ok = expect(&next, t->recipe, e->batch, attempt, t->n.graph);
    ok = ok && expect_for(&next, atl_tensor_copy(own));
    ok = ok ? run_is_expected(t, program, &next, own, variant, 1)
            : complain(t, "the reference of what is fed back does not run: %s", atl_error());
    if (!ok && strlen(t->text) + 40 < t->size)
        snprintf(t->text + strlen(t->text), t->size - strlen(t->text), " (output %d was fed back)", i);
    forget(&next);
    return ok;
}

/* A second context gives the same bits as the program's own. */
static int context_agrees(trial_net *t, atl_program *program, int variant)
{
    const atl_feed *feeds = ATL_FEED(t->n.image, t->expected[0].pixels);
    atl_context *context = atl_context_new(program);
    int ok = context && !atl_run(program, feeds) && !atl_context_run(context, feeds);
    if (!ok)
        complain(t, "%s: with a second context: %s", net_variant_name(variant), atl_error());
    for (int i = 0; ok && i < t->n.outputs; i++)
        if (!same_bits(atl_value(program, t->n.output[i]), atl_context_value(context, t->n.output[i])))
            ok = complain(t, "%s: %s differs in a second context", net_variant_name(variant), t->n.about[i]);
    atl_context_free(context);
    return ok;
}

/* Every batch size, and the first one again: plans are reused. */
static int runs_agree(trial_net *t, atl_program *program, int variant, uint64_t attempt)
{
    const int *option = t->recipe->option;
    int trains = option[NET_OPTIMIZER];
    for (int turn = 0; turn <= t->sizes; turn++) {
        const expected *e = &t->expected[turn % t->sizes];
        back_to_start(t);
        if (!run_is_expected(t, program, e, e->pixels, variant, 0))
            return 0;
    }
    meet_steps(program);
    if (variant > 1 && (t->recipe->number + (uint64_t)variant) % 6) /* what follows takes long */
        return 1;
    if (trains && !t->expected[0].cannot_step && !second_step(t, program, variant, attempt))
        return 0;
    back_to_start(t);
    if (trains && option[NET_TWO_PROGRAMS] && !t->expected[0].cannot_step &&
        !value_beside_training(t, program, variant, attempt))
        return 0;
    back_to_start(t);
    if (option[NET_FEED_BACK] && !fed_back(t, program, variant, attempt))
        return 0;
    back_to_start(t);
    return trains || !option[NET_CONTEXT] || context_agrees(t, program, variant);
}

static int variant_agrees(trial_net *t, int variant, uint64_t attempt)
{
    const int *option = t->recipe->option;
    back_to_start(t);
    atl_program *program =
        atl_compile(t->n.graph, {t->n.outputs, t->n.output}, .disabled_passes = disabled_in(variant),
                    .threads = option[NET_THREADS], .bfloat16 = option[NET_BFLOAT16], .timing = option[NET_TIMING],
                    .micro_batch = (int)(t->recipe->number % 3)); /* two networks of three run by one or two images */
    int ok = program ? runs_agree(t, program, variant, attempt)
                     : complain(t, "%s: the program does not compile: %s", net_variant_name(variant), atl_error());
    atl_program_free(program);
    return ok;
}

static int begin_trial(trial_net *t, const net_recipe *recipe, uint64_t attempt)
{
    int batch = recipe->option[NET_BATCH], any = recipe->option[NET_ANY_BATCH];
    t->recipe = recipe;
    t->sizes = any ? 2 : 1;
    net_build(&t->n, recipe, any ? ATL_ANY : batch, attempt);
    if (*atl_graph_error(t->n.graph))
        return complain(t, "building fails: %s", atl_graph_error(t->n.graph));
    keep_start(t);
    for (int i = 0; i < t->sizes; i++)
        if (!expect(&t->expected[i], recipe, i ? batch % 3 + 1 : batch, attempt, t->n.graph))
            return complain(t, "the reference does not run: %s", atl_error());
    return 1;
}

static void end_trial(trial_net *t)
{
    for (int i = 0; i < t->sizes; i++)
        forget(&t->expected[i]);
    for (int64_t i = 0; i < t->variables && i < MOST_VARIABLES; i++)
        atl_tensor_free(t->start[i]);
    atl_graph_free(t->n.graph);
}

/* A kink (relu at 0, a tie of maxima) may lie between the float and the double value, so a variant fails only if it
 * also fails with other weights and images: a bug always fails, a kink does not. */
int net_agrees(const net_recipe *recipe, int variant, char *text, size_t size, int *variant_out)
{
    char fails[MOST_VARIANTS];
    int failing = 1;
    for (int i = 0; i < net_variants(); i++)
        fails[i] = variant < 0 || variant == i;
    for (uint64_t attempt = 0; failing && attempt < TRIES; attempt++) {
        trial_net *t = calloc(1, sizeof *t);
        *t = (trial_net){.text = text, .size = size};
        int ready = begin_trial(t, recipe, attempt);
        failing = !ready;
        for (int i = net_variants() - 1; ready && i >= 0;
             i--) { /* the last description is of the first variant that fails */
            fails[i] = (char)(fails[i] && !variant_agrees(t, i, attempt));
            failing += fails[i];
        }
        end_trial(t);
        free(t);
    }
    *variant_out = -1;
    for (int i = net_variants() - 1; failing && i >= 0; i--)
        if (fails[i])
            *variant_out = i;
    return !failing;
}

int random_net_agrees(uint64_t seed, uint64_t number, char *text, size_t size)
{
    char why[600], what[NET_TEXT];
    int variant;
    net_recipe recipe = net_draw(seed, number);
    if (net_agrees(&recipe, -1, why, sizeof why, &variant))
        return 1;
    net_recipe small = net_shrink(&recipe, variant);
    int again;
    if (net_agrees(&small, variant, why, sizeof why,
                   &again)) /* impossible, unless the result changes from run to run */
        snprintf(why, sizeof why, "%s: fails now and then", net_variant_name(variant < 0 ? 0 : variant));
    net_describe(&small, what, sizeof what);
    snprintf(
        text, size,
        "net %llu of seed %llu, %s\n%s  the net as drawn: build/tests/random_nets --seed %llu --first %llu --count 1",
        (unsigned long long)number, (unsigned long long)seed, why, what, (unsigned long long)seed,
        (unsigned long long)number);
    return 0;
}
