/* Common subexpressions: the pass changes nothing itself, it only lets equal nodes be merged. */
#include "atled/program.h"
#include "program/rewrite.h"

const atl_pass atl_merge_pass = {.flag = ATL_PASS_MERGE, .merges = 1};
