/* Tensors: dense arrays. */
#include "graph/tensor.h"

#include <math.h>
#include <string.h>

#include "graph/error.h"
#include "graph/memory.h"
#include "graph/random.h"
#include "graph/unset_tensor.h"

size_t atl_dtype_size(atl_dtype dtype) { return dtype == ATL_FLOAT64 ? 8 : 4; }

const char *atl_dtype_name(atl_dtype dtype)
{
    static const char *const name[] = {"float32", "int32", "float64"};
    return (unsigned)dtype < 3 ? name[dtype] : "unknown type";
}

/* A header without data, or null with the error set. */
static atl_tensor *new_header(atl_dtype dtype, atl_shape shape)
{
    char text[160];
    int64_t count = atl_shape_count(shape), bytes;
    if ((unsigned)dtype > ATL_FLOAT64) {
        atl_set_error(ATL_INVALID, "tensor: %d is not an element type", (int)dtype);
        return NULL;
    }
    if (count < 0 || __builtin_mul_overflow(count, (int64_t)atl_dtype_size(dtype), &bytes)) {
        atl_set_error(
            ATL_INVALID,
            "tensor: the shape %s has an unknown or negative size, more than %d dimensions, or too many elements",
            atl_shape_text(shape, text, sizeof text), ATL_MAX_RANK);
        return NULL;
    }
    atl_tensor *tensor = atl_allocate(1, sizeof *tensor);
    if (!tensor) {
        atl_out_of_memory();
        return NULL;
    }
    tensor->dtype = dtype;
    tensor->shape = shape;
    tensor->count = count;
    return tensor;
}

atl_tensor *atl_tensor_unset(atl_dtype dtype, atl_shape shape)
{
    atl_tensor *tensor = new_header(dtype, shape);
    if (!tensor)
        return NULL;
    tensor->data = atl_allocate_aligned((size_t)tensor->count * atl_dtype_size(dtype));
    tensor->owned = 1;
    if (!tensor->data) {
        char text[160];
        atl_set_error(ATL_OUT_OF_MEMORY, "out of memory for a tensor %s of %s",
                      atl_shape_text(shape, text, sizeof text), atl_dtype_name(dtype));
        atl_release(tensor);
        return NULL;
    }
    return tensor;
}

atl_tensor *atl_tensor_new(atl_dtype dtype, atl_shape shape)
{
    atl_tensor *tensor = atl_tensor_unset(dtype, shape);
    if (tensor)
        memset(tensor->data, 0, (size_t)tensor->count * atl_dtype_size(dtype));
    return tensor;
}

static int no_data(void)
{
    atl_set_error(ATL_INVALID, "tensor: the data is null");
    return 1;
}

static atl_tensor *new_filled(atl_dtype dtype, atl_shape shape, const void *data)
{
    if (!data && no_data())
        return NULL;
    atl_tensor *tensor = atl_tensor_unset(dtype, shape);
    if (tensor)
        memcpy(tensor->data, data, (size_t)tensor->count * atl_dtype_size(dtype));
    return tensor;
}

atl_tensor *atl_tensor_of_floats(atl_shape shape, const float *data) { return new_filled(ATL_FLOAT32, shape, data); }
atl_tensor *atl_tensor_of_ints(atl_shape shape, const int32_t *data) { return new_filled(ATL_INT32, shape, data); }

atl_tensor *atl_tensor_view(atl_dtype dtype, atl_shape shape, void *data)
{
    if (!data && no_data())
        return NULL;
    atl_tensor *tensor = new_header(dtype, shape);
    if (tensor)
        tensor->data = data;
    return tensor;
}

atl_tensor *atl_uniform_tensor(atl_shape shape, float lowest, float highest, uint64_t seed)
{
    atl_tensor *tensor = atl_tensor_unset(ATL_FLOAT32, shape);
    for (int64_t i = 0; tensor && i < tensor->count; i++) {
        atl_floats(tensor)[i] = atl_random_between(lowest, highest, seed, (uint64_t)i);
    }
    return tensor;
}

static int no_tensor(void)
{
    atl_set_error(ATL_INVALID, "the tensor is null");
    return 1;
}

atl_tensor *atl_tensor_copy(const atl_tensor *tensor)
{
    if (!tensor && no_tensor())
        return NULL;
    return new_filled(tensor->dtype, tensor->shape, tensor->data);
}

static double element(const atl_tensor *tensor, int64_t i)
{
    switch (tensor->dtype) {
    case ATL_FLOAT32:
        return ((const float *)tensor->data)[i];
    case ATL_INT32:
        return ((const int32_t *)tensor->data)[i];
    default:
        return ((const double *)tensor->data)[i];
    }
}

static int32_t saturated(double x)
{
    if (!(x > INT32_MIN))
        return isnan(x) ? 0 : INT32_MIN;
    return x < INT32_MAX ? (int32_t)x : INT32_MAX;
}

atl_tensor *atl_tensor_convert(const atl_tensor *tensor, atl_dtype dtype)
{
    if (!tensor && no_tensor())
        return NULL;
    atl_tensor *result = atl_tensor_unset(dtype, tensor->shape);
    for (int64_t i = 0; result && i < result->count; i++) {
        double x = element(tensor, i);
        if (dtype == ATL_FLOAT32)
            ((float *)result->data)[i] = (float)x;
        else if (dtype == ATL_INT32)
            ((int32_t *)result->data)[i] = saturated(x);
        else
            ((double *)result->data)[i] = x;
    }
    return result;
}

void atl_tensor_free(atl_tensor *tensor)
{
    if (!tensor)
        return;
    if (tensor->owned)
        atl_release(tensor->data);
    atl_release(tensor);
}

atl_dtype atl_tensor_dtype(const atl_tensor *tensor) { return tensor ? tensor->dtype : ATL_FLOAT32; }
atl_shape atl_tensor_shape(const atl_tensor *tensor) { return tensor ? tensor->shape : ATL_SCALAR; }
int64_t atl_tensor_count(const atl_tensor *tensor) { return tensor ? tensor->count : 0; }

static void *data_of(const atl_tensor *tensor, atl_dtype dtype)
{
    return tensor && tensor->dtype == dtype ? tensor->data : NULL;
}

/* In parentheses, since each name of the first three is also a macro. */
float *(atl_floats)(atl_tensor *tensor) { return data_of(tensor, ATL_FLOAT32); }
int32_t *(atl_ints)(atl_tensor *tensor) { return data_of(tensor, ATL_INT32); }
double *(atl_doubles)(atl_tensor *tensor) { return data_of(tensor, ATL_FLOAT64); }
const float *atl_const_floats(const atl_tensor *tensor) { return data_of(tensor, ATL_FLOAT32); }
const int32_t *atl_const_ints(const atl_tensor *tensor) { return data_of(tensor, ATL_INT32); }
const double *atl_const_doubles(const atl_tensor *tensor) { return data_of(tensor, ATL_FLOAT64); }
