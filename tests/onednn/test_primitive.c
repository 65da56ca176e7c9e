/* The engine, and messages for oneDNN's failures. */
#include "onednn/primitive.h"

#include <omp.h>
#include <pthread.h>

#include "support.h"

static void *ask(void *engine)
{
    *(dnnl_engine_t *)engine = onednn_engine();
    return NULL;
}

Test(primitive, one_engine_for_all_threads)
{
    enum { THREADS = 8 };
    pthread_t thread[THREADS];
    dnnl_engine_t engine[THREADS];
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&thread[i], NULL, ask, &engine[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    cr_assert_not_null(engine[0]);
    for (int i = 1; i < THREADS; i++)
        cr_expect_eq(engine[i], engine[0]);
}

Test(primitive, failures_in_words)
{
    cr_expect(onednn_succeeded(dnnl_success, "do a thing"));
    cr_expect_not(onednn_succeeded(dnnl_unimplemented, "do a thing"));
    cr_assert_mentions(atl_error(), "oneDNN cannot do a thing: it has no implementation");
    cr_expect_not(onednn_succeeded(dnnl_out_of_memory, "do a thing"));
    cr_assert_mentions(atl_error(), "out of memory");
    cr_expect_not(onednn_succeeded(dnnl_invalid_arguments, "do a thing"));
    cr_assert_mentions(atl_error(), "arguments invalid");
    cr_expect_not(onednn_succeeded(dnnl_runtime_error, "do a thing"));
    cr_assert_mentions(atl_error(), "run time");
}

Test(primitive, names_its_version)
{
    char text[80];
    cr_assert_mentions(atl_onednn_version(text, sizeof text), "oneDNN ");
}

Test(primitive, little_is_done_by_one_thread)
{
    int before = onednn_use_threads(3);
    cr_expect_eq(onednn_threads_for(0, 500), 1);
    cr_expect_eq(onednn_threads_for(60000, 30000), 1);
    cr_expect_eq(onednn_threads_for(1e6, 500), 3);
    cr_expect_eq(onednn_threads_for(0, 1e5), 3);
    cr_expect_eq(onednn_use_threads(before), 3);
    cr_expect_eq(omp_get_max_threads(), before);
}

/* Small convolutions, their gradients, a pool, a softmax and reorders: the loss and the filter gradient of a program
 * with this many threads. */
static void run_small_steps(int threads, float *loss_out, float *slope_out)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(3, 7, 6, 2)),
             *filter = atl_variable(g, "filter", ATL_SHAPE(3, 3, 2, 5), atl_he()),
             *second = atl_variable(g, "second", ATL_SHAPE(3, 3, 5, 4), atl_he());
    atl_node *h = atl_max_pool2d(atl_relu(atl_conv2d(image, filter)), .window = {2, 2});
    atl_node *loss = atl_sum(atl_square(atl_softmax(atl_conv2d(h, second))));
    atl_node *slope = atl_gradient(loss, filter);
    atl_program *program = atl_compile(g, ATL_NODES(loss, slope), .threads = threads);
    atl_tensor *pixels = atl_uniform_tensor(ATL_SHAPE(3, 7, 6, 2), -1, 1, 3);
    cr_assert(program, "%s", atl_graph_error(g));
    int around = omp_get_max_threads();
    cr_assert_eq(atl_run(program, ATL_FEED(image, pixels)), ATL_OK, "%s", atl_error());
    cr_expect_eq(omp_get_max_threads(), around);
    *loss_out = atl_scalar_of(program, loss);
    memcpy(slope_out, atl_floats(atl_value(program, slope)), 3 * 3 * 2 * 5 * sizeof(float));
    atl_tensor_free(pixels);
    atl_program_free(program);
    atl_graph_free(g);
}

Test(primitive, small_steps_give_the_same_with_any_number_of_threads)
{
    float loss[2], slope[2][3 * 3 * 2 * 5];
    run_small_steps(1, &loss[0], slope[0]);
    run_small_steps(3, &loss[1], slope[1]);
    cr_expect_eq(loss[0], loss[1]);
    cr_expect_eq(memcmp(slope[0], slope[1], sizeof slope[0]), 0);
}
