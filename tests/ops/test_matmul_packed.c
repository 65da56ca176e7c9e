/* Products of many rows with a weight, transposed or not: every epilogue, and which step computes them. */
#include "battery.h"
#include "kernels/kernels.h"
#include "values.h"

static atl_node *product(atl_node *x, int64_t terms, int64_t columns, int transposed)
{
    atl_shape shape = transposed ? ATL_SHAPE(columns, terms) : ATL_SHAPE(terms, columns);
    return atl_matmul(x, atl_variable(atl_graph_of(x), "w", shape, atl_uniform(-1, 1)), .transpose_b = transposed);
}

static atl_node *with_bias(atl_node *y)
{
    int64_t columns = atl_shape_of(y).size[atl_shape_of(y).rank - 1];
    return atl_add(y, atl_variable(atl_graph_of(y), "bias", ATL_SHAPE(columns), atl_uniform(-1, 1)));
}

enum epilogue { BIAS = 1, RESIDUAL = 2, RELU = 4, RELU6 = 8, SCALE = 16, FACTOR = 32, ALL = 64 };

static atl_node *with_epilogue(atl_node *y, atl_node *residual, atl_node *factor, int epilogue)
{
    int64_t columns = atl_shape_of(y).size[atl_shape_of(y).rank - 1];
    y = epilogue & BIAS ? with_bias(y) : y;
    y = epilogue & RESIDUAL ? atl_add(residual, y) : y;
    y = epilogue & RELU ? atl_relu(y) : epilogue & RELU6 ? atl_relu6(y) : y;
    if (epilogue & SCALE)
        y = atl_mul(y, atl_variable(atl_graph_of(y), "scale", ATL_SHAPE(columns), atl_uniform(-1, 1)));
    return epilogue & FACTOR ? atl_mul(factor, y) : y;
}

static void check_one(atl_shape shape, int64_t columns, int transposed, int epilogue, int packed)
{
    char text[1000];
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, shape);
    atl_node *y = product(x, shape.size[shape.rank - 1], columns, transposed);
    atl_shape made = atl_shape_of(y);
    atl_node *residual = atl_input(g, "residual", ATL_FLOAT32, made),
             *factor = atl_input(g, "factor", ATL_FLOAT32, made);
    y = with_epilogue(y, residual, factor, epilogue);
    atl_tensor *values = random_tensor(shape, -1, 1), *added = random_tensor(made, -1, 1),
               *by = random_tensor(made, -1, 1);
    cr_assert(floats_agree(1, &y, ATL_FEEDS({x, values}, {residual, added}, {factor, by}), text, sizeof text),
              "%d columns%s, epilogue %d: %s", (int)columns, transposed ? ", transposed" : "", epilogue, text);
    atl_program *program = atl_compile(g, ATL_NODES(y));
    cr_assert(program, "%s", atl_graph_error(g));
    cr_assert_eq(steps_by(program, NULL, "packed"), packed);
    if (packed)
        cr_assert_eq(atl_program_step_count(program) - atl_program_prepack_count(program), 1, "epilogue %d", epilogue);
    atl_program_free(program);
    atl_tensor_free(values);
    atl_tensor_free(added);
    atl_tensor_free(by);
    atl_graph_free(g);
}

static void check(atl_shape shape, int64_t columns, int epilogue, int packed)
{
    check_one(shape, columns, 0, epilogue, packed);
    check_one(shape, columns, 1, epilogue, packed);
}

Test(matmul_packed, rows_and_epilogues)
{
    for (int epilogue = 0; epilogue < ALL; epilogue++) {
        if (epilogue & RELU && epilogue & RELU6)
            continue;
        check(ATL_SHAPE(101, 33), 48, epilogue, 1);
        check(ATL_SHAPE(2, 67, 40), 192, epilogue, 1);
        check(ATL_SHAPE(70, 300), 96, epilogue, 1); /* more than the first-level cache holds */
    }
}

Test(matmul_packed, others_are_left_to_onednn)
{
    check(ATL_SHAPE(101, 33), 50, BIAS | RELU, 0); /* no multiple of a vector */
    check(ATL_SHAPE(31, 33), 48, BIAS | RELU, 0);  /* few rows */
    check(ATL_SHAPE(31, 33), 48, BIAS | RESIDUAL | SCALE | FACTOR, 0);
}

/* Swin's and ConvNeXt's last stages have 49 rows, and sums of 3072 terms. */
Test(matmul_packed, few_rows_and_long_sums)
{
    int wide = atl_kernels->vector > 4;
    check(ATL_SHAPE(49, 33), 48, BIAS | RELU, wide);
    check(ATL_SHAPE(64, 3072), 48, BIAS | RESIDUAL, wide);
}

Test(matmul_packed, a_changed_weight_is_packed_again)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(64, 16)), *y = product(x, 16, 16, 1);
    atl_program *program = atl_compile(g, ATL_NODES(y));
    atl_tensor *ones = atl_uniform_tensor(ATL_SHAPE(64, 16), 1, 1, 1);
    for (int k = 1; k < 3; k++) {
        atl_tensor *w = atl_uniform_tensor(ATL_SHAPE(16, 16), (float)k, (float)k, 1);
        cr_assert_eq(atl_variable_assign(atl_find(g, "w"), w), ATL_OK);
        cr_assert_eq(atl_run(program, ATL_FEED(x, ones)), ATL_OK, "%s", atl_error());
        cr_assert_eq(atl_scalar_of(program, y), (float)(16 * k));
        atl_tensor_free(w);
    }
    atl_tensor_free(ones);
    atl_program_free(program);
    atl_graph_free(g);
}

/* Packing it in each run would cost more than it saves. */
Test(matmul_packed, a_weight_that_the_program_trains_is_not_packed)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(64, 16)), *y = product(x, 16, 16, 0), *w = atl_find(g, "w");
    atl_program *program = atl_compile(g, ATL_NODES(y, atl_assign(w, atl_scale(w, 0.5f))));
    cr_assert(program, "%s", atl_graph_error(g));
    cr_assert_eq(steps_by(program, NULL, "packed"), 0);
    atl_program_free(program);
    atl_graph_free(g);
}

Test(matmul_packed, nan_passes_the_relu)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(64, 16)), *y = atl_relu(product(x, 16, 16, 1));
    atl_program *program = atl_compile(g, ATL_NODES(y));
    atl_tensor *values = atl_uniform_tensor(ATL_SHAPE(64, 16), -1, 1, 1);
    atl_floats(values)[0] = NAN;
    cr_assert_eq(atl_run(program, ATL_FEED(x, values)), ATL_OK, "%s", atl_error());
    const float *result = atl_const_floats(atl_value(program, y));
    for (int i = 0; i < 64 * 16; i++)
        cr_assert_eq(isnan(result[i]) != 0, i < 16, "%d: %g", i, (double)result[i]);
    atl_tensor_free(values);
    atl_program_free(program);
    atl_graph_free(g);
}

/* The bits of every element, in the same order of operations: values that are no numbers, or infinite, too. */
Test(matmul_packed, epilogues_change_no_bit)
{
    atl_graph *g = atl_graph_new();
    const atl_shape shape = ATL_SHAPE(70, 48);
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, shape), *residual = atl_input(g, "residual", ATL_FLOAT32, shape),
             *factor = atl_input(g, "factor", ATL_FLOAT32, shape);
    atl_node *y = with_epilogue(product(x, 48, 48, 1), residual, factor, BIAS | RESIDUAL | SCALE | FACTOR);
    atl_tensor *value[3];
    for (int i = 0; i < 3; i++) {
        value[i] = random_tensor(shape, -1, 1);
        atl_floats(value[i])[48 * 3 * i + 48 + i] = NAN;
        atl_floats(value[i])[48 * 3 * i + 96 + i] = INFINITY;
        atl_floats(value[i])[48 * 3 * i + 144 + i] = 0;
    }
    atl_program *program[2];
    for (int i = 0; i < 2; i++) {
        program[i] = atl_compile(g, ATL_NODES(y), .disabled_passes = i ? ATL_PASS_EPILOGUE : 0);
        cr_assert(program[i] &&
                      !atl_run(program[i], ATL_FEEDS({x, value[0]}, {residual, value[1]}, {factor, value[2]})),
                  "%s", atl_error());
    }
    const float *with = atl_const_floats(atl_value(program[0], y)),
                *without = atl_const_floats(atl_value(program[1], y));
    for (int i = 0; i < 70 * 48; i++)
        cr_assert(isnan(without[i]) ? isnan(with[i]) : with[i] == without[i], "%d: %g, %g", i, (double)with[i],
                  (double)without[i]);
    for (int i = 0; i < 3; i++)
        atl_tensor_free(value[i]);
    for (int i = 0; i < 2; i++)
        atl_program_free(program[i]);
    atl_graph_free(g);
}

/* What the product reads twice, or what others read later, is not overwritten. */
Test(matmul_packed, a_residual_that_is_the_input)
{
    char text[1000];
    atl_graph *g = atl_graph_new();
    const atl_shape shape = ATL_SHAPE(70, 48);
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, shape), *a = atl_tanh(x);
    atl_node *y = atl_add(a, product(a, 48, 48, 0)), *w = atl_find(g, "w");
    atl_node *z = atl_mul(atl_matmul(y, w, .transpose_b = 1), y);
    atl_tensor *values = random_tensor(shape, -1, 1);
    cr_assert(floats_agree(2, (atl_node *[]){y, z}, ATL_FEED(x, values), text, sizeof text), "%s", text);
    atl_tensor_free(values);
    atl_graph_free(g);
}

/* A trained weight, and operands that may be rounded, are left to oneDNN: no array is read in their epilogues. */
Test(matmul_packed, arrays_are_apart_where_no_weight_is_packed)
{
    atl_graph *g = atl_graph_new();
    const atl_shape shape = ATL_SHAPE(70, 48);
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, shape), *factor = atl_input(g, "factor", ATL_FLOAT32, shape);
    atl_node *y = atl_mul(product(x, 48, 48, 0), factor), *w = atl_find(g, "w");
    atl_program *programs[] = {atl_compile(g, ATL_NODES(y, atl_assign(w, atl_scale(w, 0.5f)))),
                               atl_compile(g, ATL_NODES(y), .bfloat16 = 1),
                               atl_compile(g, ATL_NODES(y), .disabled_passes = ATL_PASS_PREPACK)};
    for (int i = 0; i < 3; i++) {
        cr_assert(programs[i], "%s", atl_graph_error(g));
        if (i != 1 || atl_program_uses_bfloat16(programs[i]))
            cr_expect_eq(steps_by(programs[i], "mul", NULL), i == 0 ? 2 : 1, "program %d", i);
        atl_program_free(programs[i]);
    }
    atl_graph_free(g);
}
