/* The elements of a tensor of an ONNX file, read once and converted on the way. */
#ifndef ATLED_ONNX_TENSOR_DATA_H
#define ATLED_ONNX_TENSOR_DATA_H

#include "onnx/model.h"

/* What the elements become. */
typedef enum onnx_target {
    ONNX_TO_FLOAT, /* float */
    ONNX_TO_INT,   /* int32_t; beyond it: its limits */
    ONNX_TO_NUMBER /* long double: every whole number of 64 bits and every double is exact */
} onnx_target;

/* The number of elements, or -1 with the message set: too many dimensions or elements. */
int64_t onnx_tensor_count(const onnx_tensor *tensor);
/* Whether there can be as many bytes as the shape asks for, to be looked at before memory is allocated for them; 0 with
 * the message set. */
int onnx_check_elements(const onnx_tensor *tensor, const char *folder);
/* Reads all of them to `to`, which has room for onnx_tensor_count.  folder: of the model, where external data may lie;
 * null: nowhere. 0 with the message set, which names the tensor. */
int onnx_read_elements(const onnx_tensor *tensor, const char *folder, onnx_target target, void *to);

/* Bytes of an element, 1 for those that share one; 0 for strings and for types that are not read. */
size_t onnx_type_size(onnx_type type);
/* Bits of an element that shares a byte, 4 or 2, the first one in the lowest; else 0. */
int onnx_narrow_bits(onnx_type type);
int onnx_is_float(onnx_type type);   /* of any width */
int onnx_is_integer(onnx_type type); /* of any width; BOOL is none */

/* Half a float's bits and more: IEEE binary16, and bfloat16. */
float onnx_float_of_half(uint16_t bits);
float onnx_float_of_bfloat16(uint16_t bits);

#endif
