/* What a page says of all its pictures. */
#include "html_report.h"

static void write_curve(FILE *to, const html_curve *c)
{
    enum { WIDE = 400, TALL = 100 };
    double most = c->x[c->count - 1] > 0 ? c->x[c->count - 1] : 1;
    fputs("<section class=\"curve\"><h3>", to);
    html_escaped(to, c->title);
    fprintf(to,
            "</h3><svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"curve\"><polyline "
            "points=\"",
            WIDE, TALL);
    for (int i = 0; i < c->count; i++)
        fprintf(to, "%.2f,%.2f ", WIDE * c->x[i] / most, TALL - TALL * c->y[i]);
    fprintf(to, "\"/></svg><p class=\"axis\"><span>0, %.1f %%</span><span>%.4g ", 100 * c->y[0], most);
    html_escaped(to, c->x_name);
    fprintf(to, ", %.1f %%</span></p></section>", 100 * c->y[c->count - 1]);
}

void html_report_summary(html_report *report, const html_fact *facts, int fact_count, const char *const *warnings,
                         const html_curve *curve)
{
    FILE *to = html_report_file(report);
    fputs("<div class=\"columns summary\"><div>", to);
    html_facts(to, facts, fact_count);
    html_warnings(to, warnings);
    fputs("</div><div>", to);
    if (curve && curve->count > 1)
        write_curve(to, curve);
    fputs("</div></div>\n", to);
}
