/* The pictures and the certificate of a result. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attack_session.h"
#include "certificate.h"
#include "eps.h"

/* ---- the command ------------------------------------------------------------------------------------------------- */

static void add_word(char *text, size_t size, const char *word)
{
    size_t at = strlen(text);
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+./,:@%";
    if (at + 4 * strlen(word) + 4 > size)
        return;
    text[at++] = ' ';
    if (word[0] && strspn(word, plain) == strlen(word)) {
        strcpy(text + at, word);
        return;
    }
    text[at++] = '\'';
    for (; *word; word++) {
        if (*word == '\'') {
            memcpy(text + at, "'\\'", 3);
            at += 3;
        }
        text[at++] = *word;
    }
    text[at++] = '\'';
    text[at] = 0;
}

static void add_option(char *text, size_t size, const char *option, const char *value)
{
    if (!value)
        return;
    add_word(text, size, option);
    add_word(text, size, value);
}

static void add_number(char *text, size_t size, const char *option, double value)
{
    char number[64];
    snprintf(number, sizeof number, "%.17g", value);
    if (value != 0)
        add_option(text, size, option, number);
}

static void add_network(const attack_options *set, char *text, size_t size)
{
    const picture_settings *p = &set->network.picture;
    add_option(text, size, "--model", set->network.model);
    add_option(text, size, "--weights", set->network.weights);
    add_option(text, size, "--names", p->names);
    if (p->preset)
        add_option(text, size, "--preprocess", picture_presets[p->preset]);
    add_option(text, size, "--mean", p->mean);
    add_option(text, size, "--std", p->deviation);
    add_option(text, size, "--scale", p->scale);
    if (p->bgr)
        add_word(text, size, "--bgr");
    add_option(text, size, "--logits", p->logits);
    if (set->network.allow_non_finite)
        add_word(text, size, "--allow-non-finite");
}

void command_of(const attack_session *s, int64_t task, char *text, size_t size)
{
    const attack_options *set = &s->set;
    int64_t picture = task / (s->tasks / s->pictures.count);
    char target[32], count[32];
    int is_shared = atl_attack_method_find(set->method)->is_shared; /* then it takes all pictures */
    snprintf(text, size, "atled attack");
    add_network(set, text, size);
    if (set->data) {
        add_option(text, size, "--data", set->data);
        add_option(text, size, "--part", set->part == ATL_TRAINING ? "training" : NULL);
        snprintf(count, sizeof count, "%lld", is_shared ? (long long)s->pictures.count : 1LL);
        add_option(text, size, "--count", count);
        picture = is_shared ? 0 : picture;
    } else if (is_shared) {
        for (int64_t i = 0; i < s->pictures.count; i++)
            add_word(text, size, s->pictures.path[i]);
        add_option(text, size, "--label", set->label);
        picture = 0;
    } else {
        snprintf(target, sizeof target, "%d", s->pictures.label[picture]);
        add_word(text, size, s->pictures.path[picture]);
        add_option(text, size, "--label", target);
    }
    add_number(text, size, "--first", (double)s->pictures.index[picture]);
    add_option(text, size, "--method", set->method);
    add_option(text, size, "--norm", norm_names[set->norm]);
    add_option(text, size, "--eps", set->eps_text);
    snprintf(target, sizeof target, "%d", s->targets ? s->targets[task] : 0);
    add_option(text, size, "--target", s->targets ? target : set->target);
    add_number(text, size, "--steps", (double)set->steps);
    add_number(text, size, "--restarts", (double)set->restarts);
    add_number(text, size, "--step-size", set->step_size);
    add_number(text, size, "--confidence", set->confidence);
    add_number(text, size, "--jpeg", (double)set->jpeg);
    add_number(text, size, "--seed", (double)set->seed);
    add_word(text, size, "--output");
    add_word(text, size, "out");
}

/* ---- pictures ---------------------------------------------------------------------------------------------------- */

/* True for a PNG file whose pixels are the picture's own. */
static int is_png(const char *path)
{
    unsigned char start[8] = {0};
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(start, 1, sizeof start, file) : 0;
    if (file)
        fclose(file);
    return size == 8 && memcmp(start, "\x89PNG\r\n\x1a\n", 8) == 0;
}

static int copy_file(const char *from, const char *to)
{
    FILE *file = fopen(from, "rb");
    char *bytes = NULL;
    size_t size = 0, room = 0;
    while (file && !feof(file) && !ferror(file)) {
        if (size == room) {
            char *more = realloc(bytes, room = room ? 2 * room : 1 << 16);
            if (!more)
                break;
            bytes = more;
        }
        size += fread(bytes + size, 1, room - size, file);
    }
    int failed = !file || !feof(file);
    if (file)
        fclose(file);
    if (!failed && atl_write_bytes(to, bytes, size))
        failed = report_failure("attack");
    else if (failed)
        failed = report_error("attack", EXIT_BAD_FILE, "%s cannot be read", from);
    free(bytes);
    return failed;
}

/* Writes the pixels, as the JPEG file that stores them if there is one; reads them back. */
static int write_pixels(const attack_session *s, const float *pixels, jpeg_file jpeg, const char *path)
{
    const attack_pictures *p = &s->pictures;
    int64_t count = p->height * p->width * p->channels;
    atl_tensor *picture = atl_tensor_of_floats(ATL_SHAPE(p->height, p->width, p->channels), pixels);
    atl_status status = !picture     ? atl_error_status()
                        : jpeg.bytes ? atl_write_bytes(path, jpeg.bytes, jpeg.size)
                                     : atl_write_png(path, picture);
    int code = status ? report_failure("attack") : 0;
    atl_tensor *back = code ? NULL : atl_read_image(path);
    if (!code && !back)
        code = report_failure("attack");
    for (int64_t i = 0; !code && i < count; i++)
        if (atl_floats(back)[p->channels == 1 ? 3 * i : i] != pixels[i])
            code = report_error("attack", EXIT_INTERNAL, "%s does not hold the pixels that were written", path);
    atl_tensor_free(picture);
    atl_tensor_free(back);
    return code;
}

/* ---- the certificate --------------------------------------------------------------------------------------------- */

static json_t *text_or_null(const char *text) { return text && text[0] ? json_string(text) : json_null(); }

static json_t *model_of(const attack_session *s)
{
    const network_choice *n = &s->set.network;
    const picture_settings *p = &n->picture;
    json_t *model = json_pack("{s:s, s:o, s:o, s:o}", "name", n->model, "sha256", text_or_null(s->model_digest),
                              "weights", text_or_null(n->weights), "weights_sha256", text_or_null(s->weights_digest));
    if (is_network_file(n->model))
        json_object_set_new(model, "preprocessing",
                            json_pack("{s:s, s:o, s:o, s:o, s:b}", "preset", picture_presets[p->preset], "mean",
                                      text_or_null(p->mean), "std", text_or_null(p->deviation), "scale",
                                      text_or_null(p->scale), "bgr", p->bgr));
    else
        json_object_set_new(model, "preprocessing", json_string("part of the network"));
    json_object_set_new(model, "logits", text_or_null(p->logits));
    if (p->names)
        json_object_set_new(model, "names", json_string(p->names));
    return model;
}

static const char *name_in(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static json_t *file_of(const char *path)
{
    char digest[DIGEST_TEXT] = "";
    digest_of_file(path, digest);
    return json_pack("{s:s, s:s}", "file", name_in(path), "sha256", digest);
}

static json_t *attack_of(const attack_session *s, const atl_attack_result *r)
{
    const attack_options *set = &s->set;
    char eps[64] = "";
    if (set->eps.under)
        write_eps(set->eps, eps, sizeof eps);
    json_t *o = json_pack("{s:s, s:s, s:o, s:i, s:o, s:I, s:I, s:I, s:f, s:f}", "method", set->method, "norm",
                          norm_names[set->norm], "eps", text_or_null(eps), "label", r->label, "target",
                          r->target >= 0 ? json_integer(r->target) : json_null(), "seed", (json_int_t)set->seed,
                          "steps", (json_int_t)set->steps, "restarts", (json_int_t)set->restarts, "step_size",
                          set->step_size, "confidence", set->confidence);
    if (set->jpeg)
        json_object_set_new(o, "jpeg", json_integer(set->jpeg));
    return o;
}

static int certify(attack_session *s, int64_t task, const atl_attack_result *r, const float *original,
                   const char *before_path, const char *after_path)
{
    char path[4200], command[8192];
    exact_size size;
    double before = 0, after = 0;
    int64_t count = s->pictures.height * s->pictures.width * s->pictures.channels;
    begin_computing(s->jobs);
    int code = margin_in_double("attack", &s->network, original, r->label, r->target, &before);
    if (!code)
        code = margin_in_double("attack", &s->network, r->pixels, r->label, r->target, &after);
    end_computing(s->jobs);
    if (code)
        return code;
    if (!measure_exactly(count, original, r->pixels, &size))
        return report_error("attack", EXIT_INTERNAL, "a result has pixels that are no whole levels");
    command_of(s, task, command, sizeof command);
    json_t *picture = file_of(before_path);
    json_object_set_new(picture, "height", json_integer(s->pictures.height));
    json_object_set_new(picture, "width", json_integer(s->pictures.width));
    json_object_set_new(picture, "channels", json_integer(s->pictures.channels));
    json_t *c = json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:o, s:{s:I, s:I, s:I, s:I}, s:b, s:{s:f, s:f}, s:{s:f, s:f}, s:{s:i, s:i}, s:s, "
        "s:s}",
        "format", CERTIFICATE_FORMAT, "atled", atl_version(), "model", model_of(s), "picture", picture, "result",
        file_of(after_path), "attack", attack_of(s, r), "change", "largest", (json_int_t)size.largest, "sum",
        (json_int_t)size.sum, "sum_of_squares", (json_int_t)size.sum_of_squares, "elements", (json_int_t)size.elements,
        "reached", r->met, "margin", "before", r->margin_before, "after", r->margin_after, "margin_in_double", "before",
        before, "after", after, "top", "before", r->clean_top, "after", r->top, "instruction_set",
        atl_isa_name(atl_isa_in_use()), "command", command);
    result_path(s, task, ".json", path, sizeof path);
    code = c ? write_certificate("attack", path, c) : report_no_memory("attack");
    json_decref(c);
    return code;
}

int write_result_files(attack_session *s, int64_t task, const atl_attack_result *r)
{
    char before[4200], after[4200];
    const attack_pictures *p = &s->pictures;
    int64_t picture = task / (s->tasks / p->count), count = p->height * p->width * p->channels;
    const float *original = p->pixels + picture * count;
    const char *source =
        p->path[picture] && !p->jpeg && !p->is_fitted[picture] && is_png(p->path[picture]) ? p->path[picture] : NULL;
    int is_same = memcmp(original, r->pixels, (size_t)count * sizeof *original) == 0;
    jpeg_file jpeg = p->jpeg ? p->jpeg[picture] : (jpeg_file){0};
    result_path(s, task, original_suffix(s), before, sizeof before);
    result_path(s, task, changed_suffix(s), after, sizeof after);
    int code = source ? copy_file(source, before) : write_pixels(s, original, jpeg, before);
    if (r->jpeg)
        jpeg = (jpeg_file){(void *)(uintptr_t)r->jpeg, r->jpeg_size};
    if (!code)
        code = source && is_same ? copy_file(source, after) : write_pixels(s, r->pixels, jpeg, after);
    return code ? code : certify(s, task, r, original, before, after);
}
