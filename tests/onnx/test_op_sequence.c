/* Lists of values: made, changed, read, split and joined. */
#include "small_model.h"

static made with_number(made graph, const char *name, int64_t number)
{
    made tensor = {0};
    put_int(&tensor, 2, TYPE_INT64);
    put_text(&tensor, 8, name);
    put_bytes(&tensor, 9, &number, sizeof number);
    put_made(&graph, 5, tensor);
    return graph;
}

static made split(int keeps)
{
    made node = make_node("split", "SplitToSequence", "x", NULL, "list");
    put_int_attribute(&node, "axis", 1);
    put_int_attribute(&node, "keepdims", keeps);
    return node;
}

static made join(const char *list)
{
    made node = make_node("join", "ConcatFromSequence", list, NULL, "y");
    put_int_attribute(&node, "axis", 1);
    return node;
}

Test(op_sequence, an_element_from_the_end)
{
    expect_small(with_number(GRAPH(split(0), make_node("at", "SequenceAt", "list", "n", "y")), "n", -2), 13, 1,
                 (const double[]){4});
}

Test(op_sequence, joined_again)
{
    expect_small(GRAPH(split(1), join("list")), 13, 4, (const double[]){1, 2, 4, -3});
    made stack = join("list");
    put_int_attribute(&stack, "new_axis", 1);
    expect_small(GRAPH(split(1), stack), 13, 4, (const double[]){1, 2, 4, -3});
}

Test(op_sequence, inserted_and_erased)
{
    made insert = make_node("insert", "SequenceInsert", "list", "x", "more");
    put_text(&insert, 1, "n");
    expect_small(with_number(GRAPH(split(1), insert, join("more")), "n", 1), 13, 8,
                 (const double[]){1, 1, 2, 4, -3, 2, 4, -3});
    expect_small(with_number(GRAPH(split(1), make_node("erase", "SequenceErase", "list", "n", "less"), join("less")),
                             "n", 1),
                 13, 3, (const double[]){1, 4, -3});
    expect_small(GRAPH(split(1), make_node("erase", "SequenceErase", "list", NULL, "less"), join("less")), 13, 3,
                 (const double[]){1, 2, 4});
}

Test(op_sequence, mapped)
{
    made body = GRAPH(make_node("inner", "Mul", "e", "e", "r"));
    put_made(&body, 11, make_port("e", TYPE_FLOAT));
    put_made(&body, 12, make_port("r", TYPE_FLOAT));
    made map = make_node("map", "SequenceMap", "list", NULL, "squares");
    put_graph_attribute(&map, "body", body);
    expect_small(GRAPH(split(1), map, join("squares")), 17, 4, (const double[]){1, 4, 16, 9});
}

/* x split into two parts, and joined again. */
static made split_by(int64_t first, int64_t second)
{
    const int64_t sizes[] = {first, second};
    made node = make_node("split", "SplitToSequence", "x", "sizes", "list"), tensor = {0};
    put_int_attribute(&node, "axis", 1);
    made graph = GRAPH(node, join("list"));
    put_int(&tensor, 1, 2);
    put_int(&tensor, 2, TYPE_INT64);
    put_text(&tensor, 8, "sizes");
    put_bytes(&tensor, 9, sizes, sizeof sizes);
    put_made(&graph, 5, tensor);
    return graph;
}

Test(op_sequence, sizes_of_parts)
{
    expect_small(split_by(1, 3), 13, 4, (const double[]){1, 2, 4, -3});
    expect_refused(split_by(-1, 5), 13, "its part 0 has the size -1; 1 to 4 are left");
    expect_refused(split_by(0, 4), 13, "its part 0 has the size 0; 1 to 4 are left");
    expect_refused(split_by(1, 4), 13, "its part 1 has the size 4; 1 to 3 are left");
    expect_refused(split_by(1, 2), 13, "its parts do not add up to 4");
}

Test(op_sequence, what_is_refused)
{
    expect_refused(with_number(GRAPH(split(0), make_node("at", "SequenceAt", "list", "n", "y")), "n", 4), 13,
                   "'at' (SequenceAt): place 4 of a sequence of 4 elements");
    expect_refused(GRAPH(split(1), make_node("the_node", "Relu", "list", NULL, "y")), 13,
                   "'the_node' (Relu): its input 'list' is a sequence; it takes tensors");
    expect_refused(GRAPH(make_node("the_node", "SequenceConstruct", "x", "x", "y")), 13,
                   "'y' (output): it is a sequence");
    expect_refused(GRAPH(make_node("join", "ConcatFromSequence", "x", NULL, "y")), 13,
                   "'join' (ConcatFromSequence): its input 0 is no sequence");
}
