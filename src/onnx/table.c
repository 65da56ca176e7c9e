/* Which importer reads which op: the families' tables, one after the other. */
#include <string.h>

#include "onnx/families.h"

static const onnx_entry *const family[] = {onnx_activations,    onnx_arithmetic, onnx_convolutions, onnx_pools,
                                           onnx_normalizations, onnx_shapes,     onnx_movements,    onnx_indexing,
                                           onnx_reductions,     onnx_matrices,   onnx_control,      onnx_resizes,
                                           onnx_scatters,       onnx_losses,     onnx_recurrent,    onnx_quantized,
                                           onnx_einsums,        onnx_grids,      onnx_loops,        onnx_sequences,
                                           onnx_scans,          onnx_signals,    onnx_attentions,   onnx_fused,
                                           onnx_qlinear,        onnx_classical};
enum { FAMILIES = sizeof family / sizeof *family };

static int is_of(const onnx_entry *entry, const char *domain, const char *name)
{
    return strcmp(entry->name, name) == 0 && strcmp(entry->domain ? entry->domain : "", domain) == 0;
}

const onnx_entry *onnx_find_entry(const char *domain, const char *name, int64_t version)
{
    const onnx_entry *best = NULL;
    for (int i = 0; i < FAMILIES; i++)
        for (const onnx_entry *entry = family[i]; entry->name; entry++)
            if (is_of(entry, domain, name) && entry->since <= version && (!best || entry->since > best->since))
                best = entry;
    return best;
}

int onnx_first_version(const char *domain, const char *name)
{
    int first = 0;
    for (int i = 0; i < FAMILIES; i++)
        for (const onnx_entry *entry = family[i]; entry->name; entry++)
            if (is_of(entry, domain, name) && (!first || entry->since < first))
                first = entry->since;
    return first;
}

int64_t atl_onnx_op_count(void)
{
    int64_t count = 0;
    for (int i = 0; i < FAMILIES; i++)
        for (const onnx_entry *entry = family[i]; entry->name; entry++)
            count += onnx_first_version(entry->domain ? entry->domain : "", entry->name) == entry->since;
    return count;
}

static const char *title_of(const onnx_entry *entry) { return entry->title ? entry->title : entry->name; }

/* How many distinct ops come before it in alphabetical order. */
static int64_t place_of(const char *name)
{
    int64_t place = 0;
    for (int i = 0; i < FAMILIES; i++)
        for (const onnx_entry *entry = family[i]; entry->name; entry++)
            place += onnx_first_version(entry->domain ? entry->domain : "", entry->name) == entry->since &&
                     strcmp(title_of(entry), name) < 0;
    return place;
}

const char *atl_onnx_op_name(int64_t index)
{
    for (int i = 0; i < FAMILIES; i++)
        for (const onnx_entry *entry = family[i]; entry->name; entry++)
            if (place_of(title_of(entry)) == index)
                return title_of(entry);
    return NULL;
}
