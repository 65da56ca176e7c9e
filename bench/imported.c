/* imported load [RUNS]: the time to load VGG16 from an ONNX file of 553 MB, beside the time to read the file's bytes
 * into memory that is in use already, and into memory that is new, as that of the weights is; in turn, medians; and the
 * peak memory beyond the weights.  The file is written to the current folder and removed.
 *
 * imported speed NETWORK [RUNS [FILE.onnx]]: a network built by its functions, and the same one from the file, or from
 * one that atled writes of it: the time of the logits, and of them with the gradient of the largest logit by the image,
 * for one picture, in turn; medians.  NETWORK: of `atled --help`, or of networks.h.
 *
 * imported forward FILE.onnx BATCH [RUNS]: the time of its outputs for so many pictures, with one thread; the median
 * (bench/forward.py runs it beside onnxruntime).  imported gradient FILE.onnx BATCH [RUNS]: the same for its first
 * output and the gradient of the sum of the largest scores by the image (bench/other_networks.py).  imported write
 * NETWORK [BATCH]: writes bench_imported.onnx.
 *
 * Each prints lines of JSON.  BENCH_CLOCK=processor: as for the other benchmarks. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cases.h"
#include "networks.h"

enum { MOST_RUNS = 1000, CHUNK = 1 << 20 };

static const char written[] = "bench_imported.onnx";

static int fail(const char *what)
{
    fprintf(stderr, "imported: %s: %s\n", what, atl_error());
    return 0;
}

/* A network of the library, or of the benchmarks. */
static atl_node *build(const char *name, atl_node *image)
{
    const atl_model *model = atl_model_find(name);
    return model ? model->build(&(atl_model_args){.image = image}) : bench_network(name, image);
}

static atl_node *image_for(atl_graph *graph, const char *name, int64_t batch)
{
    const atl_model *model = atl_model_find(name);
    int64_t side = model ? model->height : 224;
    return atl_input(graph, "image", ATL_FLOAT32, ATL_SHAPE(batch, side, model ? model->width : side, 3));
}

static int write_network(const char *name, int64_t batch)
{
    atl_graph *graph = atl_graph_new();
    atl_node *logits = build(name, image_for(graph, name, batch));
    int ok = logits && !atl_onnx_write(written, ATL_NODES(logits)) ? 1 : fail(name);
    atl_graph_free(graph);
    return ok;
}

/* ---- loading ----------------------------------------------------------------------------------------------------- */

/* to: room for a chunk, which is used again and again; or for all of it */
static int64_t read_bytes(char *to, int all_of_it)
{
    int file = open(written, O_RDONLY | O_CLOEXEC);
    int64_t done = 0;
    for (ssize_t some; file >= 0 && (some = read(file, to + (all_of_it ? done : 0), CHUNK)) > 0;)
        done += some;
    if (file >= 0)
        close(file);
    return done;
}

static int read_once(int64_t size, char *chunk) { return read_bytes(chunk, 0) == size; }

static int read_to_new_memory(int64_t size, char *chunk)
{
    char *memory = malloc((size_t)size + CHUNK);
    int ok = memory && read_bytes(memory, 1) == size;
    (void)chunk;
    free(memory);
    return ok;
}

static int64_t kilobytes_at_most(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) ? 0 : usage.ru_maxrss;
}

static int load_once(int64_t size, char *chunk)
{
    (void)size, (void)chunk;
    atl_graph *graph = atl_graph_new();
    atl_onnx *net = atl_onnx_load(graph, written);
    int ok = net ? 1 : fail(written);
    atl_onnx_free(net);
    atl_graph_free(graph);
    return ok;
}

/* The network is written by a process of its own, so that its memory does not count here. */
static int measure_loading(const char *self, int runs)
{
    static int (*const ways[3])(int64_t, char *) = {read_once, read_to_new_memory, load_once};
    static double times[3][MOST_RUNS];
    char command[4096];
    char *chunk = calloc(1, CHUNK);
    int ok = chunk && snprintf(command, sizeof command, "'%s' write vgg16", self) < (int)sizeof command &&
             system(command) == 0;
    int64_t size = ok ? read_bytes(chunk, 0) : 0; /* fills the page cache */
    int64_t before = kilobytes_at_most(), after = 0;
    for (int i = 0; i < runs && ok; i++)
        for (int k = 2; k >= 0 && ok; k--) { /* the load is first, so that the peak is its own */
            double start = seconds_now();
            ok = ways[k](size, chunk);
            times[k][i] = seconds_now() - start;
            after = i == 0 && k == 2 ? kilobytes_at_most() : after;
        }
    double median[3];
    for (int k = 0; k < 3 && ok; k++)
        median[k] = median_of(times[k], runs);
    if (ok)
        printf("{\"case\": \"onnx_load\", \"unit\": \"s\", \"bytes\": %lld, \"read\": %.4f, \"read_new\": %.4f, "
               "\"load\": %.4f, \"ratio\": %.3f, \"ratio_new\": %.3f, \"fastest\": [%.4f, %.4f, %.4f], "
               "\"beyond_weights_mb\": %.1f}\n",
               (long long)size, median[0], median[1], median[2], median[2] / median[0], median[2] / median[1],
               times[0][0], times[1][0], times[2][0], (double)(after - before) / 1024 - (double)size / (1 << 20));
    free(chunk);
    unlink(written);
    return ok;
}

/* ---- the speed of what was loaded -------------------------------------------------------------------------------- */

enum { FORWARD, GRADIENT, PROGRAMS };

typedef struct network {
    atl_graph *graph;
    atl_tensor *pixels;
    atl_node *image;
    atl_program *program[PROGRAMS]; /* the logits; and with the gradient */
} network;

static atl_node *image_gradient(const network *n, atl_node *logits)
{
    return atl_gradient(atl_reduce_sum(atl_reduce_max(logits, .axes = 1, .axis = {1})), n->image);
}

/* The programs from `first` to `last`. */
static int finish(const char *name, network *n, atl_node *logits, int first, int last)
{
    n->pixels = logits ? random_pixels(name, atl_shape_of(n->image)) : NULL;
    int ok = n->pixels != NULL;
    for (int i = first; i <= last && ok; i++) {
        atl_nodes outputs = i == GRADIENT ? ATL_NODES(logits, image_gradient(n, logits)) : ATL_NODES(logits);
        n->program[i] = atl_compile(n->graph, outputs, .threads = 1);
        ok = n->program[i] != NULL;
    }
    return ok;
}

static int open_built(const char *name, network *n)
{
    *n = (network){.graph = atl_graph_new()};
    n->image = image_for(n->graph, name, 1);
    return finish(name, n, build(name, n->image), FORWARD, GRADIENT) ? 1 : fail(name);
}

static int open_imported(const char *name, const char *path, int64_t batch, network *n, int first, int last)
{
    *n = (network){.graph = atl_graph_new()};
    atl_onnx *net = atl_onnx_load(n->graph, path, .batch = batch);
    n->image = net ? atl_onnx_input(net, atl_onnx_input_name(net, 0)) : NULL;
    atl_node *logits = net ? atl_onnx_output(net, atl_onnx_output_name(net, 0)) : NULL;
    int ok = finish(name, n, logits, first, last) ? 1 : fail(path);
    atl_onnx_free(net);
    return ok;
}

static void close_network(network *n)
{
    atl_program_free(n->program[0]);
    atl_program_free(n->program[1]);
    atl_tensor_free(n->pixels);
    atl_graph_free(n->graph);
}

/* A negative time after an error. */
static double time_run(const network *n, int which)
{
    double start = seconds_now();
    return atl_run(n->program[which], ATL_FEED(n->image, n->pixels)) ? -1 : seconds_now() - start;
}

/* which: FORWARD or GRADIENT */
static int measure_file(const char *path, int64_t batch, int runs, int which)
{
    static double times[MOST_RUNS];
    network n;
    int ok = open_imported(path, path, batch, &n, which, which);
    for (int i = -1; ok && i < runs; i++) { /* -1: the first run prepares the weights */
        double seconds = time_run(&n, which);
        ok = seconds >= 0 ? 1 : fail(path);
        if (i >= 0)
            times[i] = seconds;
    }
    if (ok)
        printf("{\"who\": \"atled\", \"unit\": \"ms\", \"median\": %.3f}\n", median_of(times, runs) * 1e3);
    close_network(&n);
    return ok;
}

static int compare(const char *name, const network *built, const network *imported, int which, int runs)
{
    static double times[2][MOST_RUNS];
    for (int i = -1; i < runs; i++) { /* -1: the first run prepares the weights */
        double a = time_run(built, which), b = time_run(imported, which);
        if (a < 0 || b < 0)
            return fail(name);
        if (i >= 0)
            times[0][i] = a, times[1][i] = b;
    }
    double by_hand = median_of(times[0], runs), from_file = median_of(times[1], runs);
    printf("{\"case\": \"onnx_%s%s\", \"unit\": \"ms\", \"built\": %.3f, \"imported\": %.3f, \"ratio\": %.4f, "
           "\"ratio_of_fastest\": %.4f}\n",
           name, which ? "_gradient" : "", by_hand * 1e3, from_file * 1e3, from_file / by_hand,
           times[1][0] / times[0][0]);
    return 1;
}

static int measure_speed(const char *name, int runs, const char *path)
{
    network built = {0}, imported = {0};
    int ok = (path || write_network(name, ATL_ANY)) && open_built(name, &built) &&
             open_imported(name, path ? path : written, 1, &imported, FORWARD, GRADIENT) &&
             compare(name, &built, &imported, 0, runs) && compare(name, &built, &imported, 1, runs);
    close_network(&built);
    close_network(&imported);
    if (!path)
        unlink(written);
    return ok;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int speed = strcmp(what, "speed") == 0, gradient = strcmp(what, "gradient") == 0;
    int file = gradient || strcmp(what, "forward") == 0, at = strcmp(what, "load") == 0 ? 2 : file ? 4 : 3;
    int runs = argc > at ? atoi(argv[at]) : 9;
    if (runs < 1 || runs > MOST_RUNS || (argc < 3 && strcmp(what, "load") != 0)) {
        fputs("usage: imported load [RUNS] | imported speed NETWORK [RUNS [FILE.onnx]] | "
              "imported forward|gradient FILE.onnx BATCH [RUNS]\n",
              stderr);
        return 2;
    }
    if (strcmp(what, "write") == 0)
        return !write_network(argv[2], argc > 3 ? atoll(argv[3]) : ATL_ANY);
    if (file && argc > 3)
        return !measure_file(argv[2], atoll(argv[3]), runs, gradient ? GRADIENT : FORWARD);
    return !(speed ? measure_speed(argv[2], runs, argc > 4 ? argv[4] : NULL) : measure_loading(argv[0], runs));
}
