/* Characters by their bytes. */
#include "graph/utf8.h"

#include "support.h"

Test(utf8, lengths)
{
    static const struct {
        char bytes[6];
        int length;
    } cases[] = {{"a", 1},
                 {"\n", 1},
                 {"", 0},
                 {"\x1b", 0},
                 {"\x7f", 0},
                 {"\xc3\xa4", 2},
                 {"\xc3", 0},
                 {"\xc3(", 0},
                 {"\xc0\xaf", 0},
                 {"\xe2\x82\xac", 3},
                 {"\xe2\x82", 0},
                 {"\xed\xa0\x80", 0},
                 {"\x80", 0},
                 {"\xff", 0},
                 {"\xf0\x9f\x98\x80", 4},
                 {"\xf4\x90\x80\x80", 0},
                 {"\xc2\x9b", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq((int)atl_character_at((const unsigned char *)cases[i].bytes), cases[i].length, "case %zu", i);
}
