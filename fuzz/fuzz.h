/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every fuzz target shares: a cursor over the fuzzer's bytes, and a check that ends the
 * process. Each target defines LLVMFuzzerTestOneInput(), which libFuzzer calls with one input.
 */
#ifndef TB_FUZZ_FUZZ_H
#define TB_FUZZ_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/types.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size);

/* Ends the process with the sentence: libFuzzer then keeps the input. */
#define fuzz_check(condition, sentence)                                                 \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, (sentence)); \
			abort();                                                        \
		}                                                                       \
	} while (0)

struct fuzz_input {
	const u8 *at;
	const u8 *end;
};

/*
 * Reads the next `count` bytes (0 to 8) as a little-endian number; bytes beyond the input are zero.
 */
static inline u64 fuzz_take(struct fuzz_input *input, u32 count)
{
	u64 value = 0;

	for (u32 i = 0; i < count && input->at < input->end; i++)
		value |= (u64)*input->at++ << (8 * i);
	return value;
}

static inline size_t fuzz_left(const struct fuzz_input *input)
{
	return (size_t)(input->end - input->at);
}

/* Copies the rest into a heap block of exactly its length, so that a read beyond it is detected. */
static inline u8 *fuzz_rest(const struct fuzz_input *input)
{
	size_t length = fuzz_left(input);
	u8 *copy = malloc(length ? length : 1);

	if (!copy)
		abort();
	if (length)
		memcpy(copy, input->at, length);
	return copy;
}

#endif
