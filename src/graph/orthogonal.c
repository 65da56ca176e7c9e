/* Orthogonal matrices from random ones (Saxe et al. 2014): see orthogonal.h. */
#include "graph/orthogonal.h"

#include "graph/error.h"
#include "graph/memory.h"
#include "graph/random.h"
#include "kernels/kernels.h"
#include "kernels/parallel.h"

typedef struct orthogonal_job {
    float *w; /* [rows, columns] */
    int64_t rows, columns, length;
    float gain;
    uint64_t stream;
    double *q; /* the vectors, one a row */
} orthogonal_job;

static void draw_vectors(const void *given, int64_t first, int64_t last)
{
    const orthogonal_job *job = given;
    for (int64_t i = first; i < last; i++)
        for (int64_t k = 0; k < job->length; k++)
            job->q[i * atl_orthogonal_row(job->length) + k] =
                atl_random_normal(job->stream, (uint64_t)(i * job->length + k));
}

static void store_vectors(const void *given, int64_t first, int64_t last)
{
    const orthogonal_job *job = given;
    const int64_t row = atl_orthogonal_row(job->length);
    for (int64_t r = first; r < last; r++)
        for (int64_t c = 0; c < job->columns; c++)
            job->w[r * job->columns + c] =
                (float)(job->gain * (job->rows < job->columns ? job->q[r * row + c] : job->q[c * row + r]));
}

atl_status atl_fill_orthogonal(float *w, atl_shape shape, float gain, uint64_t stream)
{
    int64_t columns = shape.rank ? shape.size[shape.rank - 1] : 1, count = atl_shape_count(shape);
    int64_t rows = columns ? count / columns : 0, vectors = rows < columns ? rows : columns;
    orthogonal_job job = {
        .w = w, .rows = rows, .columns = columns, .length = rows + columns - vectors, .gain = gain, .stream = stream};
    if (count == 0)
        return ATL_OK;
    job.q = atl_allocate((size_t)vectors, (size_t)atl_orthogonal_row(job.length) * sizeof *job.q);
    double *squares = atl_allocate((size_t)vectors, sizeof *squares);
    if (job.q && squares) {
        atl_parallel(vectors, 16 * count, draw_vectors, &job); /* a number costs a logarithm and a cosine */
        atl_kernels->orthonormalize(job.q, vectors, job.length, squares);
        atl_parallel(rows, count, store_vectors, &job);
    }
    int ok = job.q && squares;
    atl_release(squares);
    atl_release(job.q);
    return ok ? ATL_OK : atl_out_of_memory();
}
