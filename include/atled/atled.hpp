// atled for C++17: handles that free what they own, operators on nodes, and errors as exceptions, over the C functions.
//
//     atled::graph g;
//     atled::node x = g.input("x", {1, 3}), y = atled::sum(x * x + 2 * x);
//     atled::node dx = atled::gradient(y, x);
//     atled::program p = g.compile({y, dx});
//     p.run({{x, atled::tensor({1, 3}, {1, 2, 3})}});
//     p.value(dx).floats();    // 4, 6, 8
//
// A node converts to and from atl_node *, so every builder of the C headers can be used as it is:
//     atled::node y = atl_conv2d(.image = x, .filter = w);    // throws if the builder fails
// Options are the aggregates of the C headers.  What fails throws atled::error with the message of atl_error().
// Lifetime: a graph outlives its programs; nodes are references into their graph, and free nothing.
#ifndef ATLED_ATLED_HPP
#define ATLED_ATLED_HPP

#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "atled.h"

namespace atled
{

class error : public std::runtime_error
{
  public:
    error(atl_status status, const std::string &message) : std::runtime_error(message), status_(status) {}
    atl_status status() const noexcept { return status_; }

  private:
    atl_status status_;
};

// Throws what atl_error() says.
[[noreturn]] inline void fail()
{
    const char *message = atl_error();
    throw error(atl_error_status(), message && *message ? message : "atled failed without a message");
}
inline void check(atl_status status)
{
    if (status != ATL_OK)
        fail();
}
template <class T> T *check(T *pointer)
{
    if (!pointer)
        fail();
    return pointer;
}

using sizes = std::initializer_list<int64_t>;
inline atl_shape shape(sizes of) { return atl_shape_from(static_cast<int>(of.size()), of.begin()); }

// ---- tensors -------------------------------------------------------------------------------------------------------

// The elements of a tensor, as a range; valid as long as the tensor.
template <class T> class elements
{
  public:
    elements(T *first, int64_t count) : first_(first), count_(count) {}
    T *begin() const { return first_; }
    T *end() const { return first_ + count_; }
    int64_t size() const { return count_; }
    T &operator[](int64_t i) const { return first_[i]; }
    operator std::vector<std::remove_const_t<T>>() const { return {begin(), end()}; }

  private:
    T *first_;
    int64_t count_;
};

// A tensor of its own: moved, or copied with all its elements.
class tensor
{
  public:
    explicit tensor(atl_tensor *owned) : handle_(check(owned)) {} // takes it over
    tensor(atl_shape of, atl_dtype dtype) : tensor(atl_tensor_new(dtype, of)) {}
    explicit tensor(sizes of, atl_dtype dtype = ATL_FLOAT32) : tensor(shape(of), dtype) {} // zeros
    tensor(atl_shape of, const std::vector<float> &values)
        : tensor(atl_tensor_of_floats(known(of, values.size()), values.data()))
    {
    }
    tensor(atl_shape of, const std::vector<int32_t> &values)
        : tensor(atl_tensor_of_ints(known(of, values.size()), values.data()))
    {
    }
    tensor(sizes of, std::initializer_list<float> values) : tensor(shape(of), std::vector<float>(values)) {}
    // Without these {2, 4, 6} would be an atl_shape of rank 2.
    tensor(sizes of, const std::vector<float> &values) : tensor(shape(of), values) {}
    tensor(sizes of, const std::vector<int32_t> &values) : tensor(shape(of), values) {}
    tensor(const tensor &other) : tensor(atl_tensor_copy(other.get())) {}
    tensor(tensor &&) = default;
    tensor &operator=(const tensor &other) { return *this = tensor(other); }
    tensor &operator=(tensor &&) = default;

    static tensor ints(sizes of, std::initializer_list<int32_t> values)
    {
        return tensor(shape(of), std::vector<int32_t>(values));
    }
    static tensor uniform(sizes of, float lowest, float highest, uint64_t seed)
    {
        return tensor(atl_uniform_tensor(shape(of), lowest, highest, seed));
    }
    static tensor read_image(const std::string &path) { return tensor(atl_read_image(path.c_str())); }

    atl_tensor *get() const { return handle_.get(); }
    atl_shape shape_of() const { return atl_tensor_shape(get()); }
    int64_t count() const { return atl_tensor_count(get()); }
    elements<float> floats() { return {check_type(atl_floats(get())), count()}; }
    elements<const float> floats() const { return {check_type(atl_floats(get())), count()}; }
    elements<int32_t> ints() { return {check_type(atl_ints(get())), count()}; }

  private:
    struct free {
        void operator()(atl_tensor *t) const { atl_tensor_free(t); }
    };
    static atl_shape known(atl_shape of, std::size_t values)
    {
        char text[160];
        if (atl_shape_count(of) != static_cast<int64_t>(values))
            check(atl_set_error(ATL_INVALID, "%zu values do not fill a tensor of shape %s", values,
                                atl_shape_text(of, text, sizeof text)));
        return of;
    }
    template <class T> static T *check_type(T *first)
    {
        if (!first)
            check(atl_set_error(ATL_INVALID, "the elements of the tensor are of another type"));
        return first;
    }
    std::unique_ptr<atl_tensor, free> handle_;
};

// A tensor that something else owns, such as a value of a program.
class tensor_view
{
  public:
    explicit tensor_view(const atl_tensor *of) : of_(check(of)) {}
    const atl_tensor *get() const { return of_; }
    atl_shape shape_of() const { return atl_tensor_shape(of_); }
    int64_t count() const { return atl_tensor_count(of_); }
    elements<const float> floats() const { return {check(static_cast<const float *>(atl_floats(of_))), count()}; }
    elements<const int32_t> ints() const { return {check(static_cast<const int32_t *>(atl_ints(of_))), count()}; }
    tensor copy() const { return tensor(atl_tensor_copy(of_)); }

  private:
    const atl_tensor *of_;
};

// ---- nodes ---------------------------------------------------------------------------------------------------------

// A node of a graph; never null.
class node
{
  public:
    node(atl_node *of) : of_(check(of)) {}
    operator atl_node *() const { return of_; }
    atl_node *get() const { return of_; }
    std::string name() const { return atl_name_of(of_); }
    atl_shape shape_of() const { return atl_shape_of(of_); }
    atl_dtype dtype() const { return atl_dtype_of(of_); }
    node named(const char *name) const { return atl_named(of_, "%s", name); }

  private:
    atl_node *of_;
};

inline node operator+(node a, node b) { return atl_add(a, b); }
inline node operator-(node a, node b) { return atl_sub(a, b); }
inline node operator*(node a, node b) { return atl_mul(a, b); }
inline node operator/(node a, node b) { return atl_div(a, b); }
inline node operator-(node x) { return atl_neg(x); }
inline node operator+(node x, float c) { return atl_add_scalar(x, c); }
inline node operator+(float c, node x) { return atl_add_scalar(x, c); }
inline node operator-(node x, float c) { return atl_add_scalar(x, -c); }
inline node operator-(float c, node x) { return atl_add_scalar(atl_neg(x), c); }
inline node operator*(node x, float c) { return atl_scale(x, c); }
inline node operator*(float c, node x) { return atl_scale(x, c); }
inline node operator/(node x, float c) { return atl_div(x, atl_scalar(x, c)); }
inline node operator/(float c, node x) { return atl_div(atl_scalar(x, c), x); }

inline node exp(node x) { return atl_exp(x); }
inline node log(node x) { return atl_log(x); }
inline node sqrt(node x) { return atl_sqrt(x); }
inline node square(node x) { return atl_square(x); }
inline node abs(node x) { return atl_abs(x); }
inline node tanh(node x) { return atl_tanh(x); }
inline node sigmoid(node x) { return atl_sigmoid(x); }
inline node relu(node x) { return atl_relu(x); }
inline node gelu(node x) { return atl_gelu(x); }
inline node softmax(node logits) { return atl_softmax(logits); }
inline node pow(node a, node b) { return atl_pow(a, b); }
inline node matmul(node a, node b)
{
    atl_matmul_args args{};
    args.a = a;
    args.b = b;
    return atl_matmul_with(&args);
}
inline node sum(node x) { return atl_sum(x); }
inline node mean(node x) { return atl_mean(x); }

// d sum(y) / dx
inline node gradient(node y, node x) { return atl_gradient(y, x); }
// Sums of products: einsum("bij,bjk->bik", {a, b}).
inline node einsum(const char *equation, const std::vector<node> &operands)
{
    std::vector<atl_node *> list(operands.begin(), operands.end());
    return atl_einsum_with(equation, {static_cast<int64_t>(list.size()), list.data()});
}
// The gradients of the sum of all ys with respect to each x.
inline std::vector<node> gradients(const std::vector<node> &of, const std::vector<node> &by)
{
    std::vector<atl_node *> ys(of.begin(), of.end()), xs(by.begin(), by.end()), results(by.size());
    atl_gradients_args args{};
    args.of = {static_cast<int64_t>(ys.size()), ys.data()};
    args.by = {static_cast<int64_t>(xs.size()), xs.data()};
    args.result_out = results.data();
    check(atl_gradients_with(&args));
    return {results.begin(), results.end()};
}

// ---- programs and graphs -------------------------------------------------------------------------------------------

struct feed {
    node input;
    const atl_tensor *value;
    feed(node of, const tensor &fed) : input(of), value(fed.get()) {}
    feed(node of, tensor_view fed) : input(of), value(fed.get()) {}
};

class program
{
  public:
    explicit program(const atl_compile_args &args) : handle_(check(atl_compile_with(&args))) {}
    void run(std::initializer_list<feed> feeds = {})
    {
        std::vector<atl_feed> list;
        for (const feed &f : feeds)
            list.push_back({f.input, f.value});
        list.push_back({nullptr, nullptr});
        check(atl_run(get(), list.data()));
    }
    // Valid until the next run.
    tensor_view value(node of) const { return tensor_view(atl_value(get(), of)); }
    float scalar(node of) const
    {
        check(atl_value(get(), of));
        return atl_scalar_of(get(), of);
    }
    atl_program *get() const { return handle_.get(); }

  private:
    struct free {
        void operator()(atl_program *p) const { atl_program_free(p); }
    };
    std::unique_ptr<atl_program, free> handle_;
};

class graph
{
  public:
    graph() : handle_(check(atl_graph_new())) {}
    operator atl_graph *() const { return handle_.get(); }
    node input(const char *name, sizes of, atl_dtype dtype = ATL_FLOAT32)
    {
        return atl_input(*this, name, dtype, shape(of));
    }
    node variable(const char *name, sizes of, atl_initializer first = atl_glorot())
    {
        return atl_variable(*this, name, shape(of), first);
    }
    node constant(const tensor &value) { return atl_constant(*this, value.get()); }
    // Further options: of atl_compile_args, whose graph and outputs are set here.
    program compile(const std::vector<node> &outputs, atl_compile_args options = {})
    {
        std::vector<atl_node *> list(outputs.begin(), outputs.end());
        options.graph = *this;
        options.outputs = {static_cast<int64_t>(list.size()), list.data()};
        return program(options);
    }

  private:
    struct free {
        void operator()(atl_graph *g) const { atl_graph_free(g); }
    };
    std::unique_ptr<atl_graph, free> handle_;
};

// A scope of names, until the end of its block: atled::scope conv1(g, "conv1");
class scope
{
  public:
    scope(const graph &g, const char *name) : graph_(g) { atl_enter(graph_, name); }
    ~scope() { atl_leave(graph_); }
    scope(const scope &) = delete;
    scope &operator=(const scope &) = delete;

  private:
    atl_graph *graph_;
};

// ---- what else the C functions make --------------------------------------------------------------------------------

// Owns what a C function has made, and goes where the C functions want it; never null.
//     atled::attacker a(atl_attacker_new(image, scores));
//     atled::check(atl_attack(.attacker = a, .method = "pgd", .pictures = pictures.get(), .eps = {8, 255}));
template <class T, void (*Free)(T *)> class handle
{
  public:
    explicit handle(T *made) : handle_(check(made)) {}
    operator T *() const { return handle_.get(); }
    T *get() const { return handle_.get(); }

  private:
    struct free {
        void operator()(T *made) const { Free(made); }
    };
    std::unique_ptr<T, free> handle_;
};
// Attackers, explainers and foolers end before their graph; the nodes of a network from a file stay with it.
using attacker = handle<atl_attacker, atl_attacker_free>;
using explainer = handle<atl_explainer, atl_explainer_free>;
using fooler = handle<atl_fooler, atl_fooler_free>;
using onnx = handle<atl_onnx, atl_onnx_free>;
using onnx_report = handle<atl_onnx_report, atl_onnx_report_free>;
using dataset = handle<atl_dataset, atl_dataset_free>;
using batches = handle<atl_batches, atl_batches_free>;
using npz = handle<atl_npz, atl_npz_close>;
using safetensors = handle<atl_safetensors, atl_safetensors_close>;
using reference = handle<atl_reference, atl_reference_free>;
using context = handle<atl_context, atl_context_free>;

} // namespace atled

#endif
