/* What a browser makes of a page. */
#ifndef ATLED_TESTS_TOOLS_BROWSER_H
#define ATLED_TESTS_TOOLS_BROWSER_H

#include "command.h"

/* Its path; null if there is none. */
static inline const char *browser(void)
{
    static const char *const places[] = {"/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return NULL;
}

/* The page's own check of itself (html_page.c) leaves its result in the document. */
static inline void check_in_browser(const char *page, int pictures)
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

#endif
