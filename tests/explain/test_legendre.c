#include "explain/methods.h"

#include "support.h"

/* Legendre's polynomials integrate polynomials of a degree below twice their own exactly. */
Test(legendre, integrates_powers_exactly)
{
    enum { MOST = 64 };
    double point[MOST], weight[MOST];
    for (int count = 1; count <= MOST; count++) {
        atl_gauss_legendre(count, point, weight);
        for (int i = 0; i < count; i++)
            cr_assert(point[i] > 0 && point[i] < 1 && weight[i] > 0 && (i == 0 || point[i] > point[i - 1]));
        for (int power = 0; power < 2 * count; power++) {
            double sum = 0;
            for (int i = 0; i < count; i++)
                sum += weight[i] * pow(point[i], power);
            cr_assert_float_eq(sum, 1.0 / (power + 1), 1e-13, "%d points, power %d: %.17g", count, power, sum);
        }
    }
}

Test(legendre, two_points_are_the_known_ones)
{
    double point[2], weight[2];
    atl_gauss_legendre(2, point, weight);
    cr_assert_float_eq(point[0], 0.5 - sqrt(3) / 6, 1e-15);
    cr_assert_float_eq(point[1], 0.5 + sqrt(3) / 6, 1e-15);
    cr_assert_float_eq(weight[0], 0.5, 1e-15);
    cr_assert_float_eq(weight[1], 0.5, 1e-15);
}

Test(legendre, thousands_of_points_stay_exact)
{
    enum { COUNT = 3200 };
    static double point[COUNT], weight[COUNT];
    double sum = 0, wave = 0;
    atl_gauss_legendre(COUNT, point, weight);
    for (int i = 0; i < COUNT; i++) {
        sum += weight[i];
        wave += weight[i] * sin(500 * point[i]);
    }
    cr_assert_float_eq(sum, 1, 1e-11);
    cr_assert_float_eq(wave, (1 - cos(500)) / 500, 1e-11);
}
