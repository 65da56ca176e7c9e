/* A target of atled fool as a part of the report. */
#include <math.h>
#include <string.h>

#include "fool_session.h"
#include "text.h"

/* What the report shows; to be freed. */
typedef struct shown {
    atl_tensor *before, *after; /* probabilities [1, classes] */
    atl_tensor *file;           /* [1, h, w, 3] */
    atl_tensor *change;         /* in grey levels */
    atl_tensor *picture;        /* the change around grey, enlarged to the whole range */
    atl_tensor *map;            /* the gradient over the start */
} shown;

static atl_tensor *probabilities_of(fool_session *s, const atl_tensor *pixels)
{
    const atl_tensor *p = atl_fooler_classify(s->fooler, pixels);
    return p ? atl_tensor_copy(p) : NULL;
}

static void make_change(shown *show, const atl_tensor *start)
{
    float most = 0;
    show->change = atl_tensor_copy(show->file);
    show->picture = show->change ? atl_tensor_copy(show->file) : NULL;
    for (int64_t i = 0; show->picture && i < atl_tensor_count(start); i++) {
        atl_floats(show->change)[i] -= atl_floats(start)[i];
        most = fmaxf(most, fabsf(atl_floats(show->change)[i]));
    }
    for (int64_t i = 0; show->picture && i < atl_tensor_count(start); i++)
        atl_floats(show->picture)[i] = 127.5f + (most > 0 ? 127.5f / most * atl_floats(show->change)[i] : 0);
}

/* The largest size of the gradient at each pixel of the start. */
static atl_tensor *gradient_map(fool_session *s)
{
    const atl_tensor *gradient = atl_fooler_gradient(s->fooler, s->start, s->target);
    atl_shape shape = atl_tensor_shape(s->start);
    atl_tensor *map = gradient ? atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(shape.size[1], shape.size[2])) : NULL;
    for (int64_t i = 0; map && i < atl_tensor_count(gradient); i++)
        atl_floats(map)[i / 3] = fmaxf(atl_floats(map)[i / 3], fabsf(atl_floats(gradient)[i]));
    atl_tensor *overlay = map ? atl_explain_overlay(map, s->start) : NULL;
    atl_tensor_free(map);
    return overlay;
}

static int prepare(fool_session *s, const atl_tensor *file, shown *show)
{
    show->file = atl_tensor_of_floats(atl_tensor_shape(s->start), atl_floats(file));
    show->before = probabilities_of(s, s->start);
    show->after = show->file ? probabilities_of(s, show->file) : NULL;
    if (show->file)
        make_change(show, s->start);
    show->map = gradient_map(s);
    return show->before && show->after && show->picture && show->map;
}

static void free_shown(shown *show)
{
    atl_tensor *const all[] = {show->before, show->after, show->file, show->change, show->picture, show->map};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        atl_tensor_free(all[i]);
}

static void write_verdict(const fool_session *s, const file_verdict *v, const atl_fool_result *result, char *text,
                          size_t size)
{
    char target[128], top[128];
    class_text(&s->labels, s->target, target, sizeof target);
    class_text(&s->labels, v->top, top, sizeof top);
    if (v->met)
        snprintf(text, size, "The file is taken for %s, probability %.4f, after %d iteration%s", target, v->probability,
                 result->iterations, plural(result->iterations));
    else
        snprintf(text, size, "Not fooled: the file is taken for %s, probability %.4f; %s has %.3g after %d iteration%s",
                 top, v->top_probability, target, v->probability, result->iterations, plural(result->iterations));
}

int add_to_fool_report(fool_session *s, const char *path, const atl_fool_result *result, const atl_tensor *file,
                       const file_verdict *v)
{
    shown show = {0};
    html_bar bars[2 * HTML_TOP];
    char verdict[400], seconds[40];
    int code = 0;
    if (!prepare(s, file, &show))
        code = report_failure("fool");
    else {
        write_verdict(s, v, result, verdict, sizeof verdict);
        snprintf(seconds, sizeof seconds, "%.2f s", result->seconds);
        s->probability[result->iterations] = v->probability;
        const html_image images[] = {{"start", s->start},
                                     {"file", show.file},
                                     {"change", show.picture},
                                     {"gradient at the start", show.map}};
        const html_fact facts[] = {{"network", s->network.model->name}, {"start", s->set.start}, {"time", seconds}};
        const char *const warnings[] = {result->message[0] ? result->message : NULL, NULL};
        const html_picture picture = {.title = path,
                                      .verdict = verdict,
                                      .is_good = v->met,
                                      .images = images,
                                      .image_count = 4,
                                      .bars = bars,
                                      .bar_count = html_top_bars(show.before, show.after, &s->labels, bars),
                                      .course = s->probability,
                                      .course_count = result->iterations + 1,
                                      .histogram = show.change,
                                      .histogram_name = "change in grey levels",
                                      .facts = facts,
                                      .fact_count = 3,
                                      .warnings = warnings};
        code = html_report_add(s->report, &picture) ? report_failure("fool") : 0;
    }
    free_shown(&show);
    return code;
}
