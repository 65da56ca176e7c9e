/* Minutes: 3 */
/* The page: what stands in it, its size, and what a browser makes of it. */
#include "tools/html_report.h"

#include "tools/html_image.c"
#include "tools/html_page.c"
#include "tools/html_report.c"
#include "tools/html_summary.c"
#include "tools/closest_word.c"
#include "tools/labels.c"
#include "tools/report.c"
#include "tools/text.c"
#include "tools/browser.h"

static html_report *new_report(int pictures)
{
    html_report *report = html_report_new("a <title> & \"more\"", "atled fool -t '<b>'", pictures);
    cr_assert(report, "%s", atl_error());
    return report;
}

static const double course[] = {0.001, 0.2, 0.5, 0.99};
static const char *const warnings[] = {"the <gradient> is zero", NULL};
static const html_fact facts[] = {{"network", "a & b"}};

static void add_picture(html_report *report, int side, int images)
{
    html_image image[12];
    const char *const names[] = {"picture", "change", "map"};
    html_bar bars[] = {{"130 'fla<mingo'", 0.001, 0.99}, {"7 'cock'", 0.8, NAN}};
    for (int i = 0; i < images; i++)
        image[i] = (html_image){names[i % 3], random_tensor(ATL_SHAPE(side, side, 3), 0, 255)};
    const html_picture picture = {.title = "</h2><script>alert(1)</script>",
                                  .verdict = "it's \xff wrong",
                                  .images = image,
                                  .image_count = images,
                                  .bars = bars,
                                  .bar_count = 2,
                                  .course = course,
                                  .course_count = 4,
                                  .histogram = image[0].pixels,
                                  .histogram_name = "grey levels",
                                  .facts = facts,
                                  .fact_count = 1,
                                  .warnings = warnings,
                                  .certificate = "{\n  \"eps\": \"8/255\"\n}",
                                  .check_command = "atled verify a.json"};
    cr_assert_eq(html_report_add(report, &picture), ATL_OK, "%s", atl_error());
    for (int i = 0; i < images; i++)
        atl_tensor_free((atl_tensor *)(uintptr_t)image[i].pixels);
}

static void add_summary(html_report *report)
{
    static const double x[] = {0, 2, 2}, y[] = {1, 1, 0.25};
    static const html_curve curve = {"robust <accuracy>", "levels & more", x, y, 3};
    html_report_summary(report, facts, 1, warnings, &curve);
}

static const char *written(html_report *report)
{
    const char *path = scratch_file("report.html");
    cr_assert_eq(html_report_write(report, path), ATL_OK, "%s", atl_error());
    html_report_free(report);
    return path;
}

Test(html_report, text_from_elsewhere_is_escaped)
{
    html_report *report = new_report(1);
    add_picture(report, 24, 3);
    const char *text = whole_file(written(report));
    cr_assert_mentions(text, "<title>a &lt;title&gt; &amp; &quot;more&quot;</title>");
    cr_assert_mentions(text, "&lt;/h2&gt;&lt;script&gt;alert(1)");
    cr_assert_mentions(text, "it&#39;s \xEF\xBF\xBD wrong");
    cr_assert_mentions(text, "fla&lt;mingo&#39;");
    cr_assert_mentions(text, "the &lt;gradient&gt; is zero");
    cr_assert_mentions(text, "{\n  &quot;eps&quot;: &quot;8/255&quot;\n}");
    cr_assert_mentions(text, "atled verify a.json");
    cr_assert_mentions(text, atl_version());
    cr_assert(!strstr(text, "<script>alert"));
    cr_assert(!strstr(text, "src=\"http") && !strstr(text, "url(") && !strstr(text, "@import"));
}

Test(html_report, a_summary_has_numbers_warnings_and_a_curve)
{
    html_report *report = new_report(1);
    add_summary(report);
    const char *text = whole_file(written(report));
    cr_assert_mentions(text, "robust &lt;accuracy&gt;");
    cr_assert_mentions(text, "points=\"0.00,0.00 400.00,0.00 400.00,75.00 \"");
    cr_assert_mentions(text, "2 levels &amp; more, 25.0 %");
    cr_assert_mentions(text, "the &lt;gradient&gt; is zero");
    cr_assert_mentions(text, "<dd>a &amp; b</dd>");
}

Test(html_report, a_command_is_quoted_for_a_shell)
{
    char text[100];
    char *words[] = {"fool", "-t", "it's a cat", "", "a=b/c.png"};
    cr_assert_str_eq(shell_command(5, words, text, sizeof text), "atled fool -t 'it'\\''s a cat' '' a=b/c.png");
    char *longer[] = {
        "fool", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    shell_command(2, longer, text, 60);
    cr_assert_lt(strlen(text), 60);
}

/* Noise is what takes the most bytes. */
Test(html_report, twenty_pictures_take_less_than_two_megabytes)
{
    html_report *report = new_report(20);
    for (int i = 0; i < 20; i++)
        add_picture(report, 224, 4);
    size_t size = strlen(whole_file(written(report)));
    cr_assert(size > 400000 && size < 2000000, "%zu bytes", size);
}

Test(html_report, a_place_that_cannot_be_written_is_an_error)
{
    html_report *report = new_report(1);
    cr_assert_neq(html_report_write(report, "/nowhere/report.html"), ATL_OK);
    cr_assert_mentions(atl_error(), "/nowhere/report.html");
    html_report_free(report);
}

/* ---- in a browser ------------------------------------------------------------------------------------------------ */

Test(html_report, works_in_a_browser, .timeout = 170)
{
    if (!browser())
        cr_skip_test("there is no chromium, which shows the page");
    html_report *report = new_report(3);
    add_summary(report);
    for (int i = 0; i < 3; i++)
        add_picture(report, i ? 32 : 224, 2 + i);
    check_in_browser(written(report), 3);
}
