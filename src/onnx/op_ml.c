/* Importers of ai.onnx.ml, the domain of classical models: what scikit-learn's scalers, linear models and multilayer
 * perceptrons are written as.  https://onnx.ai/onnx/operators/index_ml.html */
#include <string.h>

#include "common/plural.h"
#include "onnx/families.h"

/* The list of floats as a vector; null without a reason if it is not given. */
static atl_node *floats(onnx_op *op, const char *name)
{
    const onnx_attribute *a = onnx_attribute_of(op, name, ONNX_ATTRIBUTE_FLOATS);
    return a && a->count ? onnx_vector(op, a->count, a->numbers) : NULL;
}

/* (x - offset) * scale, each one number or one for each column. */
static int import_scaler(onnx_op *op)
{
    atl_node *x = onnx_float(op, 0), *offset = x ? floats(op, "offset") : NULL, *scale = x ? floats(op, "scale") : NULL;
    if (!x || *op->why)
        return 0;
    x = offset ? atl_sub(x, offset) : x;
    return onnx_give_type(op, 0, scale ? atl_mul(x, scale) : x, ONNX_FLOAT);
}

/* Columns of x at places that are known. */
static atl_node *known_columns(onnx_op *op, atl_node *x, int last, const onnx_known *index)
{
    int64_t size = onnx_shape(op, 0).size[last], *place = onnx_room(op, index->count, sizeof *place);
    for (int64_t i = 0; place && i < index->count; i++) {
        place[i] = onnx_saturated(index->at[i].value);
        if (place[i] < 0 || place[i] >= (size == ATL_ANY ? INT32_MAX : size))
            return onnx_reject(op, "there is no column %lld", (long long)place[i]), NULL;
    }
    return place ? onnx_take(op, x, last, index->count, place) : NULL;
}

/* The columns of x that input 1 names. */
static int import_feature_extractor(onnx_op *op)
{
    atl_node *x = onnx_any(op, 0), *index = NULL;
    int last = onnx_rank(op, 0) - 1;
    if (!x || last < 0 || !onnx_has(op, 1))
        return onnx_reject(op, "it takes vectors or matrices, and places");
    const onnx_known *known = onnx_if_known(op->importer, op->input[1]);
    if (!known && !(index = onnx_int(op, 1)))
        return 0;
    atl_node *y =
        known ? known_columns(op, x, last, known) : atl_gather(x, atl_reshape(index, ATL_SHAPE(ATL_ANY)), last);
    return y && onnx_give(op, 0, last ? y : atl_expand_dims(y, 0));
}

/* Scores to what is asked for. */
static atl_node *transformed(onnx_op *op, atl_node *scores)
{
    const char *kind = onnx_attr_text(op, "post_transform", "NONE");
    if (strcmp(kind, "NONE") == 0)
        return scores;
    if (strcmp(kind, "SOFTMAX") == 0)
        return atl_softmax(scores);
    if (strcmp(kind, "LOGISTIC") == 0)
        return atl_sigmoid(scores);
    onnx_reject(op, "its post_transform %.40s is not read", kind);
    return NULL;
}

/* x times the coefficients of each of `rows` results, plus their intercepts; null with the reason. */
static atl_node *linear(onnx_op *op, int64_t rows)
{
    atl_node *x = onnx_float(op, 0), *weights = x ? floats(op, "coefficients") : NULL,
             *shift = weights ? floats(op, "intercepts") : NULL;
    if (!weights || rows < 1 || atl_shape_of(x).rank != 2 || atl_shape_of(weights).size[0] % rows) {
        onnx_reject(op, "it takes a matrix, and coefficients for each of its results");
        return NULL;
    }
    if (shift && atl_shape_of(shift).size[0] != rows) {
        onnx_reject(op, "it has %lld intercept%s for %lld result%s", (long long)atl_shape_of(shift).size[0],
                    atl_plural(atl_shape_of(shift).size[0]), (long long)rows, atl_plural(rows));
        return NULL;
    }
    weights = atl_reshape(weights, ATL_SHAPE(rows, atl_shape_of(weights).size[0] / rows));
    atl_node *y = atl_matmul(x, weights, .transpose_b = 1);
    return transformed(op, shift ? atl_bias_add(y, shift) : y);
}

static int import_linear_regressor(onnx_op *op)
{
    atl_node *y = linear(op, onnx_attr_int(op, "targets", 1));
    return y && onnx_give_type(op, 0, y, ONNX_FLOAT);
}

/* Output 0 is the label of the greatest score, output 1 the scores. */
static int import_linear_classifier(onnx_op *op)
{
    const onnx_attribute *label = onnx_attribute_of(op, "classlabels_ints", ONNX_ATTRIBUTE_INTS);
    int64_t classes = label ? label->count : 0;
    int32_t *number = classes > 1 ? onnx_room(op, classes, sizeof *number) : NULL;
    if (!number)
        return onnx_reject(op, "it is read with at least two labels that are whole numbers");
    atl_node *scores = linear(op, classes);
    if (!scores)
        return 0;
    for (int64_t i = 0; i < classes; i++)
        number[i] = (int32_t)(label->integers[i] > INT32_MAX   ? INT32_MAX
                              : label->integers[i] < INT32_MIN ? INT32_MIN
                                                               : label->integers[i]);
    atl_node *best = atl_gather(onnx_int_vector(op, classes, number), atl_argmax(scores, 1), 0);
    return onnx_give_type(op, 0, best, ONNX_INT64) && onnx_give_type(op, 1, scores, ONNX_FLOAT);
}

/* Each row over its greatest element, the sum of its absolute values, or its length. */
static int import_normalizer(onnx_op *op)
{
    const char *norm = onnx_attr_text(op, "norm", "MAX");
    atl_node *x = onnx_float(op, 0);
    int last = onnx_rank(op, 0) - 1;
    if (!x || last < 0)
        return onnx_reject(op, "it takes vectors or matrices");
    atl_node *size = strcmp(norm, "MAX") == 0  ? atl_reduce_max(x, ATL_AXES(last), .keep = 1)
                     : strcmp(norm, "L1") == 0 ? atl_reduce_sum(atl_abs(x), ATL_AXES(last), .keep = 1)
                     : strcmp(norm, "L2") == 0 ? atl_sqrt(atl_reduce_sum(atl_square(x), ATL_AXES(last), .keep = 1))
                                               : NULL;
    return size ? onnx_give_type(op, 0, atl_div(x, size), ONNX_FLOAT)
                : onnx_reject(op, "its norm %.40s is not read", norm);
}

#define ML .domain = "ai.onnx.ml", .title = "ai.onnx.ml:"

const onnx_entry onnx_classical[] = {{"ArrayFeatureExtractor", 1, import_feature_extractor, ML "ArrayFeatureExtractor"},
                                     {"LinearClassifier", 1, import_linear_classifier, .most_outputs = 2,
                                      ML "LinearClassifier"},
                                     {"LinearRegressor", 1, import_linear_regressor, ML "LinearRegressor"},
                                     {"Normalizer", 1, import_normalizer, ML "Normalizer"},
                                     {"Scaler", 1, import_scaler, ML "Scaler"},
                                     {0}};
