// The C++ handles of atled.hpp: what they own, their operators, and errors as exceptions.
#include <cstdio>
#include <cstring>

#include <atled/atled.hpp>

static int failures;

static void expect(bool right, const char *what)
{
    if (!right) {
        std::printf("%s\n", what);
        failures++;
    }
}

static void first_gradient()
{
    atled::graph g;
    atled::node x = g.input("x", {1, 3}), y = atled::sum(x * x + 2 * x - 1);
    atled::node dx = atled::gradient(y, x);
    atled::program p = g.compile({y, dx});
    p.run({{x, atled::tensor({1, 3}, {1, 2, 3})}});
    std::vector<float> slope = p.value(dx).floats();
    expect(slope == std::vector<float>{4, 6, 8}, "the gradient of sum(x * x + 2 * x - 1) is 2 * x + 2");
    expect(p.scalar(y) == 23, "its value");
}

static void operators()
{
    atled::graph g;
    atled::node x = g.input("x", {2});
    std::vector<atled::node> all = {x + 1, 1 + x, x - 1, 1 - x, x * 2, 2 * x, x / 2,
                                    2 / x, -x,    x + x, x - x, x * x, x / x, atled::relu(-x)};
    const float right[] = {5, 5, 3, -3, 8, 8, 2, 0.5, -4, 8, 0, 16, 1, 0};
    atled::program p = g.compile(all);
    p.run({{x, atled::tensor({2}, {4, 4})}});
    for (std::size_t i = 0; i < all.size(); i++)
        expect(p.value(all[i]).floats()[1] == right[i], "an operator");
}

static void tensors_of_vectors()
{
    const std::vector<float> values(48, 0.5f);
    expect(atled::tensor({2, 4, 6}, values).shape_of().rank == 3, "sizes in braces are no atl_shape");
    expect(atled::tensor({2, 2}, std::vector<int32_t>{1, 2, 3, 4}).shape_of().size[0] == 2, "nor of whole numbers");
    const atled::tensor copy(atled::tensor({6, 8}, values).shape_of(), values);
    expect(copy.shape_of().rank == 2 && copy.count() == 48, "an atl_shape still is one");
}

static void training()
{
    atled::graph g;
    atled::node x = g.input("x", {ATL_ANY, 2}), labels = g.input("labels", {ATL_ANY}, ATL_INT32);
    atled::node scores = [&] {
        atled::scope here(g, "layer");
        return atled::matmul(x, g.variable("weights", {2, 2}));
    }();
    expect(scores.name().rfind("layer/", 0) == 0, "a scope");
    atled::node loss = atl_mean(atl_softmax_cross_entropy(.logits = scores, .labels = labels));
    atled::program step = g.compile({atl_minimize(loss, atl_sgd(.rate = 1))});
    atled::tensor points({2, 2}, {1, 0, 0, 1}), classes = atled::tensor::ints({2}, {0, 1});
    for (int i = 0; i < 100; i++)
        step.run({{x, points}, {labels, classes}});
    atled::program test = g.compile({loss});
    test.run({{x, points}, {labels, classes}});
    expect(test.scalar(loss) < 0.1f, "100 steps of gradient descent lower the loss");
}

static void two_at_once()
{
    atled::graph g;
    atled::node a = g.input("a", {1}), b = g.input("b", {1});
    auto d = atled::gradients({a * b, a}, {a, b});
    atled::program p = g.compile(d);
    p.run({{a, atled::tensor({1}, {3})}, {b, atled::tensor({1}, {5})}});
    expect(p.value(d[0]).floats()[0] == 6 && p.value(d[1]).floats()[0] == 3, "gradients of a list by a list");
}

static void tensors()
{
    atled::tensor one({2}, {1, 2}), copy = one;
    copy.floats()[0] = 7;
    expect(one.floats()[0] == 1 && copy.floats()[0] == 7, "a copy has elements of its own");
    one = copy;
    expect(one.floats()[0] == 7, "assignment copies");
    atled::tensor moved = std::move(copy);
    expect(moved.floats()[0] == 7 && moved.count() == 2, "a move takes over");
}

template <class F> static void throws(F what, const char *words)
{
    try {
        what();
        expect(false, words);
    } catch (const atled::error &e) {
        expect(std::strstr(e.what(), words) && e.status() != ATL_OK, e.what());
    }
}

static void errors()
{
    atled::graph g;
    atled::node x = g.input("x", {2, 3}), y = g.input("y", {4, 5});
    throws([&] { x + y; }, "[2, 3]");
    atled::graph h;
    atled::node z = h.input("z", {2});
    atled::program p = h.compile({z * 2});
    throws([&] { p.run(); }, "z");
    throws([&] { p.value(z); }, "");
    throws([&] { atled::tensor({2}, {1, 2, 3}); }, "3 values");
    throws([&] { atled::tensor::read_image("missing.png"); }, "missing.png");
    throws([&] { (void)atled::tensor({2}, {1, 2}).ints(); }, "another type");
}

// Layers and einsum as nodes, and handles of what the newer C functions make.
static void newer()
{
    atled::graph g;
    atled::node words = g.input("words", {2, 3, 4});
    atled::node both = atled::einsum("nqd,nkd->nqk", {words, words});
    atled::node seen =
        atl_attention_layer(.x = atl_layer_norm_layer(.x = words, .name = "norm"), .name = "self", .heads = 2);
    expect(both.shape_of().size[2] == 3 && seen.shape_of().size[2] == 4, "einsum and layers");

    atled::node image = g.input("image", {ATL_ANY, 8, 8, 3});
    atled::node scores = atl_dense_layer(.x = atl_flatten(image), .name = "scores", .width = 4);
    atled::tensor pictures = atled::tensor::uniform({2, 8, 8, 3}, 0, 255, 1);
    {
        atled::attacker attacker(atl_attacker_new(.image = image, .scores = scores));
        int count = 0;
        auto watch = [](void *context, const atl_attack_result *) { return ++*static_cast<int *>(context), 0; };
        atled::check(atl_attack(.attacker = attacker, .method = "fgsm", .pictures = pictures.get(),
                                .norm = ATL_NORM_LINF, .eps = {8, 255}, .watch = watch, .context = &count));
        expect(count == 2, "an attack tells of each picture");
        atled::explainer explainer(atl_explainer_new(.image = image, .scores = scores));
        atled::explainer moved = std::move(explainer);
        expect(moved.get() != nullptr, "handles move");
    }
    atled::graph other;
    throws([&] { atled::einsum("ij,jk", {other.input("a", {2, 3})}); }, "ij,jk");
    throws([&] { atled::onnx net(atl_onnx_load(.graph = atled::graph(), .path = "missing.onnx")); }, "missing.onnx");
    throws([&] { atled::npz archive(atl_npz_open("missing.npz")); }, "missing.npz");
    atled::dataset data(atl_dataset_of(pictures.get(), atled::tensor::ints({2}, {0, 1}).get()));
    expect(atl_dataset_count(data) == 2, "a data set");
}

int main()
{
    first_gradient();
    operators();
    tensors_of_vectors();
    training();
    two_at_once();
    tensors();
    errors();
    newer();
    return failures != 0;
}
