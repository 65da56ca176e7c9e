// The gradient of a function of three numbers, with the C++ handles of atled.hpp.  usage: first_gradient
#include <atled/atled.hpp>
#include <cstdio>

int main()
try {
    atled::graph g;
    atled::node x = g.input("x", {3}), y = atled::sum(x * x + 2 * x);
    atled::node dx = atled::gradient(y, x); // 2 x + 2, as nodes of g
    atled::program p = g.compile({y, dx});
    p.run({{x, atled::tensor({3}, {1, 2, 3})}});
    std::printf("y = %g, dy/dx =", p.scalar(y));
    for (float slope : p.value(dx).floats())
        std::printf(" %g", slope);
    std::printf("\n");
    return 0;
} catch (const atled::error &e) {
    std::fprintf(stderr, "first_gradient: %s\n", e.what());
    return 1;
}
