/* The instruction set for which a kernel's source is being compiled.  The flags in meson.build choose the instructions,
 * and
 *
 *     ATL_LEVEL       avx512, avx2 or generic: the end of the names of all that the object exports
 *     ATL_VECTOR      floats in one register: 16, 8 or 4
 *     ATL_REGISTERS   how many registers there are: 32 or 16
 *
 * KERNEL(name) is the name of an exported function: atl_name_avx512, ... Everything else in these sources is static. */
#ifndef ATLED_KERNELS_LEVEL_H
#define ATLED_KERNELS_LEVEL_H

#if !defined ATL_LEVEL || !defined ATL_VECTOR || !defined ATL_REGISTERS
#error "this file is compiled once for each instruction set, see meson.build"
#endif

#define ATL_JOIN_NAME_(name, level) atl_##name##_##level
#define ATL_JOIN_NAME(name, level)  ATL_JOIN_NAME_(name, level)
#define KERNEL(name)                ATL_JOIN_NAME(name, ATL_LEVEL)

#include "kernels/kernels.h"

#define ATL_DECLARE(result, name, arguments) result KERNEL(name) arguments;
#define ATL_DECLARE_MAP(name, ...)           atl_map_kernel KERNEL(map_##name);
ATL_KERNELS(ATL_DECLARE)
ATL_MAPS(ATL_DECLARE_MAP, ATL_DECLARE_MAP, ATL_DECLARE_MAP)

#endif
