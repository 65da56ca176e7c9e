/* Minutes: 3 */
/* The page: what stands in it, its size, and what a browser makes of it. */
#include "tools/html_report.h"

#include "tools/html_image.c"
#include "tools/html_page.c"
#include "tools/html_report.c"
#include "tools/closest_word.c"
#include "tools/labels.c"
#include "tools/report.c"
#include "tools/text.c"
#include "tools/command.h"

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

static const char *browser(void)
{
    static const char *const places[] = {"/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return NULL;
}

/* The page's own check of itself (html_page.c) leaves its result in the document. */
static void check_in_browser(const char *page, int pictures)
{
    char address[4200], profile[4200];
    const char *dom = scratch_file("dom.html"), *log = scratch_file("browser.log");
    snprintf(address, sizeof address, "file://%s#selfcheck", page);
    snprintf(profile, sizeof profile, "--user-data-dir=%s", scratch_file("profile"));
    const char *const argv[] = {browser(),
                                "--headless=new",
                                "--no-sandbox",
                                "--disable-gpu",
                                profile,
                                "--disable-sync",
                                "--no-first-run",
                                "--disable-dev-shm-usage",
                                "--enable-logging=stderr",
                                "--virtual-time-budget=20000",
                                "--dump-dom",
                                address,
                                NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, dom, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    posix_spawn_file_actions_addopen(&actions, 2, log, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    int failed = posix_spawn(&child, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    cr_assert(!failed && code_of(child) == 0, "%s: %.2000s", argv[0], whole_file(log));
    const char *text = whole_file(dom), *messages = whole_file(log), *found = strstr(text, "data-selfcheck=\"");
    cr_assert(found && strncmp(found, "data-selfcheck=\"ok\"", 19) == 0, "%.300s", found ? found : text);
    cr_assert_mentions(text, "data-errors=\"0\"");
    cr_assert_mentions(text, ATL_NAME("data-pictures=\"%d\"", pictures));
    cr_assert(!strstr(messages, "CONSOLE"), "the console says: %.600s", strstr(messages, "CONSOLE"));
}

Test(html_report, works_in_a_browser, .timeout = 170)
{
    if (!browser())
        cr_skip_test("there is no chromium, which shows the page");
    html_report *report = new_report(3);
    for (int i = 0; i < 3; i++)
        add_picture(report, i ? 32 : 224, 2 + i);
    check_in_browser(written(report), 3);
}
