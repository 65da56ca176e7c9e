/* atled dot: a network as a drawing. */
#include "tools.h"

int atled_dot(int argc, char **argv)
{
    const char *model = NULL, *path = NULL;
    int gradient = 0;
    int64_t depth = 0;
    const command_option options[] = {
        {"model", 'm', .text = &model, .argument = "NAME", .required = 1, .help = "the network to draw"},
        {"gradient", 'g', .flag = &gradient, .help = "with the gradient of its loss with respect to the image"},
        {"output", 'o', .text = &path, .argument = "FILE", .help = "x.svg and x.png are rendered, others are DOT text"},
        {"depth", 'd', .whole = &depth, .argument = "N", .lowest = 0, .highest = 100,
         .help = "scopes at this depth are one box"},
        {0}};
    const command_line line = {"dot", .about = "draw a network, with or without its gradient", .options = options};
    int code;
    if (!read_options(&line, argc, argv, NULL, &code))
        return code;
    return complain("dot", EXIT_INTERNAL, "not made yet");
}
