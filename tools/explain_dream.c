/* atled explain --dream: a picture that a class or a channel responds to most. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "explain_session.h"

static const char channel_prefix[] = "channel:";

static int is_channel(const char *word) { return strncmp(word, channel_prefix, strlen(channel_prefix)) == 0; }

/* "dream-cat.png", "dream-channel-5.png": whatever is no letter or digit becomes a hyphen. */
void dream_path(const explain_session *s, char *text, size_t size)
{
    if (s->file) {
        snprintf(text, size, "%s", s->file);
        return;
    }
    int at = snprintf(text, size, "%s/dream-", s->set.output);
    for (const char *c = s->set.dream ? s->set.dream : ""; *c && at >= 0 && (size_t)at + 5 < size; c++)
        text[at++] = (char)(isalnum((unsigned char)*c) ? *c : '-');
    if (at >= 0 && (size_t)at < size)
        snprintf(text + at, size - (size_t)at, ".png");
}

/* The class, or the channel; -1 after an error message. */
static int find_target(const explain_session *s, int64_t channels)
{
    char *end;
    if (!is_channel(s->set.dream))
        return class_of("explain", &s->labels, s->network.size.classes, s->set.dream);
    const char *number = s->set.dream + strlen(channel_prefix);
    long channel = strtol(number, &end, 10);
    if (!isdigit((unsigned char)*number) || *end) {
        report_error("explain", EXIT_USAGE, "--dream: '%s' should be channel: and a number", s->set.dream);
        return -1;
    }
    if (channels > 0 && channel >= channels) {
        report_error("explain", EXIT_USAGE, "--dream: there are channels 0..%lld", (long long)channels - 1);
        return -1;
    }
    return (int)(channel > 1000000000 ? 1000000000 : channel);
}

static int watch(void *context, int64_t done, int64_t all)
{
    explain_session *s = context;
    show_progress(&s->progress, 0, "dream of %s: iteration %lld of %lld", s->set.dream, (long long)done,
                  (long long)all);
    return was_interrupted();
}

/* The channels of the layer, which the library has taken for a map; 0: it says so itself. */
static int64_t channels_of(const explain_session *s)
{
    atl_shape shape = atl_shape_of(atl_explainer_layer(s->explainer));
    return shape.rank >= 3 && !s->network.net ? shape.size[shape.rank - 1] : 0;
}

static void tell(explain_session *s, int target, double score, const char *path)
{
    char name[160];
    end_progress(&s->progress);
    if (is_channel(s->set.dream))
        fprintf(s->out, "%s: channel %d of %s, mean %.4g\n", path, target,
                atl_name_of(atl_explainer_layer(s->explainer)), score);
    else
        fprintf(s->out, "%s: class %s, score %.4g\n", path, class_text(&s->labels, target, name, sizeof name), score);
    flush_output();
}

int dream_of_class(explain_session *s)
{
    char path[4096];
    atl_tensor *pixels;
    double score;
    int target = find_target(s, channels_of(s));
    if (target < 0)
        return EXIT_USAGE;
    dream_path(s, path, sizeof path);
    if (atl_dream(s->explainer, is_channel(s->set.dream), target, (int)s->set.iterations, .seed = (uint64_t)s->set.seed,
                  .watch = watch, .context = s, .score_out = &score, .pixels_out = &pixels))
        return report_failure("explain");
    note_file(s, path);
    atl_status status = atl_write_png(path, pixels);
    atl_tensor_free(pixels);
    if (status)
        return report_failure("explain");
    tell(s, target, score, path);
    return 0;
}
