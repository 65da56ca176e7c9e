/* Tests in a locale with a decimal comma. */
#ifndef ATLED_TESTS_COMMA_LOCALE_H
#define ATLED_TESTS_COMMA_LOCALE_H

#include <locale.h>

#include "roots.h"
#include "support.h"

static inline void use_comma_or_skip(void)
{
    char text[16];
    setenv("LOCPATH", ATLED_BUILD_ROOT "/locale", 1);
    if (!setlocale(LC_ALL, "de_DE.UTF-8"))
        cr_skip_test("there is no locale de_DE.UTF-8, and localedef could not make one");
    snprintf(text, sizeof text, "%.1f", 0.5);
    cr_assert_str_eq(text, "0,5");
}

#endif
