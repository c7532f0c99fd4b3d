// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The memory and string functions of the guest; the compiler also calls the memory functions. A
 * host process has those of its libc, so this file is not linked there. Whole words are copied
 * first: an emulated string instruction costs the same for eight bytes as for one.
 */
#include "lib/string.h"

void *memcpy(void *to, const void *from, size_t length)
{
	void *target = to;
	size_t words = length / 8, bytes = length % 8;

	asm volatile("rep movsq" : "+D"(target), "+S"(from), "+c"(words) : : "memory");
	asm volatile("rep movsb" : "+D"(target), "+S"(from), "+c"(bytes) : : "memory");
	return to;
}

void *memmove(void *to, const void *from, size_t length)
{
	u8 *last_to = (u8 *)to + length - 1;
	const u8 *last_from = (const u8 *)from + length - 1;

	/* Unsigned: also true where `to` lies below `from`. */
	if ((size_t)to - (size_t)from >= length)
		return memcpy(to, from, length);
	asm volatile("std; rep movsb; cld"
		     : "+D"(last_to), "+S"(last_from), "+c"(length)
		     :
		     : "memory");
	return to;
}

void *memset(void *to, int byte, size_t length)
{
	void *target = to;
	size_t words = length / 8, bytes = length % 8;
	u64 pattern = (u8)byte * 0x0101010101010101ULL;

	asm volatile("rep stosq" : "+D"(target), "+c"(words) : "a"(pattern) : "memory");
	asm volatile("rep stosb" : "+D"(target), "+c"(bytes) : "a"(pattern) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t length)
{
	const u8 *x = a, *y = b;

	for (; length; length--, x++, y++) {
		if (*x != *y)
			return *x - *y;
	}
	return 0;
}

size_t strlen(const char *text)
{
	const char *end = text;

	while (*end)
		end++;
	return (size_t)(end - text);
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t length)
{
	while (length && *a && *a == *b)
		a++, b++, length--;
	return length ? (u8)*a - (u8)*b : 0;
}
