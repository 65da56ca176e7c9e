/* The same drawing is the same bytes. */
#include "drawings.h"
#include "drawing/drawing.h"

static const char *steady(const char *svg)
{
    static char text[1024];
    snprintf(text, sizeof text, "%s", svg);
    cr_assert_eq(dot_steady_svg(text, (unsigned)strlen(text)), strlen(text));
    return text;
}

Test(svg, frames_come_in_the_order_of_their_numbers_and_lose_their_ids)
{
    cr_assert_str_eq(steady(
                         "<svg>\n"
                         "<g id=\"clust3\" class=\"cluster\">\n<title>cluster_12</title>\nb</g>\n"
                         "<g id=\"clust14\" class=\"cluster\">\n<title>cluster_2</title>\n<g id=\"a\">\na</g>\n</g>\n"
                         "<!-- n0 -->\n<g id=\"node1\"></g>\n</svg>"),
                     "<svg>\n"
                     "<g class=\"cluster\">\n<title>cluster_2</title>\n<g id=\"a\">\na</g>\n</g>\n"
                     "<g class=\"cluster\">\n<title>cluster_12</title>\nb</g>\n"
                     "<!-- n0 -->\n<g id=\"node1\"></g>\n</svg>");
}

Test(svg, other_texts_stay)
{
    cr_assert_str_eq(steady(""), "");
    cr_assert_str_eq(steady("<svg></svg>"), "<svg></svg>");
    cr_assert_str_eq(steady("<svg><g id=\"cluster without an end"), "<svg><g id=\"cluster without an end");
}
