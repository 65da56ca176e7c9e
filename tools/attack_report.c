/* The page of atled attack: made of the files that were written, so that a resumed run has all of it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attack_session.h"
#include "certificate.h"
#include "eps.h"
#include "html_report.h"

enum { MOST_SHOWN = 200, STEPS = 20, MOST_COURSE = 100 };

/* What an article shows; freed by free_shown. */
typedef struct shown {
    atl_tensor *before, *after; /* the files, [1, h, w, channels] */
    atl_tensor *picture[4];     /* before, after, change, map: [h, w, 3] */
    atl_tensor *change;         /* in grey levels */
    atl_tensor *odds[2];        /* probabilities [classes] before and after */
    double course[MOST_COURSE]; /* of the class to leave or to reach */
    int course_count;
    const char *way, *course_end; /* along what, and where it ends */
    char steps[64];
    char *certificate, path[4200];
} shown;

static void free_shown(shown *show)
{
    atl_tensor *const all[] = {show->before,     show->after,  show->picture[0], show->picture[1], show->picture[2],
                               show->picture[3], show->change, show->odds[0],    show->odds[1]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        atl_tensor_free(all[i]);
    free(show->certificate);
}

/* ---- pictures ---------------------------------------------------------------------------------------------------- */

/* A file as the network takes it. */
static atl_tensor *read_file(const attack_session *s, int64_t task, const char *suffix)
{
    char path[4200];
    const attack_pictures *p = &s->pictures;
    result_path(s, task, suffix, path, sizeof path);
    atl_tensor *image = atl_read_image(path);
    atl_shape own = atl_tensor_shape(image);
    if (image && (own.size[0] != p->height || own.size[1] != p->width)) {
        atl_set_error(ATL_BAD_FILE, "%s has another size than the network's pictures", path);
        atl_tensor_free(image);
        return NULL;
    }
    atl_tensor *to = image ? atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(1, p->height, p->width, p->channels)) : NULL;
    for (int64_t i = 0; to && i < atl_tensor_count(to); i++)
        atl_floats(to)[i] = atl_floats(image)[p->channels == 1 ? 3 * i : i];
    atl_tensor_free(image);
    return to;
}

/* [1, h, w, channels] as [h, w, 3]: what the page can show. */
static atl_tensor *in_colour(const atl_tensor *from)
{
    atl_shape shape = atl_tensor_shape(from);
    atl_tensor *to = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(shape.size[1], shape.size[2], 3));
    for (int64_t i = 0; to && i < atl_tensor_count(to); i++)
        atl_floats(to)[i] = atl_floats(from)[shape.size[3] == 1 ? i / 3 : i];
    return to;
}

/* The change around grey, enlarged to the whole range. */
static atl_tensor *enlarged(const atl_tensor *change)
{
    float most = 0;
    atl_tensor *to = in_colour(change);
    for (int64_t i = 0; to && i < atl_tensor_count(to); i++)
        most = fmaxf(most, fabsf(atl_floats(to)[i]));
    for (int64_t i = 0; to && i < atl_tensor_count(to); i++)
        atl_floats(to)[i] = 127.5f + (most > 0 ? 127.5f / most * atl_floats(to)[i] : 0);
    return to;
}

/* Which pixels the score of the class to leave depends on. */
static atl_tensor *gradient_map(atl_explainer *explainer, const shown *show, int class)
{
    atl_explanation e = {0};
    atl_status status = atl_explain(explainer, ATL_EXPLAIN_GRADIENT, show->before, .target = class, .result_out = &e);
    atl_tensor *map = status ? NULL : atl_explain_overlay(e.map, show->picture[0]);
    atl_explanation_free(&e);
    return map;
}

/* ---- probabilities ----------------------------------------------------------------------------------------------- */

static atl_tensor *probabilities(attack_session *s, const atl_tensor *picture)
{
    int classes = s->network.size.classes;
    atl_tensor *p = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(classes));
    if (!p || atl_attacker_scores(s->attacker, picture, atl_floats(p))) {
        atl_tensor_free(p);
        return NULL;
    }
    float *z = atl_floats(p);
    double most = -INFINITY, sum = 0;
    for (int i = 0; i < classes; i++)
        most = fmax(most, (double)z[i]);
    for (int i = 0; i < classes; i++)
        sum += exp((double)z[i] - most);
    for (int i = 0; i < classes; i++)
        z[i] = (float)(exp((double)z[i] - most) / sum);
    return p;
}

/* The probability over the steps of the attack; 0 if the result does not have it. */
static int recall_course(const json_t *r, shown *show)
{
    const json_t *course = json_object_get(r, "course_10000ths");
    size_t count = json_array_size(course);
    if (count < 2 || count > MOST_COURSE)
        return 0;
    for (size_t i = 0; i < count; i++)
        show->course[i] = json_number_value(json_array_get(course, i)) / 1e4;
    double gradients = number_at(r, "gradients");
    show->course_count = (int)count;
    show->way = "over the steps of the attack, and at last of the result";
    snprintf(show->steps, sizeof show->steps, "%.0f %s", gradients > 0 ? gradients : number_at(r, "forwards"),
             gradients > 0 ? "gradients" : "queries");
    show->course_end = show->steps;
    return 1;
}

/* The probability on the straight way from the picture to the result.  Returns 0 on failure. */
static int follow(attack_session *s, shown *show, int class)
{
    atl_tensor *between = atl_tensor_copy(show->before);
    int ok = between != NULL;
    show->course_count = STEPS + 1;
    show->way = "on the straight way from the picture to the result";
    show->course_end = "the whole change";
    for (int step = 0; step <= STEPS && ok; step++) {
        for (int64_t i = 0; i < atl_tensor_count(between); i++)
            atl_floats(between)[i] = atl_floats(show->before)[i] + (float)step / STEPS * atl_floats(show->change)[i];
        atl_tensor *p = probabilities(s, between);
        ok = p != NULL;
        show->course[step] = ok ? (double)atl_floats(p)[class] : 0;
        atl_tensor_free(p);
    }
    atl_tensor_free(between);
    return ok;
}

/* ---- an article -------------------------------------------------------------------------------------------------- */

static char *text_of(const char *path)
{
    enum { MOST = 1 << 16 };
    FILE *file = fopen(path, "rb");
    char *text = file ? calloc(MOST, 1) : NULL;
    if (text && fread(text, 1, MOST - 1, file) == 0)
        text[0] = 0;
    if (file)
        fclose(file);
    return text;
}

static int prepare(attack_session *s, atl_explainer *explainer, int64_t task, int class, int label, shown *show)
{
    show->before = read_file(s, task, original_suffix(s));
    show->after = show->before ? read_file(s, task, changed_suffix(s)) : NULL;
    show->change = show->after ? atl_tensor_copy(show->after) : NULL;
    if (!show->change)
        return 0;
    for (int64_t i = 0; i < atl_tensor_count(show->change); i++)
        atl_floats(show->change)[i] -= atl_floats(show->before)[i];
    show->picture[0] = in_colour(show->before);
    show->picture[1] = in_colour(show->after);
    show->picture[2] = enlarged(show->change);
    show->picture[3] = show->picture[0] ? gradient_map(explainer, show, label) : NULL;
    show->odds[0] = probabilities(s, show->before);
    show->odds[1] = probabilities(s, show->after);
    result_path(s, task, ".json", show->path, sizeof show->path);
    show->certificate = text_of(show->path);
    return show->picture[1] && show->picture[2] && show->picture[3] && show->odds[0] && show->odds[1] &&
           (recall_course(s->done[task], show) || follow(s, show, class));
}

static void write_verdict(const attack_session *s, const json_t *r, const shown *show, char *text, size_t size)
{
    char top[128], label[128];
    int seen = (int)whole_at(r, "top", 0);
    class_text(&s->labels, seen, top, sizeof top);
    class_text(&s->labels, (int)whole_at(r, "label", 0), label, sizeof label);
    double p = (double)atl_floats(show->odds[1])[seen], levels = 255 * number_at(r, "linf");
    if (json_is_true(json_object_get(r, "already")))
        snprintf(text, size, "Not attacked: the unchanged picture is taken for %s, and shows %s", top, label);
    else
        snprintf(text, size,
                 "%s: the file is taken for %s, probability %.4f; it shows %s. Largest change %.0f levels, L2 %.4f",
                 json_is_true(json_object_get(r, "met")) ? "Reached" : "Not reached", top, p, label, levels,
                 number_at(r, "l2"));
}

enum { FACTS = 8, FACT_TEXT = 300 };

static int list_facts(const json_t *r, html_fact *facts, char text[FACTS][FACT_TEXT])
{
    static const char *const names[] = {"change", "margin before", "margin after", "queries", "source"};
    const char *path = text_at(r, "path");
    snprintf(text[0], FACT_TEXT, "linf %g (%g/255), l2 %.4f, l1 %.3f, l0 %g", number_at(r, "linf"),
             255 * number_at(r, "linf"), number_at(r, "l2"), number_at(r, "l1"), number_at(r, "l0"));
    snprintf(text[1], FACT_TEXT, "%.6g", number_at(r, "margin_before"));
    snprintf(text[2], FACT_TEXT, "%.6g", number_at(r, "margin_after"));
    snprintf(text[3], FACT_TEXT, "%g gradients, %g without", number_at(r, "gradients"), number_at(r, "forwards"));
    snprintf(text[4], FACT_TEXT, "%.280s", path ? path : "");
    int count = path ? 5 : 4;
    for (int i = 0; i < count; i++)
        facts[i] = (html_fact){names[i], text[i]};
    return count;
}

static int add_article(attack_session *s, html_report *report, atl_explainer *explainer, int64_t task)
{
    const json_t *r = s->done[task];
    shown show = {0};
    html_bar bars[2 * HTML_TOP];
    html_fact facts[FACTS];
    char fact[FACTS][FACT_TEXT], verdict[500], title[300], check[4300], course[200], class_name[128];
    int label = (int)whole_at(r, "label", 0), target = (int)whole_at(r, "target", -1);
    int class = target >= 0 ? target : label;
    int code = prepare(s, explainer, task, class, label, &show) ? 0 : report_failure("attack");
    if (!code) {
        const char *slash = strrchr(show.path, '/');
        write_verdict(s, r, &show, verdict, sizeof verdict);
        snprintf(title, sizeof title, "%.*s%s", (int)strcspn(slash ? slash + 1 : show.path, "") - 5,
                 slash ? slash + 1 : show.path, changed_suffix(s));
        char *words[] = {(char *)(uintptr_t) "verify", show.path};
        shell_command(2, words, check, sizeof check);
        snprintf(course, sizeof course, "Probability of %s %s",
                 class_text(&s->labels, class, class_name, sizeof class_name), show.way);
        const char *remark = text_at(r, "remark");
        const char *const warnings[] = {remark, NULL};
        const html_image images[] = {{"picture", show.picture[0]},
                                     {"result", show.picture[1]},
                                     {"change, enlarged", show.picture[2]},
                                     {"gradient map", show.picture[3]}};
        const html_picture article = {.title = title,
                                      .verdict = verdict,
                                      .is_good = json_is_true(json_object_get(r, "met")),
                                      .images = images,
                                      .image_count = 4,
                                      .bars = bars,
                                      .bar_count = html_top_bars(show.odds[0], show.odds[1], &s->labels, bars),
                                      .course = show.course,
                                      .course_count = show.course_count,
                                      .course_name = course,
                                      .course_end = show.course_end,
                                      .histogram = show.change,
                                      .histogram_name = "change in grey levels",
                                      .facts = facts,
                                      .fact_count = list_facts(r, facts, fact),
                                      .warnings = warnings,
                                      .certificate = show.certificate,
                                      .check_command = check};
        code = html_report_add(report, &article) ? report_failure("attack") : 0;
    }
    free_shown(&show);
    return code;
}

/* ---- the summary ------------------------------------------------------------------------------------------------- */

/* Robust accuracy by eps, as steps: a picture is robust below the size of the change that was found for it. */
static int make_curve(const attack_session *s, const attack_totals *t, double *x, double *y)
{
    int count = 0;
    double unit = s->set.norm == ATL_NORM_LINF ? 255 : 1, done = t->done ? (double)t->done : 1;
    x[count] = 0;
    y[count++] = (double)t->right / done;
    for (int64_t i = 0; i < t->sizes; i++) {
        x[count] = x[count + 1] = unit * t->size[s->set.norm][i];
        y[count] = y[count - 1];
        y[count + 1] = (double)(t->right - i - 1) / done;
        count += 2;
    }
    return count;
}

static int summarize(const attack_session *s, html_report *report, int shown_count)
{
    enum { NAMES = 7 };
    static const char *const names[NAMES] = {"network", "attack",        "clean accuracy",       "robust accuracy",
                                             "success", "median change", "pictures on this page"};
    char text[NAMES][FACT_TEXT], warning[WARNINGS][WARNING_TEXT];
    const char *warnings[WARNINGS + 2] = {0};
    html_fact facts[NAMES];
    attack_totals t;
    int code = add_up_results(s, &t);
    const atl_attack_method *m = atl_attack_method_find(s->set.method);
    double done = t.done ? (double)t.done : 1;
    int has_curve = m && m->is_minimal && s->goal == ATL_GOAL_LEAVE, count = code ? 0 : list_warnings(s, &t, warning);
    double *x = calloc(2 * (size_t)t.sizes + 1, sizeof *x), *y = calloc(2 * (size_t)t.sizes + 1, sizeof *y);
    if (!code && (!x || !y))
        code = report_no_memory("attack");
    if (!code) {
        snprintf(text[0], FACT_TEXT, "%.250s", s->set.network.model);
        snprintf(text[1], FACT_TEXT, "%s, %s%s%.100s", s->set.method, norm_names[s->set.norm],
                 s->set.eps_text ? ", eps " : "", s->set.eps_text ? s->set.eps_text : "");
        snprintf(text[2], FACT_TEXT, "%.2f %% of %lld", 100 * (double)t.right / done, (long long)t.done);
        snprintf(text[3], FACT_TEXT, "%.2f %%", 100 * (double)(t.right - t.met) / done);
        snprintf(text[4], FACT_TEXT, "%lld of %lld attacked", (long long)t.met, (long long)t.attacked);
        snprintf(text[5], FACT_TEXT, "linf %g/255, l2 %.4f, l1 %.3f, l0 %g", 255 * median_of(t.size[0], t.sizes),
                 median_of(t.size[1], t.sizes), median_of(t.size[2], t.sizes), median_of(t.size[3], t.sizes));
        snprintf(text[6], FACT_TEXT, "%d of %lld", shown_count, (long long)t.done);
        int facts_count = 0;
        for (int i = 0; i < NAMES; i++)
            if ((i != 3 || s->goal == ATL_GOAL_LEAVE) && (i != 5 || t.sizes))
                facts[facts_count++] = (html_fact){names[i], text[i]};
        for (int i = 0; i < count; i++)
            warnings[i] = warning[i];
        const html_curve curve = {"Robust accuracy against eps",
                                  s->set.norm == ATL_NORM_LINF ? "grey levels" : norm_names[s->set.norm], x, y,
                                  has_curve ? make_curve(s, &t, x, y) : 0};
        html_report_summary(report, facts, facts_count, warnings, &curve);
    }
    free(x);
    free(y);
    free_totals(&t);
    return code;
}

int write_attack_report(attack_session *s, const char *command)
{
    int count = s->done_count < MOST_SHOWN ? (int)s->done_count : MOST_SHOWN, shown_count = 0;
    html_report *report = html_report_new("atled attack", command, count);
    atl_explainer *explainer =
        atl_explainer_new(s->network.image, s->network.logits, .batch = 1, .compile = compile_args_of(&s->set.compile));
    int code = report && explainer ? summarize(s, report, count) : report_failure("attack");
    for (int64_t i = 0; i < s->tasks && shown_count < count && !code; i++) {
        if (!s->done[i])
            continue;
        show_progress(&s->progress, 0, "report: %d of %d pictures", shown_count, count);
        code = add_article(s, report, explainer, i);
        shown_count++;
    }
    end_progress(&s->progress);
    if (!code && html_report_write(report, s->set.report))
        code = report_failure("attack");
    atl_explainer_free(explainer);
    html_report_free(report);
    return code;
}
