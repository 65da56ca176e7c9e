/* atled attack before the first picture. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attack_session.h"
#include "bundled_weights.h"

static int find_weights(network_choice *choice, char *path, size_t size)
{
    if (is_network_file(choice->model) || choice->weights)
        return 0;
    choice->weights = bundled_weights(choice->model, path, size);
    return choice->weights ? 0 : report_no_weights("attack", choice->model);
}

static int check_named_files(const attack_options *set)
{
    const used_file files[] = {{"weights", set->network.weights, FILE_READ, ANY_FORMAT, NULL},
                               {"names", set->network.picture.names, FILE_READ, ANY_FORMAT, NULL},
                               {"transfer-weights", set->transfer.weights, FILE_READ, ANY_FORMAT, NULL},
                               {"labels", set->labels, FILE_READ, ANY_FORMAT, NULL},
                               {"report", set->report, FILE_WRITTEN, ANY_FORMAT, NULL},
                               {"data", set->data, DATA_READ, ANY_FORMAT, NULL},
                               {"shard-file", set->shard.file, FILE_UPDATED, ANY_FORMAT, NULL},
                               TIMING_FILE(&set->compile),
                               {0}};
    return check_files("attack", files);
}

/* The output folder, made if it is missing; whether it can be written is found out before the work. */
static int check_output(const attack_options *set)
{
    struct stat about;
    if (!set->output)
        return 0;
    if (mkdir(set->output, 0777) && errno != EEXIST)
        return report_error("attack", EXIT_BAD_FILE, "--output %s: %s", set->output, strerror(errno));
    if (stat(set->output, &about) || !S_ISDIR(about.st_mode))
        return report_error("attack", EXIT_BAD_FILE, "--output %s is no folder", set->output);
    if (access(set->output, W_OK | X_OK))
        return report_error("attack", EXIT_BAD_FILE, "--output %s: %s", set->output, strerror(errno));
    return 0;
}

static int digest(const char *path, char text[DIGEST_TEXT])
{
    if (!path || digest_of_file(path, text) == 0)
        return 0;
    return report_error("attack", EXIT_BAD_FILE, "%s: %s", path, strerror(errno));
}

/* The second network gets the same pictures. */
static int check_transfer(const attack_session *s)
{
    atl_shape own = atl_shape_of(s->network.image), other = atl_shape_of(s->transfer.image);
    if (own.size[1] == other.size[1] && own.size[2] == other.size[2] && own.size[3] == other.size[3])
        return 0;
    return report_error("attack", EXIT_BAD_FILE,
                        "--transfer %s takes pictures of %lld x %lld x %lld, but those of %s are %lld x %lld x %lld",
                        s->set.transfer.model, (long long)other.size[1], (long long)other.size[2],
                        (long long)other.size[3], s->set.network.model, (long long)own.size[1], (long long)own.size[2],
                        (long long)own.size[3]);
}

/* --preprocess and the like are about all ONNX files of the command. */
static void share_preprocessing(network_choice *first, network_choice *other)
{
    picture_settings all = first->picture;
    if (!other->model || !is_network_file(other->model))
        return;
    if (!is_network_file(first->model))
        first->picture = (picture_settings){.names = all.names, .logits = all.logits};
    all.names = all.logits = NULL;
    other->picture = all;
}

static int open_networks(attack_session *s)
{
    attack_options *set = &s->set;
    network_choice first = set->network, other = set->transfer;
    share_preprocessing(&first, &other);
    atl_shape shape;
    int code = read_picture_shape(set, &shape);
    if (!code)
        code = open_attacked_network("attack", &first, shape, &s->network);
    if (!code && set->transfer.model) {
        atl_shape own = atl_shape_of(s->network.image);
        shape = shape.size[2] != ATL_ANY ? shape : ATL_SHAPE(own.size[1], own.size[2], own.size[3]);
        code = open_attacked_network("attack", &other, shape, &s->transfer);
    }
    if (!code && set->transfer.model)
        code = check_transfer(s);
    if (!code)
        code = digest(is_network_file(set->network.model) ? set->network.model : NULL, s->model_digest);
    if (!code)
        code = digest(set->network.weights, s->weights_digest);
    const atl_model *model = s->network.model;
    if (!code)
        code = read_labels("attack", set->labels, model->classes == s->network.size.classes ? model->labels : NULL,
                           set->network.weights, s->network.size.classes, &s->labels);
    if (!code)
        code = read_attack_pictures(set, &s->network, &s->labels, &s->pictures);
    return code;
}

static int open_attackers(attack_session *s)
{
    const atl_compile_args compile = compile_args_of(&s->set.compile);
    s->attacker = atl_attacker_new(s->network.image, s->network.logits, .threads = compile.threads, .compile = compile);
    if (!s->attacker)
        return report_graph_failure("attack", s->network.graph);
    if (!s->set.transfer.model)
        return 0;
    s->transfer_attacker = atl_attacker_new(s->transfer.image, s->transfer.logits, .threads = 1, .compile = compile);
    return s->transfer_attacker ? 0 : report_graph_failure("attack", s->transfer.graph);
}

/* A label that is not known is what the network says of the unchanged picture; with --right, the list ends after so
 * many right ones.  Each rank and each shard would do it again, so not without need. */
static int classify(attack_session *s)
{
    attack_pictures *p = &s->pictures;
    int classes = s->network.size.classes, is_needed = s->set.right > 0;
    for (int64_t i = 0; i < p->count; i++)
        is_needed |= p->label[i] < 0;
    if (!is_needed)
        return 0;
    float *scores = malloc((size_t)p->count * (size_t)classes * sizeof *scores);
    atl_tensor *pictures =
        atl_tensor_view(ATL_FLOAT32, ATL_SHAPE(p->count, p->height, p->width, p->channels), p->pixels);
    int code = scores && pictures ? 0 : report_no_memory("attack");
    if (!code && atl_attacker_scores(s->attacker, pictures, scores))
        code = report_failure("attack");
    int64_t right = 0, count = p->count;
    for (int64_t i = 0; i < count && !code; i++) {
        int top = 0;
        for (int k = 1; k < classes; k++)
            top = scores[i * classes + k] > scores[i * classes + top] ? k : top;
        p->label[i] = p->label[i] < 0 ? top : p->label[i];
        right += top == p->label[i];
        if (s->set.right && right == s->set.right)
            count = i + 1;
    }
    for (int64_t i = count; i < p->count && !code; i++)
        free(p->path[i]);
    for (int64_t i = count; i < p->count && !code && p->jpeg; i++)
        atl_bytes_free(p->jpeg[i].bytes);
    p->count = code ? p->count : count;
    atl_tensor_free(pictures);
    free(scores);
    return code;
}

/* The tasks: each picture once, or once for each class that it does not show. */
static int choose_targets(attack_session *s)
{
    const char *word = s->set.target;
    int classes = s->network.size.classes, all = word && strcmp(word, "all") == 0;
    s->tasks = s->pictures.count * (all ? classes - 1 : 1);
    s->goal = !word                               ? ATL_GOAL_LEAVE
              : strcmp(word, "random") == 0       ? ATL_GOAL_RANDOM
              : strcmp(word, "least-likely") == 0 ? ATL_GOAL_LEAST_LIKELY
                                                  : ATL_GOAL_CLASS;
    s->task = malloc((size_t)(s->tasks ? s->tasks : 1) * sizeof *s->task);
    s->done = calloc((size_t)(s->tasks ? s->tasks : 1), sizeof *s->done);
    s->targets = s->goal == ATL_GOAL_CLASS ? malloc((size_t)(s->tasks ? s->tasks : 1) * sizeof *s->targets) : NULL;
    if (!s->task || !s->done || (s->goal == ATL_GOAL_CLASS && !s->targets))
        return report_no_memory("attack");
    if (s->goal != ATL_GOAL_CLASS)
        return 0;
    int class = all ? 0 : class_of("attack", &s->labels, classes, word);
    if (class < 0)
        return EXIT_USAGE;
    for (int64_t i = 0; i < s->tasks; i++) {
        int other = (int)(i % (classes - 1));
        s->targets[i] = all ? other + (other >= s->pictures.label[i / (classes - 1)]) : class;
    }
    return 0;
}

int start_attacking(attack_session *s)
{
    attack_options *set = &s->set;
    int code = find_weights(&set->network, s->weights_path, sizeof s->weights_path);
    if (!code && set->transfer.model)
        code = find_weights(&set->transfer, s->transfer_path, sizeof s->transfer_path);
    if (!code)
        code = check_named_files(set);
    if (!code)
        code = check_output(set);
    if (!code)
        code = begin_compiling("attack", &set->compile);
    if (!code)
        code = open_networks(s);
    if (!code)
        code = open_attackers(s);
    if (!code)
        code = classify(s);
    if (!code)
        code = choose_targets(s);
    return code ? code : open_results(s);
}

void end_attacking(attack_session *s)
{
    atl_attacker_free(s->attacker);
    atl_attacker_free(s->transfer_attacker);
    close_network(&s->network);
    close_network(&s->transfer);
    free_labels(&s->labels);
    free_attack_pictures(&s->pictures);
    for (int64_t i = 0; s->done && i < s->tasks; i++)
        json_decref(s->done[i]);
    free(s->done);
    free(s->task);
    free(s->targets);
    end_work(&s->work, &s->set.shard);
    if (s->log)
        fclose(s->log);
}
