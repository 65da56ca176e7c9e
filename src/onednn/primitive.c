/* The engine, error messages, and how a primitive becomes a step of a plan. */
#include "onednn/primitive.h"

#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "cost/cost.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "onednn/nan_guard.h"

/* oneDNN fixes its instruction set at its first use, so this runs before.  If other code of the process has used oneDNN
 * before, the cap has no effect. */
static void cap_instruction_set(void)
{
    if (atl_isa_in_use() == ATL_ISA_AVX2)
        dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx2);
    else if (atl_isa_in_use() == ATL_ISA_GENERIC)
        dnnl_set_max_cpu_isa(dnnl_cpu_isa_sse41);
}

static unsigned instruction_set(void)
{
    static pthread_once_t capped = PTHREAD_ONCE_INIT;
    pthread_once(&capped, cap_instruction_set);
    return (unsigned)dnnl_get_effective_cpu_isa();
}

dnnl_engine_t onednn_engine(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static dnnl_engine_t engine;
    instruction_set();
    pthread_mutex_lock(&lock);
    if (!engine && !onednn_succeeded(dnnl_engine_create(&engine, dnnl_cpu, 0), "make an engine"))
        engine = NULL;
    dnnl_engine_t made = engine;
    pthread_mutex_unlock(&lock);
    return made;
}

int onednn_succeeded(dnnl_status_t status, const char *what)
{
    switch (status) {
    case dnnl_success:
        return 1;
    case dnnl_out_of_memory:
        atl_set_error(ATL_OUT_OF_MEMORY, "oneDNN cannot %s: out of memory", what);
        return 0;
    case dnnl_unimplemented:
        atl_set_error(ATL_UNSUPPORTED, "oneDNN cannot %s: it has no implementation for these shapes on this processor",
                      what);
        return 0;
    case dnnl_invalid_arguments:
        atl_set_error(ATL_INTERNAL, "oneDNN cannot %s: it calls the arguments invalid, which atled should have noticed",
                      what);
        return 0;
    default:
        atl_set_error(ATL_INTERNAL, "oneDNN cannot %s: %s", what,
                      status == dnnl_runtime_error ? "it failed at run time" : "an unexpected status");
        return 0;
    }
}

const char *atl_onednn_version(char *text, size_t size)
{
    const dnnl_version_t *version = dnnl_version();
    static const struct {
        unsigned isa;
        const char *name;
    } sets[] = {{dnnl_cpu_isa_avx512_core, "avx512"}, {dnnl_cpu_isa_avx2, "avx2"}, {dnnl_cpu_isa_sse41, "sse4.1"}};
    unsigned isa = instruction_set();
    const char *name = "no vectors";
    for (int i = 2; i >= 0; i--)
        if ((isa & sets[i].isa) == sets[i].isa)
            name = sets[i].name;
    snprintf(text, size, "oneDNN %d.%d.%d, %s", version->major, version->minor, version->patch, name);
    return text;
}

dnnl_primitive_attr_t onednn_attributes(void)
{
    dnnl_primitive_attr_t attributes = NULL;
    if (!onednn_succeeded(dnnl_primitive_attr_create(&attributes), "make attributes"))
        return NULL;
    if (onednn_succeeded(dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user),
                         "set attributes"))
        return attributes;
    dnnl_primitive_attr_destroy(attributes);
    return NULL;
}

dnnl_primitive_attr_t onednn_product_attributes(int bfloat16)
{
    dnnl_primitive_attr_t attributes = onednn_attributes();
    if (!attributes || !bfloat16 ||
        onednn_succeeded(dnnl_primitive_attr_set_fpmath_mode(attributes, dnnl_fpmath_mode_bf16), "set the math mode"))
        return attributes;
    dnnl_primitive_attr_destroy(attributes);
    return NULL;
}

int atl_onednn_has_bfloat16(void)
{
    unsigned needed = dnnl_cpu_isa_avx512_core_bf16;
    return (instruction_set() & needed) == needed;
}

const char *onednn_implementation(const_dnnl_primitive_desc_t desc)
{
    const char *name = NULL;
    if (dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, (void *)&name) != dnnl_success || !name)
        return "unknown";
    return name;
}

int onednn_is_reference(const_dnnl_primitive_desc_t desc)
{
    const char *name = onednn_implementation(desc);
    return !strncmp(name, "ref", 3) || strstr(name, ":ref") || strstr(name, "ref:"); /* "lrn_ref:any" */
}

/* Some implementations of oneDNN 2.6.3 read a binary post-op's operand at wrong addresses: convolutions by matrix
 * products ("gemm") for every shape in NHWC; depthwise ones ("brdgmm") if the channels do not fill the last vector. */
static int adds_residual(const char *implementation)
{
    return !strstr(implementation, "gemm:") && !strstr(implementation, "brdgmm");
}

static int is_acceptable(const_dnnl_primitive_desc_t desc, onednn_preference preference)
{
    const char *implementation = onednn_implementation(desc);
    if (preference.adds_residual && !adds_residual(implementation))
        return 0;
    if (preference.name && !strcmp(preference.name, "ref"))
        return onednn_is_reference(desc);
    return !onednn_is_reference(desc) && (!preference.name || strstr(implementation, preference.name)) &&
           (!preference.unlike || !strstr(implementation, preference.unlike));
}

#if DNNL_VERSION_MAJOR >= 3
dnnl_status_t onednn_first_acceptable(dnnl_primitive_desc_t *desc, dnnl_status_t made, onednn_preference preference)
{
    dnnl_status_t status = made;
    while (status == dnnl_success && !is_acceptable(*desc, preference))
        status = dnnl_primitive_desc_next_impl(*desc);
    if (status != dnnl_success && made == dnnl_success) {
        dnnl_primitive_desc_destroy(*desc);
        *desc = NULL;
    }
    return status == dnnl_last_impl_reached ? dnnl_unimplemented : status;
}
#else
dnnl_status_t onednn_first_acceptable(dnnl_primitive_desc_t *desc, const_dnnl_op_desc_t op,
                                      const_dnnl_primitive_attr_t attributes, const_dnnl_primitive_desc_t hint,
                                      onednn_preference preference)
{
    dnnl_primitive_desc_iterator_t iterator = NULL;
    dnnl_status_t status = dnnl_primitive_desc_iterator_create(&iterator, op, attributes, onednn_engine(), hint);
    *desc = NULL;
    while (status == dnnl_success) {
        *desc = dnnl_primitive_desc_iterator_fetch(iterator);
        if (!*desc)
            status = dnnl_out_of_memory;
        else if (is_acceptable(*desc, preference))
            break;
        else {
            dnnl_primitive_desc_destroy(*desc);
            *desc = NULL;
            status = dnnl_primitive_desc_iterator_next(iterator);
        }
    }
    if (iterator)
        dnnl_primitive_desc_iterator_destroy(iterator);
    return status == dnnl_iterator_ends ? dnnl_unimplemented : status;
}
#endif

int onednn_accept(dnnl_primitive_desc_t *desc, dnnl_status_t status, const char *what)
{
    if (status == dnnl_unimplemented) {
        *desc = NULL;
        return 1;
    }
    if (!onednn_succeeded(status, what))
        return 0;
    if (onednn_is_reference(*desc)) {
        dnnl_primitive_desc_destroy(*desc);
        *desc = NULL;
    }
    return 1;
}

onednn_md onednn_required_md(const_dnnl_primitive_desc_t desc, int argument)
{
    return dnnl_primitive_desc_query_md(desc, dnnl_query_exec_arg_md, argument);
}

/* Waking other threads takes a microsecond, or some tens if they sleep.  The choice depends on sizes only, so that a
 * program divides work equally in every run. */
int onednn_threads_for(double flops, double floats)
{
    const atl_costs *cost = atl_costs_in_use();
    return flops < cost->primitive_flops && floats < cost->primitive_floats ? 1 : omp_get_max_threads();
}

int onednn_use_threads(int threads)
{
    int before = omp_get_max_threads();
    if (before != threads)
        omp_set_num_threads(threads);
    return before;
}

/* The data of a primitive that all contexts of a program share. */
typedef struct primitive_data {
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
    onednn_guard guard; /* zeroed: the primitive drops no NaN */
    int threads;        /* for which it is made */
    int count;
    struct {
        int argument;
        atl_value_id value;
    } arguments[ONEDNN_MOST_ARGUMENTS];
    char implementation[64];
} primitive_data;

/* A context's data of a primitive.  Threads must not share a stream; a context runs in one thread at a time. */
typedef struct bound_primitive {
    dnnl_stream_t stream;
    int count;
    void *address[ONEDNN_MOST_ARGUMENTS]; /* the current address of each memory object */
    dnnl_exec_arg_t arguments[ONEDNN_MOST_ARGUMENTS];
} bound_primitive;

static void release_primitive(void *data)
{
    primitive_data *primitive = data;
    if (!primitive)
        return;
    if (primitive->primitive)
        dnnl_primitive_destroy(primitive->primitive);
    if (primitive->desc)
        dnnl_primitive_desc_destroy(primitive->desc);
    onednn_release_guard(&primitive->guard);
    atl_release(primitive);
}

static void unbind_primitive(void *bound)
{
    bound_primitive *primitive = bound;
    if (!primitive)
        return;
    for (int i = 0; i < primitive->count; i++)
        dnnl_memory_destroy(primitive->arguments[i].memory);
    if (primitive->stream)
        dnnl_stream_destroy(primitive->stream);
    atl_release(primitive);
}

static void *bind_primitive(const atl_plan_step *step)
{
    const primitive_data *data = step->data;
    dnnl_engine_t engine = onednn_engine();
    bound_primitive *bound = engine ? atl_allocate(1, sizeof *bound) : NULL;
    if (!bound) {
        if (engine)
            atl_out_of_memory();
        return NULL;
    }
    int ok = onednn_succeeded(dnnl_stream_create(&bound->stream, engine, dnnl_stream_default_flags), "make a stream");
    for (int i = 0; ok && i < data->count; i++) {
        dnnl_exec_arg_t *argument = &bound->arguments[i];
        argument->arg = data->arguments[i].argument;
        onednn_md md = onednn_required_md(data->desc, argument->arg);
        ok = onednn_succeeded(dnnl_memory_create(&argument->memory, md, engine, DNNL_MEMORY_NONE),
                              "make a memory object");
        bound->count += ok;
    }
    if (ok)
        return bound;
    unbind_primitive(bound);
    return NULL;
}

static int run_primitive(const atl_plan_step *step, void *const *memory, void *bound)
{
    const primitive_data *data = step->data;
    bound_primitive *mine = bound;
    for (int i = 0; i < mine->count; i++) {
        void *address = memory[data->arguments[i].value];
        if (address == mine->address[i])
            continue;
        /* This also clears the padding of a blocked layout, so it is delayed until this step owns the memory. */
        if (!onednn_succeeded(dnnl_memory_set_data_handle(mine->arguments[i].memory, address), "use the memory"))
            return 1;
        mine->address[i] = address;
    }
    /* With OpenMP on a CPU the call returns when the work is done: no wait is needed. */
    int before = onednn_use_threads(data->threads);
    int ok = data->guard.recompute
                 ? onednn_execute_guarded(&data->guard, data->desc, data->primitive, mine->stream, mine->count,
                                          mine->arguments)
                 : onednn_succeeded(dnnl_primitive_execute(data->primitive, mine->stream, mine->count, mine->arguments),
                                    "execute a primitive");
    onednn_use_threads(before);
    return !ok;
}

static void note_value(atl_plan_step *step, const onednn_argument *argument)
{
    if (argument->written != ONEDNN_WRITTEN)
        step->read[step->reads++] = argument->value;
    if (argument->written != ONEDNN_READ)
        step->write[step->writes++] = argument->value;
}

/* Fills data and the step's reads and writes; the scratchpad comes last. */
static int gather_arguments(atl_lowering *lowering, primitive_data *data, atl_plan_step *step, int count,
                            const onednn_argument *arguments)
{
    onednn_argument all[ONEDNN_MOST_ARGUMENTS];
    onednn_md scratchpad = onednn_required_md(data->desc, DNNL_ARG_SCRATCHPAD);
    size_t bytes = scratchpad ? dnnl_memory_desc_get_size(scratchpad) : 0;
    if (count + (bytes > 0) > ONEDNN_MOST_ARGUMENTS) {
        atl_set_error(ATL_INTERNAL, "a primitive with more than %d arguments", ONEDNN_MOST_ARGUMENTS);
        return 0;
    }
    memcpy(all, arguments, (size_t)count * sizeof *all);
    if (bytes > 0)
        all[count++] =
            (onednn_argument){DNNL_ARG_SCRATCHPAD, atl_lower_scratch(lowering, (int64_t)bytes), ONEDNN_WRITTEN};
    for (int i = 0; i < count; i++) {
        if (all[i].value < 0)
            return 0; /* the lowering has failed and set the error */
        data->arguments[i].argument = all[i].argument;
        data->arguments[i].value = all[i].value;
        note_value(step, &all[i]);
    }
    data->count = count;
    return 1;
}

int onednn_lower_primitive(atl_lowering *lowering, dnnl_primitive_desc_t desc, int count,
                           const onednn_argument *arguments, double flops, int threads)
{
    return onednn_lower_guarded(lowering, desc, &(onednn_guard){0}, count, arguments, flops, threads);
}

int onednn_lower_guarded(atl_lowering *lowering, dnnl_primitive_desc_t desc, const onednn_guard *guard, int count,
                         const onednn_argument *arguments, double flops, int threads)
{
    atl_plan_step step = {.run = run_primitive,
                          .bind = bind_primitive,
                          .unbind = unbind_primitive,
                          .release = release_primitive,
                          .flops = flops};
    primitive_data *data = atl_allocate(1, sizeof *data);
    if (!data) {
        onednn_guard unused = *guard;
        dnnl_primitive_desc_destroy(desc);
        onednn_release_guard(&unused);
        atl_out_of_memory();
        return 0;
    }
    data->desc = desc;
    data->guard = *guard;
    data->threads = threads;
    snprintf(data->implementation, sizeof data->implementation, "%s", onednn_implementation(desc));
    step.implementation = data->implementation;
    step.data = data;
    int before = onednn_use_threads(threads);
    int ok = gather_arguments(lowering, data, &step, count, arguments) &&
             onednn_succeeded(dnnl_primitive_create(&data->primitive, desc), "make a primitive");
    onednn_use_threads(before);
    if (!ok) {
        release_primitive(data);
        return 0;
    }
    return atl_lower_step(lowering, &step);
}
