/* A layer of radial basis functions, twice: built from the library's ops, and as one op of your own.
 *     phi[c, n] = exp(beta[c] * |image[n] - centers[c]|^2),   output = transposed phi times w
 * Both give the same numbers and the same gradients.  usage: rbf_layer */
#include <atled/atled.h>
#include <math.h>
#include <stdio.h>

/* [n, d] and [c, d] -> [c, n]: their squared distances */
static atl_node *squared_distances(atl_node *image, atl_node *centers)
{
    atl_node *between = atl_sub(image, atl_expand_dims(centers, 1)); /* [n, d] - [c, 1, d] -> [c, n, d] */
    return atl_reduce_sum_square(between, ATL_AXES(2));
}

static atl_node *rbf_of_ops(atl_node *image, atl_node *centers, atl_node *beta)
{
    return atl_exp(atl_mul(atl_expand_dims(beta, 1), squared_distances(image, centers)));
}

/* ---- the same as one op: what it makes of shapes, how it is computed, and a gradient for each input -------------- */

/* True if the sizes certainly differ: ATL_ANY is known only when a program runs, and then they are compared again. */
static int differ(int64_t a, int64_t b) { return a != b && a != ATL_ANY && b != ATL_ANY; }

static bool infer_rbf(atl_node *y)
{
    atl_shape image = atl_shape_of(atl_input_of(y, 0)), centers = atl_shape_of(atl_input_of(y, 1));
    atl_shape beta = atl_shape_of(atl_input_of(y, 2));
    char have[3][80];
    for (int i = 0; i < 3; i++)
        if (atl_dtype_of(atl_input_of(y, i)) != ATL_FLOAT32)
            return atl_fail(y, "'%s' is not float32", atl_name_of(atl_input_of(y, i)));
    if (image.rank != 2 || centers.rank != 2 || beta.rank != 1 || differ(image.size[1], centers.size[1]) ||
        differ(centers.size[0], beta.size[0]))
        return atl_fail(y, "takes an image [n, d], centers [c, d] and beta [c]; these are %s, %s and %s",
                        atl_shape_text(image, have[0], sizeof have[0]),
                        atl_shape_text(centers, have[1], sizeof have[1]),
                        atl_shape_text(beta, have[2], sizeof have[2]));
    return atl_set_type(y, ATL_FLOAT32, ATL_SHAPE(centers.size[0], image.size[0]));
}

/* Plain loops in double are enough.  If it must be fast, add .kernel, the same for arrays of float. */
static void rbf_reference(const atl_node *y, const double *const *x, double *phi)
{
    atl_shape image = atl_shape_of(atl_input_of(y, 0)), result = atl_shape_of(y);
    int64_t dimensions = image.size[1], many = result.size[1];
    for (int64_t c = 0; c < result.size[0]; c++)
        for (int64_t n = 0; n < many; n++) {
            double square = 0;
            for (int64_t d = 0; d < dimensions; d++)
                square += pow(x[0][n * dimensions + d] - x[1][c * dimensions + d], 2);
            phi[c * many + n] = exp(x[2][c] * square);
        }
}

/* s[c, n] = 2 beta[c] phi[c, n] dphi[c, n];  d image[n] = sum over c of s[c, n] (image[n] - centers[c]);
 * d centers[c] = sum over n of s[c, n] (centers[c] - image[n]);  d beta[c] = sum over n of phi[c, n] dphi[c, n]
 * |image[n] - centers[c]|^2 */
static atl_node *gradients(atl_node *phi, atl_node *dphi)
{
    return atl_scale(atl_mul(atl_expand_dims(atl_input_of(phi, 2), 1), atl_mul(phi, dphi)), 2);
}

static atl_node *image_gradient(atl_node *phi, atl_node *dphi)
{
    atl_node *image = atl_input_of(phi, 0), *centers = atl_input_of(phi, 1), *s = gradients(phi, dphi);
    return atl_sub(atl_mul(image, atl_expand_dims(atl_reduce_sum(s, ATL_AXES(0)), 1)),
                   atl_matmul(s, centers, .transpose_a = 1));
}

static atl_node *centers_gradient(atl_node *phi, atl_node *dphi)
{
    atl_node *image = atl_input_of(phi, 0), *centers = atl_input_of(phi, 1), *s = gradients(phi, dphi);
    return atl_sub(atl_mul(centers, atl_reduce_sum(s, ATL_AXES(1), .keep = 1)), atl_matmul(s, image));
}

static atl_node *beta_gradient(atl_node *phi, atl_node *dphi)
{
    atl_node *squares = squared_distances(atl_input_of(phi, 0), atl_input_of(phi, 1));
    return atl_reduce_sum(atl_mul(squares, atl_mul(phi, dphi)), ATL_AXES(1));
}

static const atl_op rbf_op = {.name = "rbf",
                              .arity = 3,
                              .infer = infer_rbf,
                              .reference = rbf_reference,
                              .gradient = {image_gradient, centers_gradient, beta_gradient}};

static atl_node *rbf(atl_node *image, atl_node *centers, atl_node *beta)
{
    return atl_apply(&rbf_op, image, centers, beta);
}

/* ---- side by side ------------------------------------------------------------------------------------------------ */

/* The largest difference of two nodes of equal shape, after a run. */
static double difference(const atl_program *program, const atl_node *a, const atl_node *b)
{
    const atl_tensor *x = atl_value(program, a), *y = atl_value(program, b);
    double largest = x && y ? 0 : INFINITY;
    for (int64_t i = 0; i < atl_tensor_count(x); i++)
        largest = fmax(largest, fabs((double)atl_floats(x)[i] - (double)atl_floats(y)[i]));
    return largest;
}

int main(void)
{
    enum { POINTS = 40, DIMENSIONS = 3, CENTERS = 7, OUTPUTS = 2 };
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, DIMENSIONS));
    atl_node *centers = atl_variable(g, "centers", ATL_SHAPE(CENTERS, DIMENSIONS), atl_normal(1));
    atl_node *beta = atl_variable(g, "beta", ATL_SHAPE(CENTERS), atl_uniform(-1, 0));
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(CENTERS, OUTPUTS), atl_normal(1));
    atl_node *phi[] = {rbf_of_ops(image, centers, beta), rbf(image, centers, beta)}, *gradient[2][4];
    for (int i = 0; i < 2; i++) {
        atl_node *loss = atl_mean(atl_square(atl_matmul(phi[i], w, .transpose_a = 1)));
        atl_gradients(ATL_NODES(loss), ATL_NODES(image, centers, beta, w), gradient[i]);
    }
    atl_node *wanted[] = {phi[0],         phi[1],         gradient[0][0], gradient[0][1], gradient[0][2],
                          gradient[0][3], gradient[1][0], gradient[1][1], gradient[1][2], gradient[1][3]};
    atl_program *program = atl_compile(g, {10, wanted});
    atl_tensor *points = atl_uniform_tensor(ATL_SHAPE(POINTS, DIMENSIONS), -2, 2, /* seed */ 1);
    if (!program || atl_run(program, ATL_FEED(image, points))) {
        fprintf(stderr, "%s\n", atl_error());
        return 1;
    }
    static const char *const of[] = {"image", "centers", "beta", "w"};
    double largest = difference(program, phi[0], phi[1]);
    printf("made of ops and as one op, phi differs by %.1g at most\n", largest);
    for (int i = 0; i < 4; i++) {
        double d = difference(program, gradient[0][i], gradient[1][i]);
        printf("  its gradient by %-8s %.1g\n", of[i], d);
        largest = fmax(largest, d);
    }
    atl_gradient_check check = {.worst = INFINITY};
    atl_check_gradient(phi[1], ATL_NODES(image, centers, beta), ATL_FEED(image, points), .order = 2,
                       .result_out = &check);
    printf("and the gradient's own gradient is off central differences by %.1g\n", check.worst);
    atl_tensor_free(points);
    atl_program_free(program);
    atl_graph_free(g);
    return largest < 1e-5 && check.worst < 1e-5 ? 0 : 1;
}
