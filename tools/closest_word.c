/* Finds the word that a misspelt word means. */
#include <ctype.h>
#include <string.h>

#include "options.h"

/* Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours, each at a cost of 1. */
static int distance_between(const char *a, const char *b)
{
    int rows[3][LONGEST_WORD + 1];
    int *before = rows[0], *last = rows[1], *row = rows[2];
    int width = (int)strlen(b);
    for (int j = 0; j <= width; j++)
        last[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        row[0] = i;
        for (int j = 1; j <= width; j++) {
            int cost = last[j - 1] + (a[i - 1] != b[j - 1]);
            cost = last[j] + 1 < cost ? last[j] + 1 : cost;
            cost = row[j - 1] + 1 < cost ? row[j - 1] + 1 : cost;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < cost)
                cost = before[j - 2] + 1;
            row[j] = cost;
        }
        int *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[width];
}

static void copy_lower_case(char *to, const char *from)
{
    size_t i;
    for (i = 0; from[i] && i < LONGEST_WORD; i++)
        to[i] = (char)tolower((unsigned char)from[i]);
    to[i] = 0;
}

const char *closest_word(const char *typed, const char *const *words)
{
    char wanted[LONGEST_WORD + 1], word[LONGEST_WORD + 1];
    const char *closest = NULL;
    copy_lower_case(wanted, typed);
    size_t length = strlen(wanted);
    int least = (int)length / 3 + 2; /* more than a third of the letters (and one) differ: not a spelling error */
    for (; *words; words++) {
        copy_lower_case(word, *words);
        int starts_so = length >= 2 && strncmp(word, wanted, length) == 0;
        int distance = starts_so ? 1 : distance_between(wanted, word);
        if (distance < least && distance < (int)length) {
            least = distance;
            closest = *words;
        }
    }
    return closest;
}
