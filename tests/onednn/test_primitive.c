/* The engine, and oneDNN's failures in words. */
#include "onednn/primitive.h"

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
