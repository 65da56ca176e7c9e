/* atled verify: checks the certificates of atled attack against the files that they name. */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "attack_network.h"
#include "certificate.h"
#include "digest.h"
#include "eps.h"

typedef struct settings {
    const char *model, *weights;
    int quiet;
    const char *const *certificates;
} settings;

/* The network of the last certificate, which the next one usually has, too. */
typedef struct opened {
    int is_open;
    json_t *model;     /* that part of its certificate */
    atl_shape picture; /* [height, width, channels]: an ONNX file may leave the sizes open */
    loaded_network network;
    atl_attacker *attacker;
} opened;

typedef struct verification {
    const settings *set;
    const char *path;
    const json_t *content;
    opened *net;
    int failures;
    atl_tensor *before, *after; /* [1, h, w, c] */
} verification;

/* ---- messages ---------------------------------------------------------------------------------------------------- */

static void fail(verification *v, const char *format, ...) ATL_PRINTF(2, 3);
static void fail(verification *v, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    printf("%s: FAILS: %s\n", v->path, text);
    v->failures++;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static int check_digest(verification *v, const char *what, const char *path, const char *claimed)
{
    char found[DIGEST_TEXT];
    if (!path || !claimed)
        fail(v, "it does not name %s with its SHA-256", what);
    else if (digest_of_file(path, found))
        fail(v, "%s, %s, cannot be read", what, path);
    else if (strcmp(found, claimed) != 0)
        fail(v, "%s, %s, is another file than the certificate's: its SHA-256 is %s, not %s", what, path, found,
             claimed);
    else
        return 1;
    return 0;
}

enum { PATH = 4096 };

/* The file of one of the two pictures; 0 if the certificate names none. */
static int path_of(verification *v, const char *key, char path[PATH])
{
    char field[64];
    const char *slash = strrchr(v->path, '/');
    snprintf(field, sizeof field, "%s.file", key);
    const char *name = text_at(v->content, field);
    if (!name || !name[0] || strchr(name, '/')) {
        fail(v, "it does not name the %s as a file beside it", key);
        return 0;
    }
    snprintf(path, PATH, "%.*s%.255s", slash ? (int)(slash - v->path) + 1 : 0, v->path, name);
    return 1;
}

/* The pixels of one of the two pictures, as the network takes them. */
static atl_tensor *read_picture(verification *v, const char *key)
{
    char path[PATH], field[64];
    if (!path_of(v, key, path))
        return NULL;
    snprintf(field, sizeof field, "%s.sha256", key);
    if (!check_digest(v, strcmp(key, "picture") == 0 ? "the unchanged picture" : "the changed picture", path,
                      text_at(v->content, field)))
        return NULL;
    atl_tensor *image = atl_read_image(path);
    atl_shape shape = atl_shape_of(v->net->network.image), own = atl_tensor_shape(image);
    shape.size[0] = 1;
    if (!image || own.size[0] != shape.size[1] || own.size[1] != shape.size[2]) {
        fail(v, "%s: %s", path, image ? "its size is not that of the network" : atl_error());
        atl_tensor_free(image);
        return NULL;
    }
    atl_tensor *to = atl_tensor_new(ATL_FLOAT32, shape);
    for (int64_t i = 0; to && i < atl_tensor_count(to); i++)
        atl_floats(to)[i] = atl_floats(image)[shape.size[3] == 1 ? 3 * i : i];
    atl_tensor_free(image);
    return to;
}

/* ---- the network ------------------------------------------------------------------------------------------------- */

static void close_opened(opened *net)
{
    atl_attacker_free(net->attacker);
    if (net->is_open)
        close_network(&net->network);
    json_decref(net->model);
    *net = (opened){0};
}

static int preset_of(const char *name)
{
    for (int i = 0; picture_presets[i]; i++)
        if (name && strcmp(picture_presets[i], name) == 0)
            return i;
    return 0;
}

static network_choice choice_of(const verification *v)
{
    const json_t *c = v->content;
    const char *model = v->set->model ? v->set->model : text_at(c, "model.name");
    const json_t *bgr = json_object_get(json_object_get(json_object_get(c, "model"), "preprocessing"), "bgr");
    return (network_choice){.model = model,
                            .weights = v->set->weights ? v->set->weights : text_at(c, "model.weights"),
                            .picture = {.preset = preset_of(text_at(c, "model.preprocessing.preset")),
                                        .mean = text_at(c, "model.preprocessing.mean"),
                                        .deviation = text_at(c, "model.preprocessing.std"),
                                        .scale = text_at(c, "model.preprocessing.scale"),
                                        .bgr = json_is_true(bgr),
                                        .logits = text_at(c, "model.logits"),
                                        .names = text_at(c, "model.names")},
                            .allow_non_finite = 1};
}

static int open_network_of(verification *v)
{
    const json_t *model = json_object_get(v->content, "model");
    network_choice choice = choice_of(v);
    if (!choice.model) {
        fail(v, "it names no model");
        return 0;
    }
    if (is_network_file(choice.model) &&
        !check_digest(v, "the model", choice.model, text_at(v->content, "model.sha256")))
        return 0;
    if ((choice.weights || !is_network_file(choice.model)) &&
        !check_digest(v, "the file of weights", choice.weights, text_at(v->content, "model.weights_sha256")))
        return 0;
    atl_shape shape = ATL_SHAPE(whole_at(v->content, "picture.height", 0), whole_at(v->content, "picture.width", 0),
                                whole_at(v->content, "picture.channels", 0));
    if (v->net->is_open && json_equal(v->net->model, model) && atl_shape_equal(v->net->picture, shape))
        return 1;
    close_opened(v->net);
    v->net->picture = shape;
    v->net->is_open = 1;
    v->net->model = json_deep_copy(model);
    if (open_attacked_network("verify", &choice, shape, &v->net->network) == 0)
        v->net->attacker = atl_attacker_new(v->net->network.image, v->net->network.logits, .threads = 1, .rows = 1);
    if (v->net->attacker)
        return 1;
    fail(v, "its network cannot be opened");
    close_opened(v->net);
    return 0;
}

/* ---- the claims -------------------------------------------------------------------------------------------------- */

/* The certificate's eps; {0, 0}: none. */
static int read_claimed_eps(verification *v, atl_fraction *eps)
{
    const char *text = text_at(v->content, "attack.eps");
    long long over, under = 1;
    *eps = (atl_fraction){0, 0};
    if (!text)
        return 1;
    int parts = sscanf(text, "%lld/%lld", &over, &under);
    if (parts < 1 || over < 0 || under < 1 || under > 1000000000) {
        fail(v, "its eps '%s' is no fraction", text);
        return 0;
    }
    *eps = (atl_fraction){over, under};
    return 1;
}

static int claimed_norm(const verification *v)
{
    const char *text = text_at(v->content, "attack.norm");
    for (int n = ATL_NORM_LINF; n <= ATL_NORM_L0; n++)
        if (text && strcmp(text, atl_norm_name((atl_norm)n)) == 0)
            return n;
    return -1;
}

static void check_whole(verification *v, const char *what, const char *field, long long found)
{
    long long claimed = whole_at(v->content, field, -1);
    if (claimed != found)
        fail(v, "%s is %lld, not %lld", what, found, claimed);
}

static int check_change(verification *v, int *is_within_out)
{
    exact_size size;
    atl_fraction eps;
    int norm = claimed_norm(v);
    if (norm < 0) {
        fail(v, "it names no norm");
        return 0;
    }
    if (!read_claimed_eps(v, &eps))
        return 0;
    if (!measure_exactly(atl_tensor_count(v->before), atl_floats(v->before), atl_floats(v->after), &size)) {
        fail(v, "a pixel is no whole level");
        return 0;
    }
    check_whole(v, "the largest change of a pixel", "change.largest", size.largest);
    check_whole(v, "the sum of the changes", "change.sum", size.sum);
    check_whole(v, "the sum of the squares of the changes", "change.sum_of_squares", size.sum_of_squares);
    check_whole(v, "the number of changed elements", "change.elements", size.elements);
    *is_within_out = is_within_eps(&size, (atl_norm)norm, eps);
    return 1;
}

/* Scores in float, and the margin that follows from them; the largest magnitude scales the tolerance. */
static int run_float(verification *v, const atl_tensor *picture, int label, int target, int *top, double *margin,
                     double *scale)
{
    int classes = v->net->network.size.classes, class = target >= 0 ? target : label;
    float *z = malloc((size_t)classes * sizeof *z);
    if (!z || atl_attacker_scores(v->net->attacker, picture, z)) {
        fail(v, "the network cannot be run: %s", atl_error());
        free(z);
        return 0;
    }
    double other = -INFINITY;
    *top = 0;
    *scale = 0;
    for (int i = 0; i < classes; i++) {
        *top = z[i] > z[*top] ? i : *top;
        *scale = fmax(*scale, fabs((double)z[i]));
        other = i != class && !((double)z[i] <= other) ? (double)z[i] : other;
    }
    *margin = target >= 0 ? (double)z[class] - other : other - (double)z[class];
    free(z);
    return 1;
}

/* Recomputes a margin in both precisions; `after` says of which picture. */
static int check_margin(verification *v, int after, int label, int target, int *is_met_out)
{
    char field[64];
    const char *which = after ? "after" : "before";
    const atl_tensor *picture = after ? v->after : v->before;
    int top;
    double margin, scale, exact;
    if (!run_float(v, picture, label, target, &top, &margin, &scale))
        return 0;
    if (margin_in_double("verify", &v->net->network, atl_floats(picture), label, target, &exact)) {
        fail(v, "the network cannot be run in double precision");
        return 0;
    }
    snprintf(field, sizeof field, "margin.%s", which);
    double claimed = number_at(v->content, field);
    if (!(fabs(claimed - margin) <= 1e-3 * scale))
        fail(v, "the margin %s the change is %.6g, not %.6g", which, margin, claimed);
    snprintf(field, sizeof field, "margin_in_double.%s", which);
    claimed = number_at(v->content, field);
    if (!(fabs(claimed - exact) <= 1e-9 * (scale + fabs(exact))))
        fail(v, "the margin %s the change in double precision is %.12g, not %.12g", which, exact, claimed);
    snprintf(field, sizeof field, "top.%s", which);
    if (whole_at(v->content, field, -1) != top)
        fail(v, "the class %s the change is %d, not %lld", which, top, whole_at(v->content, field, -1));
    *is_met_out = margin > 0 && exact > 0;
    return 1;
}

/* The tables of a JPEG file that follow from its quality: they end here in what libjpeg writes. */
enum { START = 158 };

/* Whether a file is a JPEG of the certificate's quality, if it names one: such files begin in the same way, with the
 * tables that follow from the quality. */
static void check_jpeg(verification *v, const char *key)
{
    int quality = (int)whole_at(v->content, "attack.jpeg", 0);
    char path[PATH];
    unsigned char start[START];
    void *bytes = NULL;
    size_t size = 0;
    if (quality == 0)
        return;
    FILE *file = path_of(v, key, path) ? fopen(path, "rb") : NULL;
    size_t read = file ? fread(start, 1, sizeof start, file) : 0;
    if (file)
        fclose(file);
    if (atl_encode_jpeg(v->before, quality, &bytes, &size))
        fail(v, "its quality of JPEG, %d: %s", quality, atl_error());
    else if (size < START || read < START || memcmp(bytes, start, START) != 0)
        fail(v, "%s is no JPEG file of quality %d", path, quality);
    atl_bytes_free(bytes);
}

static void check_claims(verification *v)
{
    int classes = v->net->network.size.classes, is_within = 0, was_met = 0, is_met = 0;
    long long label = whole_at(v->content, "attack.label", -1), target = whole_at(v->content, "attack.target", -1);
    if (label < 0 || label >= classes || target < -1 || target >= classes) {
        fail(v, "the network has no class %lld or %lld", label, target);
        return;
    }
    if (!check_change(v, &is_within) || !check_margin(v, 0, (int)label, (int)target, &was_met) ||
        !check_margin(v, 1, (int)label, (int)target, &is_met))
        return;
    int reached = json_is_true(json_object_get(v->content, "reached"));
    if (reached && !is_within)
        fail(v, "the change is larger than eps, %s", text_at(v->content, "attack.eps"));
    if (reached && !is_met)
        fail(v, "the goal is not reached");
}

static int verify(const settings *set, const char *path, opened *net)
{
    char why[512];
    json_t *content = read_certificate(path, why, sizeof why);
    verification v = {.set = set, .path = path, .content = content, .net = net};
    if (!content)
        fail(&v, "%s", why);
    else if (open_network_of(&v)) {
        v.before = read_picture(&v, "picture");
        v.after = read_picture(&v, "result");
        if (v.before && v.after) {
            check_jpeg(&v, "picture");
            check_jpeg(&v, "result");
            check_claims(&v);
        }
    }
    if (!v.failures && !set->quiet)
        printf("%s: holds%s\n", path,
               json_is_true(json_object_get(content, "reached")) ? "" : " (the goal was not reached)");
    atl_tensor_free(v.before);
    atl_tensor_free(v.after);
    json_decref(content);
    return v.failures == 0;
}

int atled_verify(int argc, char **argv)
{
    settings set = {0};
    int code, operand, held = 0;
    const command_option options[] = {{"model", 'm', .text = &set.model, .argument = "FILE",
                                       .help = "where the model is now, if it was moved"},
                                      {"weights", 'w', .text = &set.weights, .argument = "FILE",
                                       .help = "where its weights are now"},
                                      {"quiet", 'q', .flag = &set.quiet, .help = "print only what fails"},
                                      {0}};
    static const char *const examples[] = {"atled verify out/*.json",
                                           "recomputes what the certificates of 'atled attack -o out' say", NULL};
    const command_line line = {"verify",
                               .about = "check the certificates of atled attack",
                               .operands = "CERTIFICATE...",
                               .least_operands = 1,
                               .most_operands = 1 << 20,
                               .options = options,
                               .examples = examples};
    if (!read_options(&line, argc, argv, &operand, &code))
        return code;
    opened net = {0};
    for (int i = operand; i < argc; i++)
        held += verify(&set, argv[i], &net);
    close_opened(&net);
    printf("%d of %d hold\n", held, argc - operand);
    return held == argc - operand ? EXIT_GOAL_MET : EXIT_GOAL_NOT_MET;
}
