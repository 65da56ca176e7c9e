/* The families of ops: each a table in a file of its own. */
#ifndef ATLED_ONNX_FAMILIES_H
#define ATLED_ONNX_FAMILIES_H

#include "onnx/import.h"

/* In an entry, before the op's name. */
#define ONNX_OF_MICROSOFT .domain = "com.microsoft", .title = "com.microsoft:"

extern const onnx_entry onnx_activations[];
extern const onnx_entry onnx_classical[];
extern const onnx_entry onnx_arithmetic[];
extern const onnx_entry onnx_attentions[];
extern const onnx_entry onnx_convolutions[];
extern const onnx_entry onnx_fused[];
extern const onnx_entry onnx_pools[];
extern const onnx_entry onnx_normalizations[];
extern const onnx_entry onnx_shapes[];
extern const onnx_entry onnx_movements[];
extern const onnx_entry onnx_indexing[];
extern const onnx_entry onnx_reductions[];
extern const onnx_entry onnx_matrices[];
extern const onnx_entry onnx_control[];
extern const onnx_entry onnx_loops[];
extern const onnx_entry onnx_resizes[];
extern const onnx_entry onnx_grids[];
extern const onnx_entry onnx_einsums[];
extern const onnx_entry onnx_quantized[];
extern const onnx_entry onnx_qlinear[];
extern const onnx_entry onnx_recurrent[];
extern const onnx_entry onnx_losses[];
extern const onnx_entry onnx_scatters[];
extern const onnx_entry onnx_sequences[];
extern const onnx_entry onnx_scans[];
extern const onnx_entry onnx_signals[];

#endif
