/* atled: symbolic gradients in plain C.  This header includes the whole public face.
 *
 * Zero stands for an option's default; ATL_ZERO is the zero itself, and ATL_EXACTLY(x) is x, be it zero or not (status.h). */
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
