/* atled: symbolic gradients in plain C.  This header includes all public headers.
 *
 * Zero stands for an option's default.  ATL_ZERO is the value zero itself, and ATL_EXACTLY(x) is x, even if x is zero
 * (status.h).
 *
 * Conventions:
 *   failures    an atl_status other than ATL_OK, or null; then atl_error() has the message, whatever function failed
 *   no error    the text "", never null
 *   results     the return value; a second result is written through a pointer whose name ends in _out
 *   lists       of nodes: atl_nodes, written ATL_NODES(a, b), as an argument and as a result.  Of structs written in a
 *               call: ATL_FEEDS({x, value}), ATL_OVERRIDES(...), ATL_ONNX_SIZES(...); the macro adds an entry of zeros,
 *               which ends the list.  All others: the count, an int64_t, and then the array
 *   options     the fields of an atl_..._args.  The first field is what the function works on: a node, a graph, a data
 *               set.  Give it, and the few others that every call needs, by position, and all other options by name.
 *               An option that the function does not use is an error.  The one exception is atl_optimizer, which is
 *               made before there is anything to work on: all its options are given by name, or none
 *   flags       bool
 *   ownership   a const result belongs to the library; a non-const one returned by ..._new, _of, _read, _open or _copy
 *               belongs to the caller, who frees it with the free function of its type
 *
 * The ABI: within a minor version (0.1.x) the functions and the meaning of their arguments do not change; the soname
 * (libatled.so.0) tells the version.  Structs of options and atl_op may grow at their ends from one minor version to
 * the next, so recompile programs for each.  Opaque types (atl_graph, atl_node, atl_tensor, atl_program ...) may change
 * at any time.  Names that end in _ are internal to the headers. */
#ifndef ATLED_H
#define ATLED_H

#include "data.h"
#include "distributed.h"
#include "dot.h"
#include "explain.h"
#include "files.h"
#include "gradient.h"
#include "graph.h"
#include "layers.h"
#include "models.h"
#include "onnx.h"
#include "attack.h"
#include "op.h"
#include "ops.h"
#include "program.h"
#include "reference.h"
#include "status.h"
#include "tensor.h"
#include "train.h"

#endif
