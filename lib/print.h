/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Formatted output to a byte sink of the vehicle (serial port, stdout). Conversions: %s %c %d %i %u
 * %x %X %p %%, with flags 0 and -, a width, l ll z, and %.*s.
 */
#ifndef TB_LIB_PRINT_H
#define TB_LIB_PRINT_H

#include <stdarg.h>
#include "lib/types.h"

struct output {
	void (*write)(void *context, const char *text, size_t length);
	void *context;
};

void out_vprintf(const struct output *out, const char *format, va_list args);
void out_printf(const struct output *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Prints into a buffer, always terminated if size > 0; returns the length that the whole text would
 * have.
 */
size_t str_printf(char *buffer, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Prints femtoseconds as nanoseconds with `digits` (0 to 6) decimals, rounded to nearest, ties away
 * from zero.
 */
void out_ns(const struct output *out, s64 fsec, u32 digits);

/* Prints value / 10^scale with `digits` decimals; scale 0 to 18, digits <= scale. */
void out_decimal(const struct output *out, s128 value, u32 scale, u32 digits);

#endif
