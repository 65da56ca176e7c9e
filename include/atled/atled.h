/* atled: symbolic gradients in plain C.  This header includes the whole public face.
 *
 * Zero stands for an option's default; ATL_ZERO is the zero itself, and ATL_EXACTLY(x) is x, be it zero or not (status.h).
 *
 * One way each:
 *   failures    an atl_status other than ATL_OK, or null; atl_error() has the words, of whatever call
 *   results     what is returned; a second one is written through a pointer whose name ends in _out
 *   lists       atl_nodes, written ATL_NODES(a, b); in other lists the count comes before the array
 *   options     the fields of an atl_..._args: what the call is about first, options by name
 *   flags       int, 0 for no
 *   ownership   const is the library's, or the caller's to keep; what is not const and returned by ..._new, _of, _read, _open or _copy
 *               is the caller's, who frees it with the call of that type
 *
 * The ABI: the functions and the meaning of their arguments stay within a minor version, 0.1.x, which the soname tells (libatled.so.0).
 * Structs of options and atl_op may grow at their ends from one minor version to the next, so a program is compiled anew for each.
 * Opaque types (atl_graph, atl_node, atl_tensor, atl_program ...) may change at any time.  Names that end in _ are of the headers alone. */
#ifndef ATLED_H
#define ATLED_H

#include "data.h"
#include "dot.h"
#include "files.h"
#include "gradient.h"
#include "graph.h"
#include "layers.h"
#include "models.h"
#include "attack.h"
#include "op.h"
#include "ops.h"
#include "program.h"
#include "reference.h"
#include "status.h"
#include "tensor.h"
#include "train.h"

#endif
