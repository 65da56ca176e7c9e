/* Shapes, and tensors: dense arrays in row-major order.  Free a tensor that you create with atl_tensor_free; tensors
 * that a function documents as owned by something else are freed with it.  Functions that create a tensor return null,
 * with the reason in atl_error(), for an invalid shape or a null argument, or if memory runs out. */
#ifndef ATLED_TENSOR_H
#define ATLED_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

/* Lists and options written in a call.  In C they live until the end of the enclosing block.  In C++ they live until
 * the end of the full expression, so a stored list, atl_nodes all = ATL_NODES(a, b), dangles there: use an array of
 * your own.  In C++, give all arguments of a call by name, in the order of their declaration, or all by position. */
#ifdef __cplusplus
#include <initializer_list>
template <class T> inline const T *atl_address_(const T &value) { return &value; }
template <class T> inline const T *atl_array_(std::initializer_list<T> values) { return values.begin(); }
template <class... T> char (&atl_count_(T &&...values))[sizeof...(T)];
#define ATL_ARRAY_(type, ...)           atl_array_<type>({__VA_ARGS__})
#define ATL_COUNT_(type, ...)           sizeof(atl_count_(__VA_ARGS__))
#define ATL_OPTIONS_(type, ...)         atl_address_(type{__VA_ARGS__})
#define ATL_OPTIONS_OR_NONE_(type, ...) atl_address_(type{__VA_ARGS__})
#define ATL_LITERAL_(type)              type
#else
#define ATL_ARRAY_(type, ...)           ((type const[]){__VA_ARGS__})
#define ATL_COUNT_(type, ...)           (sizeof((type const[]){__VA_ARGS__}) / sizeof(type))
#define ATL_OPTIONS_(type, ...)         (&(type){__VA_ARGS__, .end_ = 0})
#define ATL_OPTIONS_OR_NONE_(type, ...) (&(type){.begin_ = 0, __VA_ARGS__})
#define ATL_LITERAL_(type)              (type)
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define ATL_MAX_RANK 8
#define ATL_ANY      (-1) /* a dimension known only when a program runs, usually the batch */

typedef enum atl_dtype {
    ATL_FLOAT32 = 0,
    ATL_INT32,
    ATL_FLOAT64 /* only for tensors of the double-precision reference: no node has this type */
} atl_dtype;

/* Sizes from the outermost dimension to the innermost.  Rank 0 is a scalar. */
typedef struct atl_shape {
    int rank;
    int64_t size[ATL_MAX_RANK];
} atl_shape;

/* ATL_SHAPE(1, 28, 28, 3); ATL_SCALAR is the shape of a single number.
 * More than ATL_MAX_RANK sizes give an invalid shape. */
#define ATL_SHAPE(...) atl_shape_from((int)ATL_COUNT_(int64_t, __VA_ARGS__), ATL_ARRAY_(int64_t, __VA_ARGS__))
#define ATL_SCALAR     atl_shape_from(0, NULL)

/* Copies the sizes.  Null sizes with a rank other than 0 give an invalid shape. */
ATL_API atl_shape atl_shape_from(int rank, const int64_t *sizes);

/* The number of elements; -1 if a dimension is unknown, or the shape is invalid (a size below -1, a rank outside
 * 0..ATL_MAX_RANK, a product over 2^63 - 1, where a size of 0 is left out of the product, as in NumPy). */
ATL_API int64_t atl_shape_count(atl_shape shape);

/* True if both have the same rank and the same sizes; ATL_ANY equals only ATL_ANY.  A shape with a rank outside
 * 0..ATL_MAX_RANK equals none. */
ATL_API bool atl_shape_equal(atl_shape a, atl_shape b);

/* Writes "[5, 26, ?, 64]" into text_out, truncated if necessary, and returns text_out.  160 bytes are enough. */
ATL_API char *atl_shape_text(atl_shape shape, char *text_out, size_t size);

typedef struct atl_tensor atl_tensor;

/* A tensor of zeros, 64-byte aligned.  Every size must be known. */
ATL_API atl_tensor *atl_tensor_new(atl_dtype dtype, atl_shape shape);

/* A copy of count(shape) elements at data. */
ATL_API atl_tensor *atl_tensor_of_floats(atl_shape shape, const float *data);
ATL_API atl_tensor *atl_tensor_of_ints(atl_shape shape, const int32_t *data);

/* A tensor over the caller's memory, which must outlive it; atl_tensor_free does not free that memory. */
ATL_API atl_tensor *atl_tensor_view(atl_dtype dtype, atl_shape shape, void *data);

/* Uniform in [lowest, highest); the same seed gives the same bits on every machine. */
ATL_API atl_tensor *atl_uniform_tensor(atl_shape shape, float lowest, float highest, uint64_t seed);

/* A new tensor of the same type, shape and elements; it owns its elements even if `tensor` is a view. */
ATL_API atl_tensor *atl_tensor_copy(const atl_tensor *tensor);

/* A new tensor with the elements converted; float to int32 rounds towards zero and saturates. */
ATL_API atl_tensor *atl_tensor_convert(const atl_tensor *tensor, atl_dtype dtype);

/* Null is allowed. */
ATL_API void atl_tensor_free(atl_tensor *tensor);

/* Properties of a tensor.  For null: ATL_FLOAT32, the scalar shape, 0. */
ATL_API atl_dtype atl_tensor_dtype(const atl_tensor *tensor);
ATL_API atl_shape atl_tensor_shape(const atl_tensor *tensor);
ATL_API int64_t atl_tensor_count(const atl_tensor *tensor);

/* The elements: of a const atl_tensor for reading only (const float *), of any other for reading and writing (float *).
 * Null if the tensor is null or of another type.  They live as long as the tensor. */
ATL_API float *atl_floats(atl_tensor *tensor);
ATL_API int32_t *atl_ints(atl_tensor *tensor);
ATL_API double *atl_doubles(atl_tensor *tensor);
/* The same for a const tensor: atl_floats(tensor) calls them by itself. */
ATL_API const float *atl_const_floats(const atl_tensor *tensor);
ATL_API const int32_t *atl_const_ints(const atl_tensor *tensor);
ATL_API const double *atl_const_doubles(const atl_tensor *tensor);

/* The size of an element in bytes. */
ATL_API size_t atl_dtype_size(atl_dtype dtype);
/* "float32", "int32", "float64". */
ATL_API const char *atl_dtype_name(atl_dtype dtype);

#ifdef __cplusplus
}
inline const float *atl_floats(const atl_tensor *tensor) { return atl_const_floats(tensor); }
inline const int32_t *atl_ints(const atl_tensor *tensor) { return atl_const_ints(tensor); }
inline const double *atl_doubles(const atl_tensor *tensor) { return atl_const_doubles(tensor); }
#else
#define ATL_BY_CONST_(tensor, of_const, of_other) _Generic((tensor), const atl_tensor * : of_const, default : of_other)
#define atl_floats(tensor)                        ATL_BY_CONST_((tensor), atl_const_floats, atl_floats)(tensor)
#define atl_ints(tensor)                          ATL_BY_CONST_((tensor), atl_const_ints, atl_ints)(tensor)
#define atl_doubles(tensor)                       ATL_BY_CONST_((tensor), atl_const_doubles, atl_doubles)(tensor)
#endif
#endif
