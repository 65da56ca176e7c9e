/* Saves and loads the variables of a graph, as an .npz archive or as .safetensors.  Loading checks everything before it
 * changes anything. */
#include "atled/files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "atled/op.h"
#include "atled/ops.h"
#include "atled/train.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "graph/variables.h"
#include "io/sorted_names.h"
#include "io/weight_file.h"

/* A variable and its entry in the archive. */
typedef struct binding {
    atl_node *variable;
    char *key;         /* the entry's name */
    atl_tensor *value; /* the value read for the variable; null if the archive has none */
} binding;

typedef struct bindings {
    binding *of;
    const char **keys; /* of all, sorted */
    int64_t count;
} bindings;

/* ---- keys -------------------------------------------------------------------------------------------------------- */

/* "conv1/weights" is conv1_W with the suffix "_W" for weights. Null if out of memory. */
static char *key_of(const char *name, const atl_npz_args *args)
{
    const char *const *suffixes = args->suffixes;
    static const char *const parts[] = {"weights", "biases", "scale", "shift", "mean", "variance"};
    for (const atl_weight_name *n = args->names; n && n->variable; n++)
        if (n->key && strcmp(n->variable, name) == 0)
            return atl_copy_text(n->key);
    const char *slash = strrchr(name, '/'), *last = slash ? slash + 1 : name;
    for (int i = 0; i < 6; i++) {
        if (!suffixes[i] || strcmp(last, parts[i]) != 0)
            continue;
        size_t stem = slash ? (size_t)(slash - name) : 0, length = strlen(suffixes[i]);
        char *key = atl_allocate(stem + length + 1, 1);
        if (key) {
            memcpy(key, name, stem);
            memcpy(key + stem, suffixes[i], length);
        }
        return key;
    }
    return atl_copy_text(name);
}

static void free_bindings(bindings *all)
{
    for (int64_t i = 0; all->of && i < all->count; i++) {
        atl_release(all->of[i].key);
        atl_tensor_free(all->of[i].value);
    }
    atl_release(all->of);
    atl_release(all->keys);
}

/* Binds the graph's variables to their keys, which must be unique. */
static atl_status bind_keys(const atl_npz_args *args, bindings *all)
{
    atl_nodes variables = atl_variables(args->graph);
    all->of = atl_allocate((size_t)variables.count, sizeof *all->of);
    all->keys = atl_allocate((size_t)variables.count, sizeof *all->keys);
    if (!all->of || !all->keys)
        return atl_out_of_memory();
    for (int64_t i = 0; i < variables.count; i++) {
        if ((args->weights_only || args->averages) && atl_variable_is_state(variables.node[i]))
            continue;
        binding *one = &all->of[all->count];
        one->variable = variables.node[i];
        one->key = key_of(atl_name_of(variables.node[i]), args);
        if (!one->key)
            return atl_out_of_memory();
        all->keys[all->count++] = one->key;
    }
    if (all->count == 0)
        return atl_set_error(ATL_INVALID, "weights '%s': the graph has no variables: build the model first",
                             args->path);
    atl_sort_names(all->keys, all->count);
    const char *twin = atl_find_twin(all->keys, all->count);
    return twin ? atl_set_error(ATL_INVALID,
                                "weights '%s': two variables have the key '%s': name them or choose .suffixes "
                                "so that they differ",
                                args->path, twin)
                : ATL_OK;
}

static atl_status check_args(const atl_npz_args *args)
{
    if (!args || !args->graph || !args->path || !*args->path)
        return atl_set_error(ATL_INVALID, "weights: the %s is null", args && args->graph ? "path" : "graph");
    for (const atl_weight_name *n = args->names; n && n->variable; n++) {
        const atl_node *node = atl_find(args->graph, n->variable);
        if (!n->key || !node || !(atl_op_of(node)->flags & ATL_OP_VARIABLE))
            return atl_set_error(ATL_INVALID, "weights '%s': the map of names has '%s', %s", args->path, n->variable,
                                 n->key ? "but the graph has no variable of that name" : "without a key");
    }
    return ATL_OK;
}

/* ---- mismatches -------------------------------------------------------------------------------------------------- */

/* The first few of a list, as text. */
typedef struct few {
    int64_t count;
    size_t length;
    char text[480];
} few;

static void add_to_few(few *list, const char *words)
{
    enum { SHOWN = 4 };
    if (list->count++ < SHOWN && list->length < sizeof list->text)
        list->length += (size_t)snprintf(list->text + list->length, sizeof list->text - list->length, "%s%s",
                                         list->length ? ", " : "", words);
    /* a very long name fills the text: what is cut off still counts */
}

/* "; 7 are missing: a, b, c, d and 3 more" onto the message. */
static void append_few(char *message, size_t size, const few *list, const char *what)
{
    enum { SHOWN = 4 };
    size_t length = strlen(message);
    if (list->count == 0)
        return;
    length += (size_t)snprintf(message + length, size - length, "; %" PRId64 " %s: %s", list->count, what, list->text);
    if (list->count > SHOWN && length < size)
        snprintf(message + length, size - length, " and %" PRId64 " more", list->count - SHOWN);
}

typedef struct misfits {
    few missing, differing, extra;
} misfits;

/* Compares an entry with its variable: type and shape, from the header only. */
static atl_status compare_entry(const atl_weight_file *file, const binding *one, few *differing)
{
    char words[400], found[160], expected[160];
    atl_weight_header header;
    atl_status status = atl_weight_file_header(file, one->key, &header);
    if (status)
        return status;
    atl_shape shape = atl_shape_of(one->variable);
    atl_dtype dtype = atl_dtype_of(one->variable);
    if (header.is_read && header.dtype == dtype && atl_shape_equal(header.shape, shape))
        return ATL_OK;
    snprintf(words, sizeof words, "'%.100s' is %s %s, expected %s %s", one->key, header.kind,
             atl_shape_text(header.shape, found, sizeof found), atl_dtype_name(dtype),
             atl_shape_text(shape, expected, sizeof expected));
    add_to_few(differing, words);
    return ATL_OK;
}

static atl_status compare_all(const atl_weight_file *file, const bindings *all, misfits *found)
{
    char words[400], expected[160];
    for (int64_t i = 0; i < all->count; i++) {
        const binding *one = &all->of[i];
        atl_status status = ATL_OK;
        if (atl_weight_file_has(file, one->key)) {
            status = compare_entry(file, one, &found->differing);
        } else {
            snprintf(words, sizeof words, "'%.100s' %s", one->key,
                     atl_shape_text(atl_shape_of(one->variable), expected, sizeof expected));
            add_to_few(&found->missing, words);
        }
        if (status)
            return status;
    }
    for (int64_t i = 0; i < atl_weight_file_count(file); i++) {
        snprintf(words, sizeof words, "'%.100s'", atl_weight_file_name(file, i));
        if (!atl_has_name(all->keys, all->count, atl_weight_file_name(file, i)))
            add_to_few(&found->extra, words);
    }
    return ATL_OK;
}

static void fill_report(atl_npz_report *report, const bindings *all, const misfits *found)
{
    if (!report)
        return;
    report->missing = found->missing.count;
    report->extra = found->extra.count;
    report->differing = found->differing.count;
    report->matched = all->count - report->missing - report->differing;
    snprintf(report->text, sizeof report->text, "%" PRId64 " fit", report->matched);
    append_few(report->text, sizeof report->text, &found->differing, "differ");
    append_few(report->text, sizeof report->text, &found->missing, "missing");
    append_few(report->text, sizeof report->text, &found->extra, "that no variable wants");
}

/* Reports all mismatches as one error, if there are any. */
static atl_status report_error(const atl_npz_args *args, const bindings *all, const misfits *found)
{
    /* If no variable is found, that is an error even when some may be missing. */
    int nothing_fits = found->missing.count == all->count;
    int tell_missing = !args->allow_missing || nothing_fits;
    int tell_extra = !(args->allow_extra || args->weights_only) || nothing_fits;
    if (found->differing.count == 0 && !(tell_missing && found->missing.count) && !(tell_extra && found->extra.count))
        return ATL_OK;
    char message[ATL_ERROR_SIZE];
    snprintf(message, sizeof message, "weights '%.300s' do not fit the graph", args->path);
    append_few(message, sizeof message, &found->differing, "differ");
    if (tell_missing)
        append_few(message, sizeof message, &found->missing, "missing");
    if (tell_extra)
        append_few(message, sizeof message, &found->extra, "that no variable wants");
    const char *remedy = "is this the file for this model?";
    if (nothing_fits)
        remedy = "are they another network's, or do the names need other .suffixes?";
    else if (tell_missing && found->missing.count && !found->differing.count)
        remedy = "is this the file for this model? (.allow_missing = 1 keeps the values of variables that it lacks)";
    else if (tell_extra && found->extra.count && !found->differing.count)
        remedy = "is this the file for this model? (.allow_extra = 1 passes over what no variable wants)";
    return atl_set_error(ATL_BAD_FILE, "%s; nothing was changed: %s", message, remedy);
}

/* ---- loading and saving ------------------------------------------------------------------------------------------ */

/* Reads all values first, so that a damaged one is found before any variable changes. */
static atl_status read_values(const atl_weight_file *file, bindings *all)
{
    for (int64_t i = 0; i < all->count; i++) {
        binding *one = &all->of[i];
        if (!atl_weight_file_has(file, one->key))
            continue;
        atl_status status = atl_weight_file_read(file, one->key, &one->value);
        if (status)
            return status;
    }
    return ATL_OK;
}

static atl_status load(const atl_npz_args *args, bindings *all)
{
    atl_weight_file file;
    misfits found = {0};
    if (args->report_out)
        *args->report_out = (atl_npz_report){0};
    if (args->averages)
        return atl_set_error(ATL_INVALID, "atl_load_npz: .averages is an option of atl_save_npz: leave it out");
    atl_status status = bind_keys(args, all);
    if (!status)
        status = atl_weight_file_open(args->path, &file);
    if (status)
        return status;
    status = compare_all(&file, all, &found);
    if (!status) {
        fill_report(args->report_out, all, &found);
        status = report_error(args, all, &found);
    }
    if (!status)
        status = read_values(&file, all);
    atl_weight_file_close(&file);
    for (int64_t i = 0; !status && i < all->count; i++) {
        if (all->of[i].value)
            atl_variable_adopt(all->of[i].variable, all->of[i].value);
        all->of[i].value = NULL;
    }
    return status;
}

static atl_status save(const atl_npz_args *args, bindings *all)
{
    if (args->allow_missing || args->allow_extra || args->report_out)
        return atl_set_error(ATL_INVALID, "atl_save_npz: %s is an option of atl_load_npz: leave it out",
                             args->report_out      ? ".report_out"
                             : args->allow_missing ? ".allow_missing"
                                                   : ".allow_extra");
    atl_status status = bind_keys(args, all);
    if (status)
        return status;
    if (all->count > INT32_MAX)
        return atl_set_error(ATL_UNSUPPORTED, "weights '%s': %" PRId64 " variables are more than an archive takes",
                             args->path, all->count);
    atl_npz_entry *entries = atl_allocate((size_t)all->count, sizeof *entries);
    if (!entries)
        return atl_out_of_memory();
    for (int64_t i = 0; !status && i < all->count; i++) {
        const atl_node *average = args->averages ? atl_average_of(all->of[i].variable) : NULL;
        entries[i] = (atl_npz_entry){all->of[i].key, atl_variable_value(average ? average : all->of[i].variable)};
        status = entries[i].value ? atl_check_settled(all->of[i].variable) : ATL_OUT_OF_MEMORY;
    }
    if (!status)
        status = (atl_is_safetensors_name(args->path) ? atl_write_safetensors : atl_write_npz)(args->path, all->count,
                                                                                               entries);
    atl_release(entries);
    return status;
}

/* Records failures on the graph, too. */
static atl_status with_bindings(const atl_npz_args *args, atl_status (*work)(const atl_npz_args *args, bindings *all))
{
    bindings all = {0};
    atl_status status = check_args(args);
    if (!status) {
        status = work(args, &all);
        free_bindings(&all);
    }
    return status && args && args->graph ? atl_graph_note_failure(args->graph, status) : status;
}

atl_status atl_load_weights_with(const atl_npz_args *args) { return with_bindings(args, load); }
atl_status atl_save_weights_with(const atl_npz_args *args) { return with_bindings(args, save); }
atl_status atl_load_npz_with(const atl_npz_args *args) { return with_bindings(args, load); }
atl_status atl_save_npz_with(const atl_npz_args *args) { return with_bindings(args, save); }
