// SPDX-License-Identifier: GPL-2.0-or-later
/* Parses numbers and words. */
#include "lib/parse.h"

bool str_copy(char *to, size_t size, const char *from)
{
	size_t i;

	if (!size)
		return false;
	for (i = 0; i + 1 < size && from[i]; i++)
		to[i] = from[i];
	to[i] = '\0';
	return !from[i];
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

bool str_to_u64(const char *text, u64 *value)
{
	u32 base = 10;
	u64 result = 0;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	}
	if (!*text)
		return false;
	for (; *text; text++) {
		u32 digit = (u32)digit_value(*text);
		u128 next = (u128)result * base + digit;

		if (digit >= base || next >> 64)
			return false;
		result = (u64)next;
	}
	*value = result;
	return true;
}

bool str_to_fixed(const char *text, u32 scale, s64 *value)
{
	bool negative = *text == '-';
	bool point = false, digits = false;
	u32 decimals = 0;
	s128 result = 0;

	if (*text == '-' || *text == '+')
		text++;
	for (; *text; text++) {
		if (*text == '.' && !point) {
			point = true;
			continue;
		}
		if (*text < '0' || *text > '9')
			return false;
		if (point && ++decimals > scale)
			return false;
		digits = true;
		result = result * 10 + (*text - '0');
		if (result >> 64)
			return false;
	}
	for (; decimals < scale; decimals++) {
		result *= 10;
		if (result >> 64)
			return false;
	}
	if (!digits || result > (s128)((~0ULL) >> 1))
		return false;
	*value = negative ? -(s64)result : (s64)result;
	return true;
}
