/* Foreign text, made safe to show. */
#include "tools/text.c"

#include "support.h"

static void assert_clean(const char *from, const char *wanted)
{
    char text[256];
    cr_assert_str_eq(clean_text(from, text, sizeof text), wanted);
}

Test(text, what_can_be_shown_stays)
{
    assert_clean("", "");
    assert_clean("great white shark", "great white shark");
    assert_clean("K\xC3\xA4"
                 "fer \xE7\x8C\xAB \xF0\x9F\x90\x88",
                 "K\xC3\xA4"
                 "fer \xE7\x8C\xAB \xF0\x9F\x90\x88");
}

Test(text, what_a_terminal_would_obey_does_not)
{
    assert_clean("\033[31mred", "\xEF\xBF\xBD[31mred");
    assert_clean("a\nb\tc\x7F", "a\xEF\xBF\xBD"
                                "b\xEF\xBF\xBD"
                                "c\xEF\xBF\xBD");
    assert_clean("\xC2\x9B"
                 "31m",
                 "\xEF\xBF\xBD"
                 "31m");                                  /* the same character, precomposed */
    assert_clean("\xE2\x80\xAE rtl", "\xEF\xBF\xBD rtl"); /* changes the direction of writing */
}

Test(text, what_is_not_utf8_is_marked)
{
    static const char *const wrong[] = {"\xFF", "\xC0", "\xC3", "\xE7\x8C", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[64];
        clean_text(wrong[i], text, sizeof text);
        cr_expect(strncmp(text, "\xEF\xBF\xBD", 3) == 0 && strlen(text) % 3 == 0, "text %zu: %s", i, text);
    }
    assert_clean("P\xE9kinois", "P\xEF\xBF\xBDkinois");
}

Test(text, ends_after_a_whole_character)
{
    char text[6];
    cr_assert_str_eq(clean_text("abc\xC3\xA4x", text, sizeof text), "abc\xC3\xA4");
    cr_assert_str_eq(clean_text("abcd\xC3\xA4x", text, sizeof text), "abcd");
    cr_assert_str_eq(clean_text("\xE7\x8C\xAB\xE7\x8C\xAB", text, sizeof text), "\xE7\x8C\xAB");
    cr_assert_eq(bytes_within("\xE7\x8C\xAB\xC3\xA4x", 2), 5);
}

Test(text, a_plural_unless_there_is_one)
{
    cr_assert_str_eq(plural(0), "s");
    cr_assert_str_eq(plural(1), "");
    cr_assert_str_eq(plural(2), "s");
}

static void assert_duration(double microseconds, const char *wanted)
{
    char text[32];
    cr_assert_str_eq(duration_text(microseconds, text, sizeof text), wanted);
}

Test(text, durations_have_a_unit_that_suits_them)
{
    assert_duration(83.14, "83.14 us");
    assert_duration(205100, "205.1 ms");
    assert_duration(10.83e6, "10.83 s");
    assert_duration(2345e6, "2345 s");
    assert_duration(12345.6e6, "12346 s");
}
