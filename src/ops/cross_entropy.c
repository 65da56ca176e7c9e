/* Cross entropy of softmax(logits), one loss per example: with labels (int32), or with a probability for each class. */
#include "graph/option.h"
#include "graph/tensor.h"
#include "ops/ops.h"
#include "kernels/parallel.h"
#include "ops/softmax.h"

/* The last dimension holds the classes. */
static int require_logits(atl_node *y, const atl_node *logits)
{
    if (logits->shape->rank == 0)
        return atl_fail(y, "the logits, '%s', are a scalar; they must be [.., classes]", atl_name_of(logits));
    if (logits->shape->size[logits->shape->rank - 1] == 0)
        return atl_fail(y, "the logits, '%s', are %s: there are no classes", atl_name_of(logits), SHAPE_OF(logits));
    return 1;
}

/* The shape of the losses: the logits' without the classes, with unknown sizes filled in from `other`. */
static atl_shape loss_shape(atl_shape logits, atl_shape other)
{
    atl_shape shape = logits;
    shape.rank--;
    shape.size[shape.rank] = 0;
    for (int i = 0; i < shape.rank && i < other.rank; i++)
        if (shape.size[i] == ATL_ANY)
            shape.size[i] = other.size[i];
    return shape;
}

/* ---- labels ------------------------------------------------------------------------------------------------------ */

/* Rejects an invalid constant label when the graph is built. */
static int check_constant_labels(atl_node *y, const atl_node *labels, int64_t classes)
{
    if (!(labels->op->flags & ATL_OP_CONSTANT) || !labels->storage || !labels->storage->value || classes == ATL_ANY)
        return 1;
    const atl_tensor *value = labels->storage->value;
    for (int64_t i = 0; i < value->count; i++)
        if (atl_ints(value)[i] < 0 || atl_ints(value)[i] >= classes)
            return atl_fail(y, "label %d is not a class: the logits have %lld, so it must be 0..%lld",
                            atl_ints(value)[i], (long long)classes, (long long)classes - 1);
    return 1;
}

/* Checks the labels' shape against the logits'; a scalar label applies to every example. */
static int check_labels(atl_node *y, const atl_node *logits, const atl_node *labels)
{
    if (labels->shape->rank && !atl_shapes_agree(*labels->shape, loss_shape(*logits->shape, *labels->shape)))
        return atl_fail(
            y,
            "the labels, '%s', are %s, but the logits, '%s', are %s; the labels must have the logits' shape "
            "without the last dimension, or be one scalar",
            atl_name_of(labels), SHAPE_OF(labels), atl_name_of(logits), SHAPE_OF(logits));
    return check_constant_labels(y, labels, logits->shape->size[logits->shape->rank - 1]);
}

static bool infer_sparse(atl_node *y)
{
    atl_node *logits = y->inputs[0], *labels = y->inputs[1];
    if (!atl_require_float(y, 0, "the logits") || !require_logits(y, logits) || !atl_require_int(y, 1, "the labels") ||
        !check_labels(y, logits, labels))
        return 0;
    return atl_set_type(y, ATL_FLOAT32, loss_shape(*logits->shape, *labels->shape));
}

typedef struct entropy_job {
    int64_t rows, classes;
    int one_label; /* a scalar for all rows */
    const float *logits, *dy;
    const int32_t *labels;
    float *result;
} entropy_job;

static entropy_job job_of(const atl_node *logits, const atl_node *labels)
{
    entropy_job job = {.classes = logits->shape->size[logits->shape->rank - 1], .one_label = labels->shape->rank == 0};
    job.rows = atl_shape_count(loss_shape(*logits->shape, *labels->shape));
    return job;
}

/* sparse_softmax_cross_entropy(x, label) = log(sum_i e^x_i) - x_label; NaN where the label is not a class.
 * dx = dy * (softmax(x) - one_hot(label)) */
static void reference_sparse(const atl_node *y, const double *const *x, double *result)
{
    entropy_job job = job_of(y->inputs[0], y->inputs[1]);
    for (int64_t r = 0; r < job.rows; r++) {
        const double *row = x[0] + r * job.classes, label = x[1][job.one_label ? 0 : r];
        int known = label >= 0 && label < (double)job.classes;
        double most, log_sum = atl_log_of_exact_sum(row, job.classes, &most);
        result[r] = known ? log_sum + (most - row[(int64_t)label]) : (double)NAN;
    }
}

static void sparse_rows(const void *data, int64_t first, int64_t last)
{
    const entropy_job *job = data;
    float most[ATL_ROWS], sum[ATL_ROWS];
    for (int64_t r = first, rows; r < last; r += rows) {
        rows = atl_exp_rows(last - r, job->classes, job->logits + r * job->classes, NULL, most, sum);
        for (int64_t k = 0; k < rows; k++) {
            const float *x = job->logits + (r + k) * job->classes;
            int32_t label = job->labels[job->one_label ? 0 : r + k];
            /* Subtracts two logits first: that is exact where they are close. */
            float log_sum = atl_log_of_sum(x, job->classes, most[k], sum[k]);
            job->result[r + k] = label >= 0 && label < job->classes ? log_sum + (most[k] - x[label]) : NAN;
        }
    }
}

static void kernel_sparse(const atl_node *y, const void *const *x, void *result)
{
    entropy_job job = job_of(y->inputs[0], y->inputs[1]);
    job.logits = x[0];
    job.labels = x[1];
    job.result = result;
    atl_parallel(job.rows, 4 * job.rows * job.classes, sparse_rows, &job);
}

static atl_node *sparse_grad(atl_node *dy, atl_node *logits, atl_node *labels);

static atl_node *sparse_gradient(atl_node *y, atl_node *dy)
{
    return sparse_grad(dy, atl_input_of(y, 0), atl_input_of(y, 1));
}

static atl_node *sample_sparse(atl_node *logits, atl_node *labels)
{
    return atl_sparse_softmax_cross_entropy(logits, labels);
}
static atl_node *sample_one_label(atl_node *logits) { return atl_softmax_cross_entropy(logits, .label = 2); }

/* One label may stand for all. */
static int has_label_of_each(const atl_node *y, const atl_node *labels)
{
    return labels->shape->rank > 0 && labels->shape->size[0] == y->shape->size[0];
}

static unsigned sparse_by_image(const atl_node *y) { return has_label_of_each(y, y->inputs[1]) ? 3 : 1; }
static unsigned sparse_grad_by_image(const atl_node *y) { return has_label_of_each(y, y->inputs[2]) ? 7 : 3; }

static const atl_op sparse_op = {
    .name = "sparse_softmax_cross_entropy",
    .arity = 2,
    .infer = infer_sparse,
    .gradient = {sparse_gradient},
    .reference = reference_sparse,
    .kernel = kernel_sparse,
    .samples =
        (const atl_sample[]){
            {"batch", .binary = sample_sparse, .input = {{2, {4, 5}, -3, 3}, {1, {4}, 0, 5, 1}}, .inputs = 2},
            {"two leading dimensions", .binary = sample_sparse, .input = {{3, {2, 3, 4}}, {2, {2, 3}, 0, 4, 1}},
             .inputs = 2},
            {"one example", .binary = sample_sparse, .input = {{1, {6}}, {0, {0}, 0, 6, 1}}, .inputs = 2},
            {"one label for all", .unary = sample_one_label, .input = {{2, {4, 3}}}, .inputs = 1},
            {"large logits", .binary = sample_sparse, .input = {{2, {4, 5}, -10000, 10000}, {1, {4}, 0, 5, 1}},
             .inputs = 2, .no_gradient = 1},
            {"label out of range", .unary = sample_one_label, .input = {{2, {4, 2}}}, .inputs = 1,
             .error = "label 2 is not a class"},
            {"labels [5] for 4 rows", .binary = sample_sparse, .input = {{2, {4, 5}}, {1, {5}, 0, 5, 1}}, .inputs = 2,
             .error = "[5]"},
            {"float labels", .binary = sample_sparse, .input = {{2, {4, 5}}, {1, {4}}}, .inputs = 2,
             .error = "must be int32"},
            {"int32 logits", .binary = sample_sparse, .input = {{2, {4, 5}, 0, 5, 1}, {1, {4}, 0, 5, 1}}, .inputs = 2,
             .error = "must be float32"},
            {"no classes", .binary = sample_sparse, .input = {{2, {4, 0}}, {1, {4}, 0, 5, 1}}, .inputs = 2,
             .error = "no classes"},
            {"scalar logits", .binary = sample_sparse, .input = {{0}, {0, {0}, 0, 5, 1}}, .inputs = 2,
             .error = "are a scalar"},
            {0}},
    .hooks = &(const atl_op_hooks){.by_image = sparse_by_image}};
ATL_BUILTIN(sparse_op);

atl_node *atl_sparse_softmax_cross_entropy(atl_node *logits, atl_node *labels)
{
    return ATL_APPLY(&sparse_op, NULL, logits, labels);
}

/* sparse_softmax_cross_entropy_grad(dy, x, label) = dy * (softmax(x) - one_hot(label)), of the logits' shape. */
static bool infer_sparse_grad(atl_node *y)
{
    return require_logits(y, y->inputs[1]) && check_labels(y, y->inputs[1], y->inputs[2]) &&
           atl_set_type(y, ATL_FLOAT32, *y->inputs[1]->shape);
}

static void reference_sparse_grad(const atl_node *y, const double *const *x, double *result)
{
    entropy_job job = job_of(y->inputs[1], y->inputs[2]);
    for (int64_t r = 0; r < job.rows; r++) {
        double label = x[2][job.one_label ? 0 : r], *to = result + r * job.classes;
        atl_exact_softmax(x[1] + r * job.classes, job.classes, to);
        for (int64_t i = 0; i < job.classes; i++)
            to[i] = x[0][r] * (to[i] - (label == (double)i));
    }
}

/* e = e^(x - most), which becomes dx.  p - 1 would be lost to rounding where p is near 1.  So the label's element is
 * computed as the sum of the others, and the gradient of a confident loss is small but not zero. */
static void sparse_grad_row(int64_t classes, float sum, int32_t label, float dy, float *e)
{
    float others = 0, factor = dy / sum;
    if (label >= 0 && label < classes) {
        e[label] = 0;
        for (int64_t i = 0; i < classes; i++)
            others += e[i];
        e[label] = -others;
    }
    for (int64_t i = 0; i < classes; i++)
        e[i] *= factor;
}

static void sparse_grad_rows(const void *data, int64_t first, int64_t last)
{
    const entropy_job *job = data;
    float most[ATL_ROWS], sum[ATL_ROWS];
    for (int64_t r = first, rows; r < last; r += rows) {
        float *dx = job->result + r * job->classes;
        rows = atl_exp_rows(last - r, job->classes, job->logits + r * job->classes, dx, most, sum);
        for (int64_t k = 0; k < rows; k++)
            sparse_grad_row(job->classes, sum[k], job->labels[job->one_label ? 0 : r + k], job->dy[r + k],
                            dx + k * job->classes);
    }
}

static void kernel_sparse_grad(const atl_node *y, const void *const *x, void *result)
{
    entropy_job job = job_of(y->inputs[1], y->inputs[2]);
    job.dy = x[0];
    job.logits = x[1];
    job.labels = x[2];
    job.result = result;
    atl_parallel(job.rows, 4 * job.rows * job.classes, sparse_grad_rows, &job);
}

/* The same composed of ops that can be differentiated again. */
static atl_node *expand_sparse_grad(atl_node *y)
{
    atl_node *dy = atl_input_of(y, 0), *logits = atl_input_of(y, 1), *labels = atl_input_of(y, 2);
    int64_t classes = logits->shape->size[logits->shape->rank - 1];
    if (classes == ATL_ANY)
        return atl_graph_fail(
            y->graph,
            "%s: the second derivative of a cross entropy needs the number of classes, but the logits, "
            "'%s', are %s: give the last dimension a size",
            atl_name_of(y), atl_name_of(logits), SHAPE_OF(logits));
    return atl_mul(atl_expand_dims(dy, -1), atl_sub(atl_softmax(logits), atl_one_hot(labels, classes)));
}

static atl_node *sample_sparse_grad(atl_node *const *x) { return sparse_grad(x[0], x[1], x[2]); }

static const atl_op sparse_grad_op = {
    .name = "sparse_softmax_cross_entropy_grad",
    .arity = 3,
    .infer = infer_sparse_grad,
    .expand = expand_sparse_grad,
    .reference = reference_sparse_grad,
    .kernel = kernel_sparse_grad,
    .samples = (const atl_sample[]){{"batch", .build = sample_sparse_grad,
                                     .input = {{1, {3}}, {2, {3, 4}, -3, 3}, {1, {3}, 0, 4, 1}}, .inputs = 3},
                                    {"one label for all", .build = sample_sparse_grad,
                                     .input = {{2, {3, 2}}, {3, {3, 2, 4}}, {0, {0}, 0, 4, 1}}, .inputs = 3},
                                    {0}},
    .hooks = &(const atl_op_hooks){.by_image = sparse_grad_by_image}};
ATL_BUILTIN(sparse_grad_op);

static atl_node *sparse_grad(atl_node *dy, atl_node *logits, atl_node *labels)
{
    return ATL_APPLY(&sparse_grad_op, NULL, dy, logits, labels);
}

/* ---- probabilities ----------------------------------------------------------------------------------------------- */

static bool infer_dense(atl_node *y)
{
    atl_node *logits = y->inputs[0], *targets = y->inputs[1];
    if (!atl_require_float(y, 0, "the logits") || !require_logits(y, logits))
        return 0;
    if (!atl_shapes_agree(*logits->shape, *targets->shape))
        return atl_fail(y, "the targets, '%s', are %s, but the logits, '%s', are %s; both must have the same shape",
                        atl_name_of(targets), SHAPE_OF(targets), atl_name_of(logits), SHAPE_OF(logits));
    if (!atl_require_float(y, 1, "the targets"))
        return 0;
    return atl_set_type(y, ATL_FLOAT32, loss_shape(*logits->shape, *targets->shape));
}

/* softmax_cross_entropy(x, t) = sum_i t_i (log(sum_j e^x_j) - x_i).  t need not sum to 1.
 * dx = dy * (softmax(x) * sum(t) - t), dt = -dy * log_softmax(x) */
static void reference_dense(const atl_node *y, const double *const *x, double *result)
{
    entropy_job job = job_of(y->inputs[0], y->inputs[1]);
    for (int64_t r = 0; r < job.rows; r++) {
        const double *row = x[0] + r * job.classes, *targets = x[1] + r * job.classes;
        double most, log_sum = atl_log_of_exact_sum(row, job.classes, &most), loss = 0;
        for (int64_t i = 0; i < job.classes; i++)
            loss += targets[i] * (log_sum + (most - row[i]));
        result[r] = loss;
    }
}

static void dense_rows(const void *data, int64_t first, int64_t last)
{
    const entropy_job *job = data;
    float most[ATL_ROWS], sum[ATL_ROWS];
    for (int64_t r = first, rows; r < last; r += rows) {
        rows = atl_exp_rows(last - r, job->classes, job->logits + r * job->classes, NULL, most, sum);
        for (int64_t k = 0; k < rows; k++) {
            const float *x = job->logits + (r + k) * job->classes, *targets = job->dy + (r + k) * job->classes;
            float log_sum = atl_log_of_sum(x, job->classes, most[k], sum[k]), loss = 0;
            for (int64_t i = 0; i < job->classes; i++)
                loss += targets[i] * (log_sum + (most[k] - x[i]));
            job->result[r + k] = loss;
        }
    }
}

static void kernel_dense(const atl_node *y, const void *const *x, void *result)
{
    entropy_job job = job_of(y->inputs[0], y->inputs[1]);
    job.logits = x[0];
    job.dy = x[1];
    job.result = result;
    atl_parallel(job.rows, 4 * job.rows * job.classes, dense_rows, &job);
}

static atl_node *dense_by_logits(atl_node *y, atl_node *dy)
{
    atl_node *logits = atl_input_of(y, 0), *targets = atl_input_of(y, 1);
    atl_node *whole = atl_reduce_sum(targets, ATL_AXES(-1), .keep = 1);
    return atl_mul(atl_expand_dims(dy, -1), atl_sub(atl_mul(atl_softmax(logits), whole), targets));
}

static atl_node *dense_by_targets(atl_node *y, atl_node *dy)
{
    return atl_neg(atl_mul(atl_expand_dims(dy, -1), atl_log_softmax(atl_input_of(y, 0))));
}

static atl_node *sample_dense(atl_node *logits, atl_node *targets)
{
    return atl_softmax_cross_entropy(logits, targets);
}

static const atl_op dense_op = {
    .name = "softmax_cross_entropy",
    .arity = 2,
    .infer = infer_dense,
    .gradient = {dense_by_logits, dense_by_targets},
    .reference = reference_dense,
    .kernel = kernel_dense,
    .samples =
        (const atl_sample[]){{"batch", .binary = sample_dense, .input = {{2, {4, 5}, -3, 3}, {2, {4, 5}, 0, 1}},
                              .inputs = 2},
                             {"one example", .binary = sample_dense, .input = {{1, {3}}, {1, {3}}}, .inputs = 2},
                             {"two leading dimensions", .binary = sample_dense,
                              .input = {{3, {2, 3, 4}}, {3, {2, 3, 4}, 0, 1}}, .inputs = 2},
                             {"large logits", .binary = sample_dense,
                              .input = {{2, {4, 5}, -10000, 10000}, {2, {4, 5}, 0, 1}}, .inputs = 2, .no_gradient = 1},
                             {"targets [5] for [4, 5]", .binary = sample_dense, .input = {{2, {4, 5}}, {1, {5}}},
                              .inputs = 2, .error = "[4, 5]"},
                             {"3 classes against 4", .binary = sample_dense, .input = {{2, {2, 4}}, {2, {2, 3}}},
                              .inputs = 2, .error = "[2, 3]"},
                             {"int32 targets", .binary = sample_dense, .input = {{2, {2, 4}}, {2, {2, 4}, 0, 2, 1}},
                              .inputs = 2, .error = "must be float32"},
                             {0}},
};
ATL_BUILTIN(dense_op);

atl_node *atl_softmax_cross_entropy_with(const atl_cross_entropy_args *args)
{
    if (!args)
        return atl_null_argument("atl_softmax_cross_entropy", "the options are"), NULL;
    if (!args->logits)
        return NULL;
    int given = (args->targets != NULL) + (args->labels != NULL) + (args->label != 0);
    if (given == 0 && args->logits->graph->broken)
        return NULL; /* the targets are null, because of an earlier mistake */
    if (given != 1)
        return atl_builder_error(args->logits->graph, "softmax_cross_entropy",
                                 given
                                     ? "give one of .targets (probabilities), .labels and .label"
                                     : "no target is given: .targets (probabilities), .labels, or .label, where class "
                                       "0 is written ATL_ZERO or ATL_EXACTLY(label)");
    if (args->targets)
        return ATL_APPLY(&dense_op, NULL, args->logits, args->targets);
    if (args->labels)
        return atl_sparse_softmax_cross_entropy(args->logits, args->labels);
    int32_t label = (int32_t)atl_option(args->label, 0);
    atl_tensor *value = atl_tensor_of_ints(ATL_SCALAR, &label);
    if (!value)
        return atl_graph_fail(args->logits->graph, "softmax_cross_entropy: %s", atl_error());
    atl_node *labels = atl_constant(args->logits->graph, value);
    atl_tensor_free(value);
    return atl_sparse_softmax_cross_entropy(args->logits, labels);
}
