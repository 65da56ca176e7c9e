/* The table of the kernels of one instruction set. */
#include "kernels/level.h"

#define ENTRY(result, name, arguments) .name = KERNEL(name),
#define MAP_ENTRY(name, ...)           .map_##name = KERNEL(map_##name),

extern const atl_kernel_table KERNEL(kernel_table);
const atl_kernel_table KERNEL(kernel_table) = {.isa = ATL_LEVEL_ISA,
                                               .vector = ATL_VECTOR,
                                               .registers = ATL_REGISTERS,
                                               ATL_KERNELS(ENTRY) ATL_MAPS(MAP_ENTRY, MAP_ENTRY, MAP_ENTRY)};
