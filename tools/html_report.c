/* A self-contained page about pictures. */
#include "html_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "atled/atled.h"
#include "text.h"

enum { PICTURE_BYTES = 1900000, FEW = 4, MANY = 200 };

struct html_report {
    FILE *file; /* writes to text */
    char *text;
    size_t size;
    size_t image_bytes; /* for one picture, at most */
    int count;
};

/* ---- text -------------------------------------------------------------------------------------------------------- */

void html_escaped(FILE *to, const char *text)
{
    char clean[4096];
    clean_text(text, clean, sizeof clean);
    for (const char *c = clean; *c; c++)
        switch (*c) {
        case '&':
            fputs("&amp;", to);
            break;
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        case '"':
            fputs("&quot;", to);
            break;
        case '\'':
            fputs("&#39;", to);
            break;
        default:
            fputc(*c, to);
        }
}

/* The same for a text of several lines. */
static void escaped_lines(FILE *to, const char *text)
{
    char line[4096];
    while (*text) {
        size_t length = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", (int)length, text);
        html_escaped(to, line);
        text += length;
        if (*text) {
            fputc('\n', to);
            text++;
        }
    }
}

/* Letters that need no quotes in a shell. */
static int is_plain(const char *word)
{
    return *word &&
           strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:@%") == strlen(word);
}

char *shell_command(int argc, char **argv, char *text, size_t size)
{
    size_t at = (size_t)snprintf(text, size, "atled");
    for (int i = 0; i < argc && at + 8 < size; i++) {
        at += (size_t)snprintf(text + at, size - at, " %s", is_plain(argv[i]) ? "" : "'");
        for (const char *c = argv[i]; *c && at + 8 < size; c++)
            if (*c == '\'')
                at += (size_t)snprintf(text + at, size - at, "'\\''");
            else
                at += (size_t)snprintf(text + at, size - at, "%c", *c);
        if (!is_plain(argv[i]))
            at += (size_t)snprintf(text + at, size - at, "'");
    }
    return text;
}

/* ---- the parts of a picture -------------------------------------------------------------------------------------- */

static atl_status write_images(html_report *r, const html_picture *p)
{
    size_t bytes = r->image_bytes / (size_t)(p->image_count > 0 ? p->image_count : 1);
    fprintf(r->file, "<div class=\"compare\"><div class=\"stage\" tabindex=\"0\">");
    for (int i = 0; i < p->image_count; i++) {
        fprintf(r->file, "<img class=\"%s\" data-index=\"%d\" alt=\"", i ? "over" : "base", i);
        html_escaped(r->file, p->images[i].name);
        fputs("\" src=\"", r->file);
        atl_status status = write_image_url(r->file, p->images[i].pixels, bytes);
        if (status)
            return status;
        fputs("\">", r->file);
    }
    fputs("<div class=\"edge\"></div></div><input type=\"range\" min=\"0\" max=\"100\" value=\"50\" "
          "aria-label=\"how much of the second picture is shown\"><div class=\"names\"><span>",
          r->file);
    html_escaped(r->file, p->image_count ? p->images[0].name : "");
    fputs("</span>", r->file);
    for (int i = 1; i < p->image_count; i++) {
        fprintf(r->file, "<button type=\"button\" data-show=\"%d\">", i);
        html_escaped(r->file, p->images[i].name);
        fputs("</button>", r->file);
    }
    fputs("</div></div>", r->file);
    return ATL_OK;
}

static void write_bar(FILE *to, const char *kind, double p)
{
    if (!isnan(p))
        fprintf(to, "<div class=\"bar %s\"><i style=\"width:%.2f%%\"></i><b>%.4f</b></div>", kind, 100 * p, p);
}

static void write_bars(FILE *to, const html_picture *p)
{
    if (!p->bar_count)
        return;
    fputs("<section><h3>Most probable classes</h3><div class=\"bars\">", to);
    for (int i = 0; i < p->bar_count; i++) {
        fputs("<div class=\"class\"><span>", to);
        html_escaped(to, p->bars[i].name);
        fputs("</span>", to);
        write_bar(to, "before", p->bars[i].before);
        write_bar(to, "after", p->bars[i].after);
        fputs("</div>", to);
    }
    fputs("</div></section>", to);
}

static void write_course(FILE *to, const html_picture *p)
{
    enum { POINTS = 400 };
    if (!p->course || p->course_count < 2)
        return;
    int last = p->course_count - 1, stride = last / POINTS + 1;
    fputs("<section><h3>", to);
    html_escaped(to, p->course_name ? p->course_name : "Probability of the target");
    fputs("</h3><svg viewBox=\"0 0 400 100\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"course of the "
          "probability\"><polyline points=\"",
          to);
    for (int i = 0; i <= last; i += stride)
        fprintf(to, "%.2f,%.2f ", 400.0 * i / last, 100 - 100 * p->course[i]);
    fprintf(to, "400,%.2f\"/></svg><p class=\"axis\"><span>0</span><span>", 100 - 100 * p->course[last]);
    if (p->course_end)
        html_escaped(to, p->course_end);
    else
        fprintf(to, "%d iteration%s", last, plural(last));
    fputs("</span></p></section>", to);
}

static void write_histogram(FILE *to, const html_picture *p)
{
    enum { BINS = 41 };
    int64_t count = atl_tensor_count(p->histogram), bin[BINS] = {0}, most = 1;
    const float *x = atl_floats(p->histogram);
    if (!x || count == 0)
        return;
    double low = (double)x[0], high = (double)x[0];
    for (int64_t i = 0; i < count; i++) {
        low = fmin(low, (double)x[i]);
        high = fmax(high, (double)x[i]);
    }
    for (int64_t i = 0; i < count; i++) {
        int k = high > low ? (int)(((double)x[i] - low) / (high - low) * (BINS - 1) + 0.5) : BINS / 2;
        bin[k]++;
        most = bin[k] > most ? bin[k] : most;
    }
    fputs("<section><h3>Histogram: ", to);
    html_escaped(to, p->histogram_name ? p->histogram_name : "");
    fputs("</h3><svg viewBox=\"0 0 410 100\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"histogram\">", to);
    for (int k = 0; k < BINS; k++) /* a square root shows small bins, too */
        fprintf(to, "<rect x=\"%d\" y=\"%.2f\" width=\"9\" height=\"%.2f\"/>", 10 * k,
                100 - 100 * sqrt((double)bin[k] / (double)most), 100 * sqrt((double)bin[k] / (double)most));
    fprintf(to, "</svg><p class=\"axis\"><span>%.4g</span><span>%.4g</span></p></section>", low, high);
}

void html_facts(FILE *to, const html_fact *facts, int count)
{
    if (count)
        fputs("<section><h3>Numbers</h3><dl>", to);
    for (int i = 0; i < count; i++) {
        fputs("<dt>", to);
        html_escaped(to, facts[i].name);
        fputs("</dt><dd>", to);
        html_escaped(to, facts[i].value);
        fputs("</dd>", to);
    }
    if (count)
        fputs("</dl></section>", to);
}

void html_warnings(FILE *to, const char *const *warnings)
{
    for (int i = 0; warnings && warnings[i]; i++) {
        fputs("<p class=\"warning\">", to);
        html_escaped(to, warnings[i]);
        fputs("</p>", to);
    }
}

static void write_words(FILE *to, const html_picture *p)
{
    html_facts(to, p->facts, p->fact_count);
    html_warnings(to, p->warnings);
    if (!p->certificate)
        return;
    fputs("<details><summary>Certificate</summary><pre>", to);
    escaped_lines(to, p->certificate);
    fputs("</pre><button type=\"button\" class=\"copy\">copy</button><p>Check it with <code>", to);
    html_escaped(to, p->check_command ? p->check_command : "");
    fputs("</code></p></details>", to);
}

atl_status html_report_add(html_report *r, const html_picture *p)
{
    fprintf(r->file, "<article id=\"p%d\"><h2>", r->count++);
    html_escaped(r->file, p->title);
    fprintf(r->file, "</h2><p class=\"verdict %s\">", p->is_good ? "good" : "bad");
    html_escaped(r->file, p->verdict);
    fputs("</p><div class=\"columns\">", r->file);
    atl_status status = write_images(r, p);
    if (status)
        return status;
    fputs("<div>", r->file);
    write_bars(r->file, p);
    write_course(r->file, p);
    write_histogram(r->file, p);
    write_words(r->file, p);
    fputs("</div></div></article>\n", r->file);
    return ATL_OK;
}

/* ---- the page ---------------------------------------------------------------------------------------------------- */

html_report *html_report_new(const char *title, const char *command, int pictures)
{
    html_report *r = calloc(1, sizeof *r);
    if (r)
        r->file = open_memstream(&r->text, &r->size);
    if (!r || !r->file) {
        free(r);
        atl_set_error(ATL_OUT_OF_MEMORY, "out of memory");
        return NULL;
    }
    r->image_bytes = (size_t)(PICTURE_BYTES / (pictures < FEW ? FEW : pictures > MANY ? MANY : pictures));
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
          "content=\"width=device-width\"><meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
          "img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'\"><link rel=\"icon\" "
          "href=\"data:,\"><title>",
          r->file);
    html_escaped(r->file, title);
    fprintf(r->file, "</title><style>%s</style></head><body><header><h1>", html_style);
    html_escaped(r->file, title);
    fputs("</h1><p><code>", r->file);
    html_escaped(r->file, command);
    fputs(
        "</code></p><p class=\"keys\">Arrow keys move the slider, 1 to 9 choose what it shows, j and k go to the next "
        "picture and back, d changes between light and dark.</p><button type=\"button\" id=\"theme\">light or "
        "dark</button></header><main>\n",
        r->file);
    return r;
}

FILE *html_report_file(html_report *r) { return r->file; }

void html_report_free(html_report *r)
{
    if (!r)
        return;
    if (r->file)
        fclose(r->file);
    free(r->text);
    free(r);
}

/* Adds the most probable classes that are not among the chosen; returns how many there are then. */
static int choose_classes(const atl_tensor *probabilities, int *chosen, int count)
{
    const float *p = atl_floats(probabilities);
    char taken[HTML_MOST_CLASSES] = {0};
    int64_t classes = atl_tensor_count(probabilities);
    for (int n = 0; n < HTML_TOP && n < classes; n++) {
        int best = -1, is_new = 1;
        for (int i = 0; i < classes && i < HTML_MOST_CLASSES; i++)
            if (!taken[i] && (best < 0 || p[i] > p[best]))
                best = i;
        if (best < 0)
            break;
        taken[best] = 1;
        for (int j = 0; j < count; j++)
            is_new &= chosen[j] != best;
        if (is_new)
            chosen[count++] = best;
    }
    return count;
}

int html_top_bars(const atl_tensor *before, const atl_tensor *after, const class_names *names, html_bar *bars)
{
    int chosen[2 * HTML_TOP], count = after ? choose_classes(after, chosen, 0) : 0;
    count = choose_classes(before, chosen, count);
    for (int i = 0; i < count; i++) {
        bars[i] = (html_bar){.before = (double)atl_floats(before)[chosen[i]],
                             .after = after ? (double)atl_floats(after)[chosen[i]] : NAN};
        class_text(names, chosen[i], bars[i].name, sizeof bars[i].name);
    }
    return count;
}

atl_status html_report_write(html_report *r, const char *path)
{
    struct utsname machine = {.sysname = ""};
    uname(&machine);
    fprintf(r->file, "</main><footer><p>atled %s, %s, on ", atl_version(), atl_isa_name(atl_isa_in_use()));
    html_escaped(r->file, machine.sysname);
    fputc(' ', r->file);
    html_escaped(r->file, machine.machine);
    fprintf(r->file, "</p></footer><script>%s</script></body></html>\n", html_script);
    int failed = ferror(r->file);
    failed |= fclose(r->file) != 0;
    r->file = NULL;
    if (failed)
        return atl_set_error(ATL_OUT_OF_MEMORY, "%s: out of memory", path);
    return atl_write_bytes(path, r->text, r->size);
}
