/* A network compiled for attacks: one program for the scores, and one for the gradient of a loss that each row mixes
 * from several terms, so that all methods share it. */
#include "attack/attacker.h"

#include <math.h>
#include <string.h>

#include "atled/gradient.h"
#include "atled/ops.h"
#include "graph/error.h"
#include "graph/memory.h"

enum { DEFAULT_ROWS = 8, MOST_ROWS = 4096 };

/* ---- the losses -------------------------------------------------------------------------------------------------- */

static atl_node *row_sum(atl_node *x) { return atl_reduce_sum(x, .axis = {-1}, .axes = 1); }
static atl_node *row_max(atl_node *x) { return atl_reduce_max(x, .axis = {-1}, .axes = 1); }

/* numerator / (largest score - mean of the scores at ranks `first` to `last`, from 0) */
static atl_node *ratio(atl_node *numerator, atl_node *ranked, int first, int last)
{
    atl_node *low = atl_index_last(ranked, first);
    for (int i = first + 1; i <= last; i++)
        low = atl_add(low, atl_index_last(ranked, i));
    low = atl_scale(low, 1.0f / (float)(last - first + 1));
    return atl_div(numerator, atl_add_scalar(atl_sub(atl_index_last(ranked, 0), low), 1e-12f));
}

/* The losses [n]: for each row the sum of mix[i] * term i. */
static atl_node *loss_of(atl_attacker *a, atl_node *own)
{
    atl_node *z = a->scores, *one_hot = atl_one_hot(a->class, a->classes), *term[ATL_TERMS] = {0};
    atl_node *of_class = row_sum(atl_mul(z, one_hot)), *weighted = row_sum(atl_mul(z, a->weights));
    atl_node *margin = atl_sub(row_max(atl_sub(z, atl_scale(one_hot, 1e30f))), of_class);
    int ranks = a->classes < 4 ? a->classes : 4;
    atl_node *ranked = atl_take_along(z, atl_top_k(atl_stop_gradient(z), ranks));
    term[ATL_TERM_CROSS_ENTROPY] = atl_sub(atl_reduce_log_sum_exp(z, .axis = {-1}, .axes = 1), of_class);
    term[ATL_TERM_WEIGHTED] = weighted;
    term[ATL_TERM_MARGIN] = margin;
    if (ranks >= 3)
        term[ATL_TERM_DLR] = ratio(margin, ranked, 2, 2);
    if (ranks >= 4)
        term[ATL_TERM_DLR_TARGET] = ratio(weighted, ranked, 2, 3);
    term[ATL_TERM_OWN] = own;
    atl_node *loss = NULL;
    for (int i = 0; i < ATL_TERMS; i++) {
        if (!term[i])
            continue;
        atl_node *part = atl_mul(term[i], atl_index_last(a->mix, i));
        loss = loss ? atl_add(loss, part) : part;
    }
    return loss;
}

/* Enters a scope that no other attacker of the graph has. */
static void enter_own_scope(atl_graph *graph)
{
    char name[ATL_NAME_SIZE] = "attack";
    for (int i = 1; atl_find(graph, ATL_NAME("%.200s/class", name)); i++)
        atl_format_name(name, "attack_%d", i);
    atl_enter(graph, name);
}

static atl_status build(atl_attacker *a, const atl_attacker_args *args)
{
    atl_graph *graph = a->graph;
    int64_t n = atl_shape_of(a->image).size[0];
    enter_own_scope(graph);
    a->class = atl_input(graph, "class", ATL_INT32, ATL_SHAPE(n));
    a->weights = atl_input(graph, "weights", ATL_FLOAT32, ATL_SHAPE(n, a->classes));
    a->mix = atl_input(graph, "mix", ATL_FLOAT32, ATL_SHAPE(n, ATL_TERMS));
    a->losses = atl_named(loss_of(a, args->loss), "losses");
    atl_leave(graph);
    a->gradient = atl_gradient(a->losses, a->image);
    atl_compile_args compile = args->compile;
    compile.graph = graph;
    compile.threads = 1;
    compile.outputs = ATL_NODES(a->scores);
    a->forward = atl_graph_status(graph) ? NULL : atl_compile_with(&compile);
    compile.outputs = ATL_NODES(a->scores, a->losses, a->gradient);
    a->backward = a->forward ? atl_compile_with(&compile) : NULL;
    if (a->backward)
        return ATL_OK;
    return atl_graph_status(graph) ? atl_set_error(atl_graph_status(graph), "%s", atl_graph_error(graph))
                                   : atl_error_status();
}

/* ---- the checks of the nodes ------------------------------------------------------------------------------------- */

static atl_status check_image(const atl_node *image, const atl_node *scores)
{
    char text[160];
    if (!image || !scores) {
        const atl_graph *graph = atl_graph_of(image ? image : scores);
        const char *mistake = graph && *atl_graph_error(graph) ? atl_graph_error(graph) : atl_error();
        return atl_set_error(ATL_INVALID, "atl_attacker_new: %s is null%s%s", image ? "scores" : "image",
                             mistake[0] ? ": " : "", mistake);
    }
    atl_shape in = atl_shape_of(image), out = atl_shape_of(scores);
    int known = in.rank >= 2 && atl_dtype_of(image) == ATL_FLOAT32;
    for (int i = 1; i < in.rank; i++)
        known = known && in.size[i] > 0;
    if (!known)
        return atl_set_error(ATL_INVALID,
                             "atl_attacker_new: the image '%s' is %s, but must be float32 [n, ...] with known sizes",
                             atl_name_of(image), atl_shape_text(in, text, sizeof text));
    if (out.rank != 2 || out.size[1] < 2 || out.size[0] != in.size[0] || atl_dtype_of(scores) != ATL_FLOAT32)
        return atl_set_error(ATL_INVALID,
                             "atl_attacker_new: the scores '%s' are %s, but must be float32 [n, classes], with the n "
                             "of the image and two classes or more",
                             atl_name_of(scores), atl_shape_text(out, text, sizeof text));
    return ATL_OK;
}

static atl_status check_options(const atl_attacker_args *args)
{
    char text[160];
    atl_shape in = atl_shape_of(args->image), loss = atl_shape_of(args->loss);
    if (args->loss && (loss.rank != 1 || loss.size[0] != in.size[0] || atl_dtype_of(args->loss) != ATL_FLOAT32))
        return atl_set_error(ATL_INVALID,
                             "atl_attacker_new: the loss '%s' is %s, but must be float32 [n]: one number "
                             "for each picture",
                             atl_name_of(args->loss), atl_shape_text(loss, text, sizeof text));
    if (!(args->lowest < args->highest) && !(args->lowest == 0 && args->highest == 0))
        return atl_set_error(ATL_INVALID, "atl_attacker_new: .lowest %g is not below .highest %g", (double)args->lowest,
                             (double)args->highest);
    if (args->threads < 0 || args->threads > 1024 || args->rows < 0 || args->rows > MOST_ROWS)
        return atl_set_error(ATL_INVALID, "atl_attacker_new: .threads is %d (1 to 1024) and .rows %lld (1 to %d)",
                             args->threads, (long long)args->rows, MOST_ROWS);
    return ATL_OK;
}

static int default_threads(const atl_attacker_args *args)
{
    atl_graph *graph = atl_graph_new();
    atl_node *x = graph ? atl_scalar(atl_input(graph, "x", ATL_FLOAT32, ATL_SCALAR), 0) : NULL;
    atl_program *program = x ? atl_compile(graph, ATL_NODES(x)) : NULL;
    int threads = args->threads ? args->threads : program ? atl_program_threads(program) : 1;
    atl_program_free(program);
    atl_graph_free(graph);
    return threads;
}

atl_attacker *atl_attacker_new_with(const atl_attacker_args *args)
{
    if (!args)
        return atl_null_argument("atl_attacker_new", "the options are"), NULL;
    if (check_image(args->image, args->scores) || check_options(args))
        return NULL;
    atl_attacker *a = atl_allocate(1, sizeof *a);
    if (!a) {
        atl_out_of_memory();
        return NULL;
    }
    a->graph = atl_graph_of(args->image);
    a->image = args->image;
    a->scores = args->scores;
    a->own_class = args->loss_class;
    a->has_own_loss = args->loss != NULL;
    a->shape = atl_shape_of(args->image);
    a->any_rows = a->shape.size[0] == ATL_ANY;
    a->rows = !a->any_rows ? a->shape.size[0] : args->rows ? args->rows : DEFAULT_ROWS;
    a->shape.size[0] = 1;
    a->count = atl_shape_count(a->shape);
    a->shape.size[0] = a->rows;
    a->classes = (int)atl_shape_of(args->scores).size[1];
    a->lowest = (double)args->lowest;
    a->unit = args->highest > args->lowest ? ((double)args->highest - (double)args->lowest) / 255 : 1;
    a->threads = default_threads(args);
    if (build(a, args)) {
        atl_attacker_free(a);
        return NULL;
    }
    return a;
}

void atl_attacker_free(atl_attacker *attacker)
{
    if (!attacker)
        return;
    atl_program_free(attacker->forward);
    atl_program_free(attacker->backward);
    atl_release(attacker);
}

int atl_attacker_classes(const atl_attacker *attacker) { return attacker ? attacker->classes : 0; }
