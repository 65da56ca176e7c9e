/* Chromium without a window, driven as a person would: by mouse and keys, through its remote debugging pipe. */
#ifndef ATLED_TESTS_BROWSER_H
#define ATLED_TESTS_BROWSER_H

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

enum { SHIFT = 8, PATIENCE = 100000 /* milliseconds for one answer */ };

static struct browser {
    int to, from, id;
    char *session;
    char *text; /* what has been read */
    size_t size, room;
    char told[4096]; /* errors and warnings of the page */
    char value[16384];
} browser = {.to = -1, .from = -1};

static inline void need_browser(void)
{
    if (system("chromium --version > /dev/null 2>&1") != 0)
        cr_skip_test("chromium is not installed");
}

static inline void note_complaint(const json_t *message)
{
    const char *method = json_string_value(json_object_get(message, "method"));
    if (!method || (strcmp(method, "Runtime.exceptionThrown") != 0 && strcmp(method, "Log.entryAdded") != 0 &&
                    strcmp(method, "Runtime.consoleAPICalled") != 0))
        return;
    char *text = json_dumps(message, JSON_COMPACT);
    size_t length = strlen(browser.told);
    snprintf(browser.told + length, sizeof browser.told - length, "%.900s\n", text);
    free(text);
}

/* The next message; the caller releases it. */
static inline json_t *next_message(void)
{
    for (;;) {
        char *end = browser.size ? memchr(browser.text, 0, browser.size) : NULL;
        if (end) {
            json_t *message = json_loads(browser.text, 0, NULL);
            browser.size -= (size_t)(end + 1 - browser.text);
            memmove(browser.text, end + 1, browser.size);
            cr_assert_not_null(message);
            return message;
        }
        if (browser.size == browser.room) {
            browser.room = browser.room ? 2 * browser.room : 1 << 16;
            browser.text = realloc(browser.text, browser.room);
            cr_assert_not_null(browser.text);
        }
        struct pollfd wait = {.fd = browser.from, .events = POLLIN};
        cr_assert_eq(poll(&wait, 1, PATIENCE), 1, "the browser does not answer");
        ssize_t read_now = read(browser.from, browser.text + browser.size, browser.room - browser.size);
        cr_assert_gt(read_now, 0);
        browser.size += (size_t)read_now;
    }
}

/* Sends a command and returns the answer, which the caller releases; takes ownership of the parameters. */
static inline json_t *answer_to(const char *method, json_t *parameters)
{
    json_t *message = json_pack("{s:i, s:s, s:o}", "id", ++browser.id, "method", method, "params",
                                parameters ? parameters : json_object());
    if (browser.session)
        json_object_set_new(message, "sessionId", json_string(browser.session));
    char *text = json_dumps(message, JSON_COMPACT);
    cr_assert_eq(write(browser.to, text, strlen(text) + 1), (ssize_t)strlen(text) + 1);
    free(text);
    json_decref(message);
    for (;;) {
        json_t *answer = next_message();
        note_complaint(answer);
        if (json_integer_value(json_object_get(answer, "id")) == browser.id)
            return answer;
        json_decref(answer);
    }
}

/* The result of a command that the browser must not refuse. */
static inline json_t *command(const char *method, json_t *parameters)
{
    json_t *answer = answer_to(method, parameters), *result = json_incref(json_object_get(answer, "result"));
    cr_assert(result, "%s is refused: %s", method, json_dumps(answer, 0));
    json_decref(answer);
    return result;
}

static inline void tell(const char *method, json_t *parameters) { json_decref(command(method, parameters)); }

/* The value of an expression, which may be a promise, as text; valid until the next call. */
static inline const char *value_of(const char *expression)
{
    char text[8192];
    snprintf(text, sizeof text, "(async () => String(await (%s)))()", expression);
    json_t *result = command("Runtime.evaluate",
                             json_pack("{s:s, s:b, s:b}", "expression", text, "awaitPromise", 1, "returnByValue", 1));
    const char *value = json_string_value(json_object_get(json_object_get(result, "result"), "value"));
    cr_assert(value && !json_object_get(result, "exceptionDetails"), "%s: %s", expression, json_dumps(result, 0));
    snprintf(browser.value, sizeof browser.value, "%s", value);
    json_decref(result);
    return browser.value;
}

static inline void wait_for_a_frame(void)
{
    value_of("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
}

static inline void start_browser(void)
{
    char line[2048];
    const char *in = scratch_file("to_browser"), *out = scratch_file("from_browser");
    unlink(in);
    unlink(out);
    cr_assert(!mkfifo(in, 0600) && !mkfifo(out, 0600), "%s", strerror(errno));
    browser.to = open(in, O_RDWR | O_CLOEXEC); /* neither end waits for the other */
    browser.from = open(out, O_RDWR | O_CLOEXEC);
    cr_assert(browser.to >= 0 && browser.from >= 0);
    snprintf(line, sizeof line,
             "chromium --headless --no-sandbox --disable-gpu --no-first-run --remote-debugging-pipe "
             "--user-data-dir='%s' --window-size=1400,900 about:blank 3< '%s' 4> '%s' > /dev/null 2> '%s' &",
             scratch_file("profile"), in, out, scratch_file("browser.log"));
    cr_assert_eq(system(line), 0);
    json_t *all = command("Target.getTargets", NULL), *list = json_object_get(all, "targetInfos"), *target;
    size_t i;
    char id[128] = "";
    json_array_foreach(list, i, target) if (strcmp(json_string_value(json_object_get(target, "type")), "page") == 0)
        snprintf(id, sizeof id, "%s", json_string_value(json_object_get(target, "targetId")));
    json_decref(all);
    json_t *session = command("Target.attachToTarget", json_pack("{s:s, s:b}", "targetId", id, "flatten", 1));
    browser.session = strdup(json_string_value(json_object_get(session, "sessionId")));
    json_decref(session);
    tell("Runtime.enable", NULL);
    tell("Log.enable", NULL);
}

static inline void load_page(const char *path)
{
    char url[1024];
    snprintf(url, sizeof url, "file://%s", path);
    tell("Page.navigate", json_pack("{s:s}", "url", url));
    while (strcmp(value_of("document.readyState"), "complete") != 0 || strcmp(value_of("location.protocol"), "file:"))
        usleep(20000);
    wait_for_a_frame();
}

/* Starts the browser with a page.  Close it with close_browser, which fails if the page has complained. */
static inline void open_page(const char *path)
{
    start_browser();
    load_page(path);
}

static inline void close_browser(void)
{
    tell("Browser.close", NULL);
    close(browser.to);
    close(browser.from);
    free(browser.session);
    free(browser.text);
    char told[sizeof browser.told];
    memcpy(told, browser.told, sizeof told);
    browser = (struct browser){.to = -1, .from = -1};
    cr_assert_str_empty(told, "the page complains: %s", told);
}

/* ---- what a person does ---- */

static inline void click_at(double x, double y, int modifiers)
{
    static const char *const events[] = {"mouseMoved", "mousePressed", "mouseReleased"};
    for (int i = 0; i < 3; i++)
        tell("Input.dispatchMouseEvent",
             json_pack("{s:s, s:f, s:f, s:s, s:i, s:i}", "type", events[i], "x", x, "y", y, "button",
                       i ? "left" : "none", "clickCount", i > 0, "modifiers", modifiers));
    wait_for_a_frame();
}

/* Clicks where the expression says: {x, y}. */
static inline void click_where(const char *expression, int modifiers)
{
    char point[1024];
    double x, y;
    snprintf(point, sizeof point, "(({x, y}) => x + ' ' + y)(%s)", expression);
    cr_assert_eq(sscanf(value_of(point), "%lf %lf", &x, &y), 2, "%s is nowhere", expression);
    click_at(x, y, modifiers);
}

/* On a box of the drawing, by its name. */
static inline void click_box(const char *name, int modifiers)
{
    char expression[512];
    snprintf(expression, sizeof expression, "explorer.at('%s')", name);
    click_where(expression, modifiers);
}

/* On an element of the page, by a selector of CSS, after scrolling to it. */
static inline void click_element(const char *selector)
{
    char expression[512];
    snprintf(expression, sizeof expression,
             "((e) => { e.scrollIntoView({block: 'nearest'}); const r = e.getBoundingClientRect();"
             " return {x: r.left + r.width / 2, y: r.top + r.height / 2}; })(document.querySelector(`%s`))",
             selector);
    click_where(expression, 0);
}

/* A key by its name: "Escape", or by its character: "f". */
static inline void press(const char *key, int modifiers)
{
    int code = strcmp(key, "Enter") == 0 ? 13 : key[1] ? 0 : (unsigned char)key[0];
    json_t *down = json_pack("{s:s, s:s, s:i, s:i}", "type", "keyDown", "key", key, "windowsVirtualKeyCode", code,
                             "modifiers", modifiers);
    if (!key[1] || code == 13)
        json_object_set_new(down, "text", json_string(code == 13 ? "\r" : key));
    tell("Input.dispatchKeyEvent", down);
    tell("Input.dispatchKeyEvent", json_pack("{s:s, s:s}", "type", "keyUp", "key", key));
    wait_for_a_frame();
}

static inline void type_text(const char *text) { tell("Input.insertText", json_pack("{s:s}", "text", text)); }

static inline const char *panel_text(void) { return value_of("document.getElementById('panel').innerText"); }

#endif
