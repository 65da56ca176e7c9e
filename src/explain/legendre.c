/* Gauss-Legendre quadrature: the roots of Legendre's polynomials by Newton's method. */
#include <math.h>

#include "explain/methods.h"

/* The polynomial of that degree at x, and its derivative. */
static double legendre(int degree, double x, double *derivative_out)
{
    double before = 1, value = x;
    for (int k = 2; k <= degree; k++) {
        double next = ((2 * k - 1) * x * value - (k - 1) * before) / k;
        before = value;
        value = next;
    }
    *derivative_out = degree * (x * value - before) / (x * x - 1);
    return value;
}

void atl_gauss_legendre(int count, double *point, double *weight)
{
    enum { MOST_ITERATIONS = 100 };
    const double pi = 3.14159265358979323846;
    for (int i = 0; i < count; i++) {
        double x = cos(pi * (i + 0.75) / (count + 0.5)), derivative = 1;
        for (int k = 0; k < MOST_ITERATIONS; k++) {
            double step = legendre(count, x, &derivative) / derivative;
            x -= step;
            if (fabs(step) < 1e-15)
                break;
        }
        (void)legendre(count, x, &derivative);
        /* x falls from 1 to -1; on [0, 1], ascending. */
        point[count - 1 - i] = (1 + x) / 2;
        weight[count - 1 - i] = 1 / ((1 - x * x) * derivative * derivative);
    }
}
