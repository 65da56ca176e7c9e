/* Any bytes as a file of class names, as the command's --labels reads it.  The first byte is the number of classes, the
 * second one the length of a word that is looked for, which follows. */
#include "fuzz.h"

#include <string.h>

#include "labels.h"
#include "tools.h"

const int64_t fuzz_memory_multiple = 0; /* a buffer for the largest file that is read, 16 MB, comes first */

static int complaints;

/* Replaces the command's own function (--wrap), which prints. */
int __wrap_report_error(const char *command, int code, const char *format, ...);
int __wrap_report_error(const char *command, int code, const char *format, ...)
{
    (void)command, (void)format;
    complaints++;
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char word[32] = "", text[64];
    if (size < 2)
        return 0;
    size_t length = data[1] % sizeof word;
    if (length > size - 2)
        length = size - 2;
    memcpy(word, data + 2, length);
    class_names labels;
    complaints = 0;
    int code = read_labels("fuzz", fuzz_file(data + 2 + length, size - 2 - length), NULL, NULL, data[0], &labels);
    fuzz_require(code == 0 || complaints == 1, "a failure has a complaint");
    if (!code) {
        int class = class_of("fuzz", &labels, data[0], word);
        fuzz_require(class < data[0], "a class is one of them");
        fuzz_require(class >= 0 || complaints == 1, "a word that is no class has a complaint");
        for (int i = -1; i <= data[0]; i++)
            class_text(&labels, i, text, sizeof text);
    }
    free_labels(&labels);
    return 0;
}
