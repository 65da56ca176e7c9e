/* Memory descriptors, and how a primitive becomes a step.  Only for the files of this folder.
 * oneDNN 2.x and 3.x create and own descriptors differently; this header hides the differences from the other files. */
#ifndef ATLED_ONEDNN_PRIMITIVE_H
#define ATLED_ONEDNN_PRIMITIVE_H

#include <oneapi/dnnl/dnnl.h>

#include "onednn/onednn.h"

/* An owned memory descriptor (3.x: a handle), and a pointer to one for reading. */
typedef struct onednn_desc {
    dnnl_memory_desc_t md;
} onednn_desc;
#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t onednn_md;
#define ONEDNN_MD(desc) ((onednn_md)(desc).md)
#else
typedef const dnnl_memory_desc_t *onednn_md;
#define ONEDNN_MD(desc) ((onednn_md) & (desc).md)
#endif

struct atl_memory_layout {
    onednn_desc plain;  /* the plain layout, with oneDNN's dimensions */
    onednn_desc actual; /* the actual layout; the same dimensions */
    char letters[8];    /* names of these dimensions: "nchw", "oihw", "goihw", "ab" */
};

/* The engine of the process; null with the error set. */
dnnl_engine_t onednn_engine(void);

/* Returns 1 for success; else 0, with the error set: "oneDNN cannot <what>: ...". */
int onednn_succeeded(dnnl_status_t status, const char *what);

/* Describes float32 memory: dims in oneDNN's order with their strides in elements (null: row-major).  These functions
 * check what oneDNN does not: they return 0 with the error set for a size outside 0..2^31-1 or a product over 2^60. */
int onednn_describe(onednn_desc *desc, int rank, const int64_t *dims, const int64_t *strides);
/* The primitive chooses the layout. */
int onednn_describe_any(onednn_desc *desc, int rank, const int64_t *dims);
/* The shape with all dimensions in their order, row-major. */
int onednn_describe_shape(onednn_desc *desc, atl_shape shape);
/* [n, h, w, c] in the plain layout, described as n, c, h, w. */
int onednn_describe_image(onednn_desc *desc, atl_shape shape);
/* The same in blocks of 16 channels, which must divide c; otherwise (a first layer's three) in planes. */
int onednn_describe_image_blocked(onednn_desc *desc, atl_shape shape);
int onednn_describe_image_any(onednn_desc *desc, atl_shape shape);
/* The same in bfloat16; not for blocks. */
int onednn_round_desc(onednn_desc *desc);
/* The same with elements of another array's type; not for blocks. */
int onednn_retype_desc(onednn_desc *desc, onednn_md like);
int onednn_copy_desc(onednn_desc *desc, onednn_md from);
void onednn_release_desc(onednn_desc *desc); /* also of a zeroed one */

int onednn_same(onednn_md a, onednn_md b);

/* New attributes with a user-managed scratchpad; null with the error set. */
dnnl_primitive_attr_t onednn_attributes(void);
/* The same for a product; bfloat16: oneDNN may round float32 operands itself (2.6.3 does so with AMX only). */
dnnl_primitive_attr_t onednn_product_attributes(int bfloat16);

/* "brgconv:avx512_core", "ref:any", ... of a primitive descriptor; never null. */
const char *onednn_implementation(const_dnnl_primitive_desc_t desc);
int onednn_is_reference(const_dnnl_primitive_desc_t desc);
/* Call it after an attempt to open a primitive for which we have a kernel: returns 1, with *desc null if oneDNN has
 * only reference loops or nothing at all; 0 with the error set. */
int onednn_accept(dnnl_primitive_desc_t *desc, dnnl_status_t status, const char *what);

/* Which implementations are accepted: not a reference, unless the name "ref" is requested; its name contains `name`
 * (null: any) and does not contain `unlike` (null: nothing); with `adds_residual`, it adds the operand of a binary
 * post-op to the right elements. */
typedef struct onednn_preference {
    const char *name, *unlike;
    int adds_residual;
} onednn_preference;

/* The first acceptable implementation, in oneDNN's order; dnnl_unimplemented, and *desc null, if there is none. */
#if DNNL_VERSION_MAJOR >= 3
dnnl_status_t onednn_first_acceptable(dnnl_primitive_desc_t *desc, dnnl_status_t made,
                                      onednn_preference preference); /* *desc was just made */
#else
dnnl_status_t onednn_first_acceptable(dnnl_primitive_desc_t *desc, const_dnnl_op_desc_t op,
                                      const_dnnl_primitive_attr_t attributes, const_dnnl_primitive_desc_t hint,
                                      onednn_preference preference);
#endif

/* The memory descriptor that the primitive requires for an argument (DNNL_ARG_SRC, ...). */
onednn_md onednn_required_md(const_dnnl_primitive_desc_t desc, int argument);

/* Input i of the node being lowered in the layout that a primitive requires; `plain` describes its plain layout.
 * Returns -1 on failure. */
atl_value_id onednn_input(atl_lowering *lowering, int i, onednn_md plain, onednn_md required, const char *letters);
/* The result of the node, in the layout that the primitive writes. */
atl_value_id onednn_output(atl_lowering *lowering, onednn_md plain, onednn_md written, const char *letters);

/* Emits the step that converts a value from one description to the other. */
int onednn_lower_reorder(atl_lowering *lowering, onednn_md from_md, atl_value_id from, onednn_md to_md,
                         atl_value_id to);

/* One argument of a primitive: DNNL_ARG_..., the value, and whether the primitive writes it. */
typedef struct onednn_argument {
    int argument;
    atl_value_id value;
    int written; /* ONEDNN_READ, _WRITTEN, or both */
} onednn_argument;
enum { ONEDNN_READ = 0, ONEDNN_WRITTEN = 1, ONEDNN_READ_AND_WRITTEN = 2, ONEDNN_MOST_ARGUMENTS = 12 };

/* The number of threads for which a primitive is created, and with which it runs: one for few flops (0: it only moves
 * data) on few floats, as cost/ tells, else all available. */
int onednn_threads_for(double flops, double floats);
/* Sets the calling thread's number of threads.  Returns the previous number. */
int onednn_use_threads(int threads);

/* Emits the step that executes the primitive with these arguments; adds the scratchpad.  Takes ownership of desc, also
 * on failure.  flops: a multiply-add counts as two; threads: the number for which desc was created.  Returns 1, or 0
 * with the error set. */
int onednn_lower_primitive(atl_lowering *lowering, dnnl_primitive_desc_t desc, int count,
                           const onednn_argument *arguments, double flops, int threads);

#endif
