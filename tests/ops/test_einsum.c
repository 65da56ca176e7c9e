/* einsum against loops over all letters. */
#include "values.h"

static atl_graph *g;
static void set_up(void) { g = atl_graph_new(); }
static void tear_down(void) { atl_graph_free(g); }
TestSuite(einsum, .init = set_up, .fini = tear_down);

/* The size of each letter, and the strides of one array in the order of its letters. */
static int64_t place(const char *letters, const int64_t *size, const int64_t *at)
{
    int64_t place = 0;
    for (const char *c = letters; *c; c++)
        place = place * size[*c - 'a'] + at[*c - 'a'];
    return place;
}

/* An equation without "...", of letters a..f: every combination of their values adds its product to one element. */
static void expect_like_loops(const char *equation, const int64_t *size)
{
    char parts[8][8] = {{0}}, result[8] = "", text[64];
    int operands = 0;
    snprintf(text, sizeof text, "%s", equation);
    char *arrow = strstr(text, "->");
    snprintf(result, sizeof result, "%s", arrow + 2);
    *arrow = 0;
    for (char *part = strtok(text, ","); part; part = strtok(NULL, ","))
        snprintf(parts[operands++], 8, "%s", part);
    atl_node *x[8];
    atl_tensor *value[8];
    for (int i = 0; i < operands; i++) {
        atl_shape shape = {.rank = (int)strlen(parts[i])};
        for (int k = 0; k < shape.rank; k++)
            shape.size[k] = size[parts[i][k] - 'a'];
        value[i] = random_tensor(shape, -1, 1);
        x[i] = atl_constant(g, value[i]);
    }
    atl_shape shape = {.rank = (int)strlen(result)};
    for (int k = 0; k < shape.rank; k++)
        shape.size[k] = size[result[k] - 'a'];
    atl_tensor *expected = atl_tensor_new(ATL_FLOAT32, shape);
    int64_t all = 1;
    for (int c = 0; c < 6; c++)
        all *= size[c];
    double *sums = calloc((size_t)atl_shape_count(shape), sizeof *sums);
    for (int64_t n = 0; n < all; n++) {
        int64_t at[6], rest = n;
        int counted = 1;
        for (int c = 0; c < 6; c++) {
            at[c] = rest % size[c];
            rest /= size[c];
            counted &= strchr(equation, 'a' + c) || at[c] == 0; /* a letter that nobody has */
        }
        double product = 1;
        for (int i = 0; i < operands; i++)
            product *= atl_floats(value[i])[place(parts[i], size, at)];
        if (counted)
            sums[place(result, size, at)] += product;
    }
    for (int64_t i = 0; i < atl_shape_count(shape); i++)
        atl_floats(expected)[i] = (float)sums[i];
    free(sums);
    atl_node *y = atl_einsum_with(equation, (atl_nodes){operands, x});
    cr_assert(y, "%s: %s", equation, atl_error());
    atl_program *program = atl_compile(g, ATL_NODES(y));
    cr_assert(program && atl_run(program, ATL_NO_FEEDS) == ATL_OK, "%s: %s", equation, atl_error());
    double distance = relative_l2(atl_value(program, y), expected);
    cr_expect(distance <= 1e-5, "%s: %g (seed %llu)", equation, distance, (unsigned long long)test_seed());
    atl_program_free(program);
    atl_tensor_free(expected);
    for (int i = 0; i < operands; i++)
        atl_tensor_free(value[i]);
}

Test(einsum, fixed_equations)
{
    static const char *const equation[] = {"ab,bc->ac",     "ab,bc->ca",       "abc,acd->abd", "ab->ba",
                                           "ab->",          "ab->a",           "aa->a",        "aa->",
                                           "aab->ba",       "a,b->ab",         "a,a->",        "a,a->a",
                                           "ab,ab->ab",     "ab,ab->a",        "ab,cb->ac",    "ab,c->cab",
                                           "abcd,bd->ac",   "aaa->a",          "ab,b,cb->ac",  "abc,cd,de->abe",
                                           "ab,cd,ef->ace", "abcd,efcd->abef", "ab,bc,ca->",   "aabb->ab",
                                           "ab,a,b->"};
    for (size_t i = 0; i < sizeof equation / sizeof *equation; i++)
        expect_like_loops(equation[i], (const int64_t[]){2, 3, 4, 2, 3, 2});
}

static void append(char *text, char c)
{
    size_t n = strlen(text);
    text[n] = c;
    text[n + 1] = '\0';
}

/* 300 equations of random letters for 1 to 4 operands. */
Test(einsum, random_equations)
{
    for (int n = 0; n < 300; n++) {
        char equation[64] = "", used[8] = "";
        int64_t size[6];
        for (int c = 0; c < 6; c++)
            size[c] = 1 + (int64_t)random_below(3);
        int operands = 1 + (int)random_below(4);
        for (int i = 0; i < operands; i++) {
            int rank = 1 + (int)random_below(3);
            for (int k = 0; k < rank; k++) {
                char c = (char)('a' + random_below(6));
                append(equation, c);
                if (!strchr(used, c))
                    append(used, c);
            }
            strcat(equation, i + 1 < operands ? "," : "->");
        }
        for (const char *c = used; *c; c++)
            if (random_below(2))
                append(equation, *c);
        expect_like_loops(equation, size);
    }
}

Test(einsum, dots_are_broadcast)
{
    atl_node *a = counting(g, ATL_SHAPE(2, 1, 2, 2)), *b = FLOATS(g, ATL_SHAPE(3, 2, 1), 1, 0, 0, 1, 1, 1);
    EXPECT_VALUES(atl_einsum("...ij,...jk->...ik", a, b), ATL_SHAPE(2, 3, 2, 1), 0, 2, 1, 3, 1, 5, 4, 6, 5, 7, 9, 13);
    EXPECT_VALUES(atl_einsum("...", FLOATS(g, ATL_SHAPE(2), 1, 2)), ATL_SHAPE(2), 1, 2);
    EXPECT_VALUES(atl_einsum("i...->...", FLOATS(g, ATL_SHAPE(2, 2), 1, 2, 3, 4)), ATL_SHAPE(2), 4, 6);
    EXPECT_VALUES(atl_einsum("i, i", FLOATS(g, ATL_SHAPE(2), 1, 2), FLOATS(g, ATL_SHAPE(2), 3, 4)), ATL_SCALAR, 11);
    EXPECT_VALUES(atl_einsum("ba", FLOATS(g, ATL_SHAPE(1, 2), 1, 2)), ATL_SHAPE(2, 1), 1, 2);
}

/* A value beside the diagonal does not count, whatever it is. */
Test(einsum, a_diagonal_ignores_nan_beside_it)
{
    EXPECT_VALUES(atl_einsum("ii->", FLOATS(g, ATL_SHAPE(2, 2), 1, NAN, INFINITY, 2)), ATL_SCALAR, 3);
}

Test(einsum, unknown_sizes)
{
    atl_node *a = atl_input(g, "a", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 2, ATL_ANY, 3));
    atl_node *b = atl_input(g, "b", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 2, ATL_ANY, 3));
    atl_node *y = atl_einsum("bhqd,bhkd->bhqk", a, b), *trace = atl_einsum("aiaj->", a);
    cr_assert(y && trace, "%s", atl_error());
    expect_shape(y, ATL_SHAPE(ATL_ANY, 2, ATL_ANY, ATL_ANY));
    atl_program *p = atl_compile(g, ATL_NODES(y));
    atl_tensor *x = random_tensor(ATL_SHAPE(2, 2, 4, 3), -1, 1), *z = random_tensor(ATL_SHAPE(2, 2, 5, 3), -1, 1);
    assert_like_references(p, ATL_NODES(y), ATL_FEEDS({a, x}, {b, z}), 1e-5);
    atl_program *q = atl_compile(g, ATL_NODES(trace));
    cr_assert_neq(atl_run(q, ATL_FEED(a, x)), ATL_OK); /* 2 x 4 has no trace */
    atl_tensor_free(x);
    atl_tensor_free(z);
    atl_program_free(q);
    atl_program_free(p);
}

Test(einsum, mistakes)
{
    static const struct {
        const char *equation, *says;
    } row[] = {{"ij,jk", "fewer"},
               {"ij,jk,kl,lm", "more"},
               {"ij,jk,k1", "from '1'"},
               {"ij,j,k", "operand 2"},
               {"ij,jk,kl->iz", "'z' which"},
               {"ij,jk,kl->ii", "twice"},
               {"ij,ik,kl->l", "stands for"},
               {"ij,jk,......", "from '...'"},
               {"ij,jk,->i", "operand 3"}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        atl_graph *graph = atl_graph_new();
        atl_node *a = counting(graph, ATL_SHAPE(2, 3)), *b = counting(graph, ATL_SHAPE(3, 4));
        atl_node *y = atl_einsum(row[i].equation, a, b, counting(graph, ATL_SHAPE(4, 2)));
        EXPECT_REFUSED(graph, y, "einsum", row[i].says);
        atl_graph_free(graph);
    }
    atl_graph *graph = atl_graph_new();
    atl_node *five = counting(graph, ATL_SHAPE(1, 2, 1, 2, 1));
    EXPECT_REFUSED(graph, atl_einsum("abcde,fghij", five, five), "more than 8 dimensions", "abcde,fghij");
    atl_graph_free(graph);
    cr_assert_null(atl_einsum(NULL, counting(g, ATL_SHAPE(2))));
    cr_assert_null(atl_einsum("i,i", counting(g, ATL_SHAPE(2)), NULL));
    cr_assert_str_empty(atl_graph_error(g));
}
