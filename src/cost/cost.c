/* The tables of what machines do in a second: see cost.h. */
#include "cost/cost.h"

#include "atled/status.h"

#define MEASURED_ON(text)  .measured_on = text,
#define COST(field, value) .field = value,

static const atl_costs avx512 = {
#include "cost/avx512.def"
};

static const atl_costs avx2 = {
#include "cost/avx2.def"
};

static const atl_costs generic = {
#include "cost/generic.def"
};

const atl_costs *atl_costs_in_use(void)
{
    atl_isa isa = atl_isa_in_use();
    return isa == ATL_ISA_AVX512 ? &avx512 : isa == ATL_ISA_AVX2 ? &avx2 : &generic;
}
