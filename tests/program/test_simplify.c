/* Algebra: less to compute, the same result. */
#include "passes.h"

Test(simplify, drops_neutral_factors) { assert_pass_shortens(ATL_PASS_SIMPLIFY); }
