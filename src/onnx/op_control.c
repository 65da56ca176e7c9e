/* Importers of constants, of what does nothing when a model is used, and of control flow with constant conditions. */
#include <math.h>
#include <string.h>

#include "onnx/families.h"
#include "onnx/tensor_data.h"

/* A list of an attribute as a known vector. */
static onnx_known *list_of(onnx_op *op, const onnx_attribute *a)
{
    int is_float = a->type == ONNX_ATTRIBUTE_FLOATS || a->type == ONNX_ATTRIBUTE_FLOAT;
    int is_list = a->type == ONNX_ATTRIBUTE_FLOATS || a->type == ONNX_ATTRIBUTE_INTS;
    onnx_known *known = onnx_new_known(op->importer, is_float, is_list ? ATL_SHAPE(a->count) : ATL_SCALAR);
    for (int64_t i = 0; known && i < known->count; i++)
        known->at[i].value = !is_list   ? is_float ? (long double)a->number : (long double)a->integer
                             : is_float ? (long double)a->numbers[i]
                                        : (long double)a->integers[i];
    return known;
}

static int import_constant(onnx_op *op)
{
    const onnx_attribute *a = op->node->attributes ? op->node->attribute : NULL;
    onnx_value *value = op->output[0];
    if (op->node->attributes != 1)
        return onnx_reject(op, "it needs one attribute, its value");
    if (a->type == ONNX_ATTRIBUTE_TENSOR && strcmp(a->name, "value") == 0) {
        const onnx_tensor *t = a->tensor;
        if (onnx_tensor_count(t) < 0 || !onnx_type_size(t->type))
            return onnx_reject(op, "its value is of type %s, or too large", onnx_type_name(t->type));
        if (!value)
            return 1;
        value->type = t->type;
        value->shape = atl_shape_from(t->rank, t->size);
        value->tensor = t;
        value->is_constant = 1;
        return 1;
    }
    if (strcmp(a->name, "value_int") == 0 || strcmp(a->name, "value_ints") == 0 ||
        strcmp(a->name, "value_float") == 0 || strcmp(a->name, "value_floats") == 0)
        return onnx_give_known(op, 0, list_of(op, a),
                               a->type == ONNX_ATTRIBUTE_INT || a->type == ONNX_ATTRIBUTE_INTS ? ONNX_INT64
                                                                                               : ONNX_FLOAT);
    return onnx_reject(op, "its attribute '%.100s' is no tensor of numbers", a->name);
}

/* A number repeated: a small one is known, a large one is a broadcast scalar. */
static int import_constant_of_shape(onnx_op *op)
{
    enum { SMALL = 4096 };
    const onnx_known *shape = onnx_numbers(op, 0);
    const onnx_attribute *a = onnx_attribute_of(op, "value", ONNX_ATTRIBUTE_TENSOR);
    onnx_type type = a ? a->tensor->type : ONNX_FLOAT;
    long double value = 0;
    atl_shape to = {0};
    if (!shape || shape->count > ATL_MAX_RANK)
        return onnx_reject(op, "its result has %lld dimensions; the limit is %d", shape ? (long long)shape->count : 0,
                           ATL_MAX_RANK);
    if (a && (onnx_tensor_count(a->tensor) != 1 || !onnx_read_elements(a->tensor, NULL, ONNX_TO_NUMBER, &value)))
        return onnx_reject(op, "its value is not one number");
    int open = 0;
    to.rank = (int)shape->count;
    for (int i = 0; i < to.rank; i++) {
        open |= shape->at[i].batch != 0;
        to.size[i] = onnx_saturated(shape->at[i].value);
    }
    if (open || (atl_shape_count(to) > SMALL && !onnx_is_integer(type))) {
        atl_node *like = onnx_like(op, to.rank, shape->at);
        if (!like || !onnx_give_type(op, 0, atl_fill(like, (float)value), type))
            return 0;
        for (int i = 0; op->output[0] && i < to.rank; i++)
            op->output[0]->batch[i] = onnx_saturated(shape->at[i].batch);
        return 1;
    }
    if (atl_shape_count(to) < 0)
        return onnx_reject(op, "a size of its result is negative, or too large");
    onnx_known *known = onnx_new_known(op->importer, onnx_is_float(type), to);
    for (int64_t i = 0; known && i < known->count; i++)
        known->at[i].value = value;
    return onnx_give_known(op, 0, known, type);
}

/* first, first + step, ... below a limit that is computed from the open size N, where their number is per * N + rest:
 * a row of `per` numbers for each of N, of which the last ones are cut off if `rest` is negative. */
static int give_range_by_batch(onnx_op *op, double first, onnx_number limit, double step)
{
    enum { LONGEST_ROW = 1 << 20, MOST = 1 << 30 }; /* a number of a row is at most 2 * MOST */
    double last = (double)limit.batch, per = last / step, rest = ceil(((double)limit.value - first) / step);
    if (isnan(last))
        return onnx_reject(op, "its limit depends on an unknown size or batch: fix the sizes of the inputs");
    if (onnx_is_float(onnx_type_of(op, 0)) || !(per >= 1 && per <= LONGEST_ROW && per == floor(per)) ||
        !(rest <= 0 && rest >= -MOST) || fabs(first) > MOST || fabs(last) > MOST)
        return onnx_reject(op, "from %g to %g * batch + %g by %g: fix the batch", first, last, (double)limit.value,
                           step);
    int64_t count = (int64_t)per;
    int32_t stride = (int32_t)last, *number = onnx_room(op, count, sizeof *number);
    for (int64_t i = 0; number && i < count; i++)
        number[i] = (int32_t)(first + (double)i * step);
    atl_node *begin = atl_int_binary(ATL_INT_MUL, onnx_batch_numbers(op), onnx_int_vector(op, 1, &stride));
    atl_node *row = number ? onnx_int_vector(op, count, number) : NULL;
    atl_node *y = atl_reshape(atl_int_binary(ATL_INT_ADD, atl_expand_dims(begin, 1), row), ATL_SHAPE(ATL_ANY));
    if (!onnx_give_type(op, 0, rest < 0 ? atl_slice(y, .end = {(int64_t)rest}) : y, onnx_type_of(op, 0)))
        return 0;
    if (op->output[0])
        op->output[0]->batch[0] = rest < 0 ? 0 : count;
    return 1;
}

static int import_range(onnx_op *op)
{
    double first, limit, step;
    const onnx_known *to = onnx_numbers(op, 1);
    int by_batch = to && to->count == 1 && to->at[0].batch != 0;
    if (!to || !onnx_one(op, 0, &first) || (!by_batch && !onnx_one(op, 1, &limit)) || !onnx_one(op, 2, &step))
        return 0;
    if (by_batch)
        return give_range_by_batch(op, first, to->at[0], step);
    double count = step != 0 ? ceil((limit - first) / step) : -1;
    if (!(count <= 1 << 20) || step == 0)
        return onnx_reject(op, "from %g to %g by %g", first, limit, step);
    onnx_known *known =
        onnx_new_known(op->importer, onnx_is_float(onnx_type_of(op, 0)), ATL_SHAPE(count > 0 ? (int64_t)count : 0));
    for (int64_t i = 0; known && i < known->count; i++)
        known->at[i].value = (long double)first + (long double)i * (long double)step;
    return onnx_give_known(op, 0, known, onnx_type_of(op, 0));
}

static int import_eye_like(onnx_op *op)
{
    atl_shape shape = onnx_shape(op, 0);
    int64_t type = onnx_attr_int(op, "dtype", (int64_t)onnx_type_of(op, 0)), k = onnx_attr_int(op, "k", 0);
    if (shape.rank != 2 || atl_shape_count(shape) < 0)
        return onnx_reject(op, "it takes a matrix of known size");
    if (type <= 0 || type >= ONNX_TYPES)
        return onnx_reject(op, "its dtype is %lld", (long long)type);
    onnx_known *known = onnx_new_known(op->importer, onnx_is_float((onnx_type)type), shape);
    for (int64_t i = 0; known && i < known->count; i++)
        known->at[i].value = i % shape.size[1] - i / shape.size[1] == k;
    return onnx_give_known(op, 0, known, (onnx_type)type);
}

/* Nothing, when a model is used.  In training mode it draws at random, unless its ratio is 0. */
static int import_dropout(onnx_op *op)
{
    double training = 0, ratio = onnx_attr_float(op, "ratio", 0.5);
    if (!onnx_has(op, 0))
        return onnx_reject(op, "it needs an input 0");
    if ((onnx_has(op, 2) && !onnx_one(op, 2, &training)) ||
        (training != 0 && onnx_has(op, 1) && !onnx_one(op, 1, &ratio)))
        return 0;
    if (training != 0 && ratio != 0)
        return onnx_reject(op, "in training mode it draws other numbers than another implementation: set training_mode "
                               "to 0, or use atl_dropout");
    if (!onnx_give_value(op, 0, op->input[0]))
        return 0;
    if (op->outputs < 2 || !op->output[1])
        return 1;
    atl_node *x = onnx_any(op, 0);
    return x && onnx_give_type(op, 1, atl_fill(x, 1), ONNX_BOOL);
}

static int import_if(onnx_op *op)
{
    double condition;
    const onnx_attribute *then_branch = onnx_attribute_of(op, "then_branch", ONNX_ATTRIBUTE_GRAPH);
    const onnx_attribute *else_branch = onnx_attribute_of(op, "else_branch", ONNX_ATTRIBUTE_GRAPH);
    if (!then_branch || !else_branch)
        return onnx_reject(op, "it needs two branches");
    return onnx_one(op, 0, &condition) &&
           onnx_import_subgraph(op, condition != 0 ? then_branch->graph : else_branch->graph, NULL);
}

const onnx_entry onnx_control[] = {{"Constant", 1, import_constant},
                                   {"ConstantOfShape", 9, import_constant_of_shape},
                                   {"Dropout", 6, import_dropout, .most_outputs = 2},
                                   {"EyeLike", 9, import_eye_like},
                                   {"If", 1, import_if, .most_outputs = 10000, .takes_sequences = 1},
                                   {"Range", 11, import_range},
                                   {0}};
