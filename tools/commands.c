/* The table of subcommands: one line for each; its file is tools/NAME.c. */
#include "commands.h"

#include <string.h>

const subcommand subcommands[] = {
    {"predict", "tell what a network sees in pictures", atled_predict},
    {"fool", "make an image that a network misclassifies", atled_fool, .splits = 1},
    {"attack", "change images so little that nobody sees it until a network errs", atled_attack, .splits = 1},
    {"verify", "check the certificates of atled attack", atled_verify},
    {"explain", "show which pixels of an image a network's score depends on", atled_explain, .splits = 1},
    {"train", "train a network on labelled images", atled_train, .splits = 1},
    {"eval", "measure the accuracy of a network", atled_eval, .splits = 1},
    {"merge", "join the parts of a command that --shard has divided", atled_merge},
    {"dot", "draw a network, with or without its gradient", atled_dot},
    {"profile", "time every step of a network", atled_profile},
    {"info", "list the layers of a network, and what an ONNX file contains", atled_info},
    {"run", "compute the outputs of an ONNX file for given inputs", atled_run},
    {"grad", "compute the gradient of an output of an ONNX file", atled_grad},
    {"export", "write a network, or its gradient, as an ONNX file", atled_export},
    {"check", "compare the gradient of an ONNX file with central differences", atled_check},
    {"manual", "print the manual page of a command", atled_manual},
    {"completion", "print what completes commands and options in bash, zsh or fish", atled_completion},
};

const int subcommand_count = sizeof subcommands / sizeof subcommands[0];
_Static_assert(sizeof subcommands / sizeof subcommands[0] <= MOST_SUBCOMMANDS, "raise MOST_SUBCOMMANDS");

const char *const *subcommand_names(void)
{
    static const char *names[MOST_SUBCOMMANDS + 1];
    for (int i = 0; i < subcommand_count; i++)
        names[i] = subcommands[i].name;
    return names;
}

const subcommand *subcommand_of(const char *name)
{
    for (int i = 0; i < subcommand_count; i++)
        if (strcmp(subcommands[i].name, name) == 0)
            return &subcommands[i];
    return NULL;
}
