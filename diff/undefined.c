// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The runtime of -fsanitize=undefined, as far as its calls go: each is given a struct that begins
 * with the place in the source. A place is noted once, and counted.
 */
#include "diff/undefined.h"
#include "lib/types.h"

struct place {
	const char *file;
	u32 line, column;
};

#define FINDS 64 /* places; further ones are counted together as the last */

static struct find {
	const char *what;
	struct place place;
	u64 count;
} finds[FINDS];

static void note(const char *what, const struct place *place)
{
	struct find *find = finds;

	/* A name stands for itself: the compilers merge equal strings of one unit. */
	while (find->what && find != &finds[FINDS - 1] &&
	       (find->place.file != place->file || find->place.line != place->line ||
		find->place.column != place->column))
		find++;
	if (!find->what)
		*find = (struct find){ .what = what, .place = *place };
	find->count++;
}

#define HANDLER(name, what)                                   \
	void __ubsan_handle_##name(const struct place *data); \
	void __ubsan_handle_##name(const struct place *data)  \
	{                                                     \
		note(what, data);                             \
	}

HANDLER(add_overflow, "a sum overflows")
HANDLER(sub_overflow, "a difference overflows")
HANDLER(mul_overflow, "a product overflows")
HANDLER(negate_overflow, "a negation overflows")
HANDLER(divrem_overflow, "a division by 0, or one that overflows")
HANDLER(shift_out_of_bounds, "a shift by a negative or too large count, or out of the type")
HANDLER(out_of_bounds, "an index out of its array")
HANDLER(type_mismatch_v1, "an access by a null or misaligned pointer, or out of the object")
HANDLER(alignment_assumption, "an alignment that was promised is not there")
HANDLER(vla_bound_not_positive, "an array of length 0 or less")
HANDLER(load_invalid_value, "a value that its type does not have")
HANDLER(pointer_overflow, "a pointer overflows")
HANDLER(nonnull_arg, "a null argument")
HANDLER(builtin_unreachable, "a place is reached that must not be")
HANDLER(missing_return, "no value is returned")
HANDLER(invalid_builtin, "a builtin function is given 0")
HANDLER(function_type_mismatch, "a function is called by another type")
HANDLER(float_cast_overflow, "a conversion overflows")

/* The only one whose place is its second argument. */
void __ubsan_handle_nonnull_return_v1(const void *data, const struct place *place);
void __ubsan_handle_nonnull_return_v1(const void *data, const struct place *place)
{
	(void)data;
	note("null is returned", place);
}

void undefined_print(FILE *to)
{
	fputc('[', to);
	for (const struct find *find = finds; find != &finds[FINDS] && find->what; find++)
		fprintf(to,
			"%s{\"what\": \"%s\", \"file\": \"%s\", \"line\": %u, \"column\": %u, "
			"\"count\": %llu}",
			find == finds ? "" : ", ", find->what, find->place.file, find->place.line,
			find->place.column, find->count);
	fputc(']', to);
}
