/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The integer types of the house. Their spellings are the kernel's, and so are their underlying
 * types (u64 is unsigned long long), so that a unit which includes a kernel's headers may include
 * these too: a repeated typedef of the same type is legal C.
 */
#ifndef TB_LIB_TYPES_H
#define TB_LIB_TYPES_H

#ifndef __KERNEL__
#include <stdbool.h>
#include <stddef.h>
#endif

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;
typedef unsigned __int128 u128;
typedef __int128 s128;

#define TB_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define TB_NSEC_PER_SEC	 1000000000ULL
#define TB_FSEC_PER_SEC	 1000000000000000LL
#define TB_FSEC_PER_NSEC 1000000LL

#endif
