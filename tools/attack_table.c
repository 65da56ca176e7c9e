/* The table at the end of atled attack, the curve, and the warnings. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attack_session.h"
#include "certificate.h"

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int truth_at(const json_t *result, const char *key) { return json_is_true(json_object_get(result, key)); }

int add_up_results(const attack_session *s, attack_totals *t)
{
    *t = (attack_totals){0};
    for (int n = 0; n < 4; n++)
        if (!(t->size[n] = malloc((size_t)(s->tasks ? s->tasks : 1) * sizeof(double))))
            return report_no_memory("attack");
    for (int64_t i = 0; i < s->tasks; i++) {
        const json_t *r = s->done[i];
        if (!r)
            continue;
        t->done++;
        t->right += whole_at(r, "clean_top", -1) == whole_at(r, "label", -2);
        t->forwards += number_at(r, "forwards");
        t->gradients += number_at(r, "gradients");
        t->zero += number_at(r, "gradients") > 0 && 2 * number_at(r, "zero_gradients") > number_at(r, "gradients");
        if (truth_at(r, "already"))
            continue;
        t->attacked++;
        if (!truth_at(r, "met"))
            continue;
        t->met++;
        long long target = whole_at(r, "target", -1), other = whole_at(r, "transfer_top", -1);
        t->transferred += other >= 0 && (target >= 0 ? other == target : other != whole_at(r, "label", -1));
        for (int n = 0; n < 4; n++)
            t->size[n][t->sizes] = number_at(r, atl_norm_name((atl_norm)n));
        t->sizes++;
    }
    for (int n = 0; n < 4; n++)
        qsort(t->size[n], (size_t)t->sizes, sizeof(double), by_number);
    return 0;
}

void free_totals(attack_totals *t)
{
    for (int n = 0; n < 4; n++)
        free(t->size[n]);
}

double median_of(const double *sorted, int64_t count)
{
    return count ? (sorted[(count - 1) / 2] + sorted[count / 2]) / 2 : NAN;
}

static double mean(const double *x, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += x[i];
    return sum / (double)count;
}

static double percent(int64_t part, int64_t whole) { return whole ? 100.0 * (double)part / (double)whole : 0; }

/* Of the pictures that were right, how many stay right within each size. */
static void print_curve(const attack_session *s, const attack_totals *t)
{
    static const double linf[] = {0.5, 1, 2, 4, 8, 16, 32}, l2[] = {0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 1},
                        l1[] = {0.5, 1, 2, 4, 8, 16}, l0[] = {1, 2, 5, 10, 20, 50, 100};
    static const struct {
        const double *eps;
        int count;
        double unit;
        const char *text;
    } scale[] = {{linf, 7, 255, "/255"}, {l2, 9, 1, ""}, {l1, 6, 1, ""}, {l0, 7, 1, ""}};
    int norm = s->set.norm;
    printf("robust accuracy against eps (%s):\n", norm_names[norm]);
    for (int i = 0; i < scale[norm].count; i++) {
        int64_t broken = 0;
        while (broken < t->sizes && t->size[norm][broken] * scale[norm].unit <= scale[norm].eps[i] + 1e-9)
            broken++;
        printf("  %6g%s  %6.2f %%\n", scale[norm].eps[i], scale[norm].text, percent(t->right - broken, t->done));
    }
}

/* Each remark once, with the number of its pictures. */
static int list_remarks(const attack_session *s, int most, char text[][WARNING_TEXT])
{
    const char *remark[WARNINGS];
    int64_t pictures[WARNINGS] = {0};
    int count = 0;
    for (int64_t i = 0; i < s->tasks; i++) {
        const char *said = s->done[i] ? text_at(s->done[i], "remark") : NULL;
        int at = 0;
        while (said && at < count && strcmp(remark[at], said) != 0)
            at++;
        if (!said || at == most)
            continue;
        count += at == count;
        remark[at] = said;
        pictures[at]++;
    }
    for (int i = 0; i < count; i++)
        snprintf(text[i], WARNING_TEXT, "%lld of %lld pictures: %s", (long long)pictures[i], (long long)s->tasks,
                 remark[i]);
    return count;
}

int list_warnings(const attack_session *s, const attack_totals *t, char text[WARNINGS][WARNING_TEXT])
{
    int count = 0;
    if (t->attacked >= 4 && 4 * t->zero > t->attacked)
        snprintf(text[count++], WARNING_TEXT,
                 "the gradient was zero in most runs for %lld of %lld pictures: the network may hide its gradient, and "
                 "an attack without gradients may do better",
                 (long long)t->zero, (long long)t->attacked);
    return count + list_remarks(s, WARNINGS - count, text + count);
}

static void warn(const attack_session *s, const attack_totals *t)
{
    char text[WARNINGS][WARNING_TEXT];
    int count = list_warnings(s, t, text);
    for (int i = 0; i < count; i++)
        report_error("attack", 0, "%s", text[i]);
}

void print_table(const attack_session *s)
{
    attack_totals t;
    const atl_attack_method *m = atl_attack_method_find(s->set.method);
    double seconds = seconds_now() - s->start, done = s->done_count ? (double)s->done_count : 1;
    if (!add_up_results(s, &t)) {
        printf("%-18s %s, %s%s%s\n", "attack", s->set.method, norm_names[s->set.norm], s->set.eps_text ? ", eps " : "",
               s->set.eps_text ? s->set.eps_text : "");
        printf("%-18s %lld of %lld\n", "done", (long long)t.done, (long long)s->tasks);
        printf("%-18s %.2f %% (%lld)\n", "clean accuracy", percent(t.right, t.done), (long long)t.right);
        if (s->goal == ATL_GOAL_LEAVE)
            printf("%-18s %.2f %% (%lld)\n", "robust accuracy", percent(t.right - t.met, t.done),
                   (long long)(t.right - t.met));
        if (s->goal != ATL_GOAL_LEAVE && t.done > t.attacked)
            printf("%-18s %lld of %lld are of the class to reach and stay as they are\n", "unchanged",
                   (long long)(t.done - t.attacked), (long long)t.done);
        printf("%-18s %.2f %% (%lld of %lld attacked)\n", "success", percent(t.met, t.attacked), (long long)t.met,
               (long long)t.attacked);
        if (s->set.transfer.model)
            printf("%-18s %.2f %% (%lld of %lld)\n", "transfer", percent(t.transferred, t.met),
                   (long long)t.transferred, (long long)t.met);
        printf("%-18s %.1f gradients, %.1f without, an image\n", "queries", t.gradients / done, t.forwards / done);
        if (s->run_count)
            printf("%-18s %.4f an image, %.1f in all\n", "seconds", seconds / (double)s->run_count, seconds);
        if (t.sizes)
            printf("%-18s linf %.4f (%g/255), l2 %.4f, l1 %.3f, l0 %g; mean l2 %.4f\n", "median change",
                   median_of(t.size[0], t.sizes), 255 * median_of(t.size[0], t.sizes), median_of(t.size[1], t.sizes),
                   median_of(t.size[2], t.sizes), median_of(t.size[3], t.sizes), mean(t.size[1], t.sizes));
        if (m && m->is_minimal && s->goal == ATL_GOAL_LEAVE)
            print_curve(s, &t);
        flush_output();
        warn(s, &t);
    }
    free_totals(&t);
}
