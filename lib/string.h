/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The few string functions that a freestanding image needs; the compiler calls the first four. */
#ifndef TB_LIB_STRING_H
#define TB_LIB_STRING_H

#include "lib/types.h"

void *memcpy(void *to, const void *from, size_t length);
void *memset(void *to, int byte, size_t length);
int memcmp(const void *a, const void *b, size_t length);
void *memmove(void *to, const void *from, size_t length);
size_t strlen(const char *text);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t length);

/* Copies with termination; true if it fitted. */
bool str_copy(char *to, size_t size, const char *from);

/* Unsigned decimal or 0x hexadecimal with nothing behind it; false if it is not that or overflows. */
bool str_to_u64(const char *text, u64 *value);

/* Signed decimal with up to `scale` decimals, as value * 10^scale ("-1.5", scale 3: -1500). */
bool str_to_fixed(const char *text, u32 scale, s64 *value);

#endif
