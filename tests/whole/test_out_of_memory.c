/* Memory that runs out at any place of a small build, compile and run: a clean error every time, and nothing is lost. */
#include "support.h"

#include "graph/memory.h"

static const float numbers[] = {1, -2, 3, 4, -5, 6, 7, 8, 9, -1, 2, 3};

/* A small net with its gradients, from nothing to the result.  Returns 0 if any call failed, with its message in *message_out. */
static int build_compile_run(const char **message_out)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 3));
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(3, 4), atl_glorot());
    atl_node *h = atl_relu(atl_add(atl_matmul(x, w), atl_scalar(x, 0.5f)));
    atl_node *loss = atl_named(atl_mean(atl_square(h)), "loss");
    atl_node *dw = atl_gradient(loss, w), *dx = atl_gradient(loss, x);
    atl_program *p = atl_compile(g, ATL_NODES(loss, dw, dx));
    atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(4, 3), numbers), *two = NULL;
    int ok = p && value && atl_run(p, ATL_FEED(x, value)) == ATL_OK;
    if (ok) {
        two = atl_tensor_of_floats(ATL_SHAPE(2, 3), numbers);
        ok = two && atl_run(p, ATL_FEED(x, two)) == ATL_OK; /* another batch: another plan */
    }
    if (ok) {
        atl_reference *r = atl_reference_run(ATL_NODES(loss, dw, dx), ATL_FEED(x, two));
        ok = r && isfinite(atl_scalar_of(p, loss)) && atl_value(p, dx);
        atl_reference_free(r);
    }
    *message_out = ok ? NULL : atl_error(); /* the thread's own buffer */
    atl_tensor_free(value);
    atl_tensor_free(two);
    atl_program_free(p);
    atl_graph_free(g);
    return ok;
}

Test(out_of_memory, at_every_allocation_is_a_clean_error)
{
    const char *message;
    int64_t before = atl_allocation_count();
    cr_assert(build_compile_run(&message), "%s", message);
    int64_t needed = atl_allocation_count() - before;
    cr_assert_gt(needed, 10);
    for (int64_t allowed = 0; allowed < needed; allowed++) {
        atl_fail_allocations_after(allowed);
        int ok = build_compile_run(&message);
        atl_fail_allocations_after(-1);
        if (ok) /* an allocation that can be done without: a cache */
            continue;
        cr_expect(strstr(message, "memory"), "after %lld allocations: \"%s\"", (long long)allowed, message);
    }
    cr_assert(build_compile_run(&message), "afterwards: %s", message);
}

Test(out_of_memory, a_graph_survives_a_failed_compile)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(4, 3)), *y = atl_sum(atl_square(x));
    atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(4, 3), numbers);
    atl_program *p = NULL;
    for (int64_t allowed = 0; !p && allowed < 1000; allowed++) {
        atl_fail_allocations_after(allowed);
        p = atl_compile(g, ATL_NODES(y));
        atl_fail_allocations_after(-1);
        if (!p)
            cr_expect(strstr(atl_error(), "memory"), "after %lld: %s", (long long)allowed, atl_error());
    }
    cr_assert(p);
    cr_assert_eq(atl_run(p, ATL_FEED(x, value)), ATL_OK, "%s", atl_error());
    cr_assert_float_eq(atl_scalar_of(p, y), 299, 1e-3);
    atl_program_free(p);
    atl_tensor_free(value);
    atl_graph_free(g);
}

Test(out_of_memory, a_program_survives_a_failed_run)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 3)), *y = atl_sum(atl_square(x));
    atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(4, 3), numbers);
    atl_program *p = atl_compile(g, ATL_NODES(y));
    cr_assert(p);
    int ran = 0;
    for (int64_t allowed = 0; !ran && allowed < 1000; allowed++) {
        atl_fail_allocations_after(allowed);
        atl_status status = atl_run(p, ATL_FEED(x, value));
        atl_fail_allocations_after(-1);
        ran = status == ATL_OK;
        if (!ran)
            cr_expect_eq(status, ATL_OUT_OF_MEMORY, "after %lld: %s", (long long)allowed, atl_error());
    }
    cr_assert(ran);
    cr_assert_float_eq(atl_scalar_of(p, y), 299, 1e-3);
    atl_program_free(p);
    atl_tensor_free(value);
    atl_graph_free(g);
}
