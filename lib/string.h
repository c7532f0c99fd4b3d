/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The few string functions that a freestanding image needs; the compiler calls the first four. */
#ifndef TB_LIB_STRING_H
#define TB_LIB_STRING_H

#include "lib/parse.h"

void *memcpy(void *to, const void *from, size_t length);
void *memset(void *to, int byte, size_t length);
int memcmp(const void *a, const void *b, size_t length);
void *memmove(void *to, const void *from, size_t length);
size_t strlen(const char *text);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t length);

#endif
