// SPDX-License-Identifier: GPL-2.0-or-later
/* Formatted output, written in small pieces to a byte sink without a buffer. */
#include "lib/print.h"
#include "lib/instant.h"

static void emit(const struct output *out, const char *text, size_t length)
{
	if (length)
		out->write(out->context, text, length);
}

static void pad(const struct output *out, char with, s64 count)
{
	static const char spaces[] = "                ", zeros[] = "0000000000000000";

	while (count > 0) {
		size_t part = count < 16 ? (size_t)count : 16;

		emit(out, with == '0' ? zeros : spaces, part);
		count -= (s64)part;
	}
}

/* The digits of n, least first, written backwards from the end of a buffer of 40. */
static char *digits_of(u128 n, u32 base, bool upper, char *end)
{
	const char *set = upper ? "0123456789ABCDEF" : "0123456789abcdef";

	do {
		u128 rem;

		n = div_u128(n, base, &rem);
		*--end = set[(u32)rem];
	} while (n);
	return end;
}

struct spec {
	bool left, zero, negative;
	s64 width;
	s64 precision; /* -1: none */
	const char *prefix;
};

static void put_field(const struct output *out, const struct spec *spec, const char *text,
		      size_t length)
{
	const char *sign = spec->negative ? "-" : "";
	size_t sign_length = spec->negative ? 1 : 0;
	size_t prefix_length = 0;
	s64 fill;

	while (spec->prefix[prefix_length])
		prefix_length++;
	fill = spec->width - (s64)(length + sign_length + prefix_length);
	if (!spec->left && !spec->zero)
		pad(out, ' ', fill);
	emit(out, sign, sign_length);
	emit(out, spec->prefix, prefix_length);
	if (!spec->left && spec->zero)
		pad(out, '0', fill);
	emit(out, text, length);
	if (spec->left)
		pad(out, ' ', fill);
}

static void put_string(const struct output *out, struct spec *spec, const char *text)
{
	size_t length = 0;

	if (!text)
		text = "(null)";
	while ((spec->precision < 0 || (s64)length < spec->precision) && text[length])
		length++;
	spec->zero = false;
	put_field(out, spec, text, length);
}

static void put_number(const struct output *out, const struct spec *spec, u64 value, char kind)
{
	char buffer[40];
	char *end = buffer + sizeof(buffer);
	u32 base = kind == 'u' ? 10 : 16;
	char *text = digits_of(value, base, kind == 'X', end);

	put_field(out, spec, text, (size_t)(end - text));
}

/* Parses digits at *format, and moves it past them. */
static s64 parse_count(const char **format)
{
	s64 count = 0;

	for (; **format >= '0' && **format <= '9'; (*format)++)
		count = count * 10 + (**format - '0');
	return count;
}

/* Flags, width and precision, without the `*` that takes an argument. */
static void parse_flags(const char **format, struct spec *spec)
{
	for (;; (*format)++) {
		if (**format == '-')
			spec->left = true;
		else if (**format == '0')
			spec->zero = true;
		else
			return;
	}
}

static void put_signed(const struct output *out, struct spec *spec, s64 value)
{
	spec->negative = value < 0;
	put_number(out, spec, value < 0 ? -(u64)value : (u64)value, 'u');
}

void out_vprintf(const struct output *out, const char *format, va_list args)
{
	for (;; format++) {
		struct spec spec = { .precision = -1, .prefix = "" };
		const char *plain = format;
		bool is_long = false;

		while (*format && *format != '%')
			format++;
		emit(out, plain, (size_t)(format - plain));
		if (!*format++)
			return;

		parse_flags(&format, &spec);
		if (*format == '*') {
			spec.width = va_arg(args, int);
			format++;
		} else {
			spec.width = parse_count(&format);
		}
		if (*format == '.' && *++format == '*') {
			spec.precision = va_arg(args, int);
			format++;
		} else if (format[-1] == '.') {
			spec.precision = parse_count(&format);
		}
		/* long, long long and size_t have one width here. */
		for (; *format == 'l' || *format == 'z'; format++)
			is_long = true;

		switch (*format) {
		case '%':
			emit(out, "%", 1);
			break;
		case 'c':
			put_field(out, &spec, (char[]){ (char)va_arg(args, int) }, 1);
			break;
		case 's':
			put_string(out, &spec, va_arg(args, const char *));
			break;
		case 'd':
		case 'i':
			put_signed(out, &spec, is_long ? va_arg(args, s64) : va_arg(args, int));
			break;
		case 'u':
		case 'x':
		case 'X':
			put_number(out, &spec, is_long ? va_arg(args, u64) : va_arg(args, u32),
				   *format);
			break;
		case 'p':
			spec.prefix = "0x";
			put_number(out, &spec, (u64)(unsigned long)va_arg(args, void *), 'x');
			break;
		case '\0':
			return;
		default:
			emit(out, format - 1, 2);
		}
	}
}

void out_printf(const struct output *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	out_vprintf(out, format, args);
	va_end(args);
}

struct string_sink {
	char *buffer;
	size_t size, length;
};

static void string_write(void *context, const char *text, size_t length)
{
	struct string_sink *sink = context;

	for (size_t i = 0; i < length; i++, sink->length++)
		if (sink->length + 1 < sink->size)
			sink->buffer[sink->length] = text[i];
}

size_t str_printf(char *buffer, size_t size, const char *format, ...)
{
	struct string_sink sink = { buffer, size, 0 };
	struct output out = { string_write, &sink };
	va_list args;

	va_start(args, format);
	out_vprintf(&out, format, args);
	va_end(args);
	if (size)
		buffer[sink.length < size ? sink.length : size - 1] = '\0';
	return sink.length;
}

void out_decimal(const struct output *out, s128 value, u32 scale, u32 digits)
{
	char buffer[48];
	char *end = buffer + sizeof(buffer), *text;
	u128 magnitude = value < 0 ? -(u128)value : (u128)value, rem, unit = 1;
	u32 have;

	if (digits > scale)
		digits = scale;
	for (u32 i = digits; i < scale; i++)
		unit *= 10;
	magnitude = div_u128(magnitude + unit / 2, unit, &rem);
	text = digits_of(magnitude, 10, false, end);
	for (have = (u32)(end - text); have < digits + 1; have++)
		*--text = '0';
	if (value < 0 && magnitude)
		emit(out, "-", 1);
	emit(out, text, have - digits);
	if (digits) {
		emit(out, ".", 1);
		emit(out, text + have - digits, digits);
	}
}

void out_ns(const struct output *out, s64 fsec, u32 digits)
{
	out_decimal(out, fsec, 6, digits);
}
