// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs the AML reader on a whole table that may hold anything. Its work is bounded by the table's
 * length, so an input that libFuzzer reports as slow is a finding too.
 */
#include "arch/x86/aml.h"
#include "fuzz/fuzz.h"

static void find(const u8 *table, u32 length, const char *id)
{
	struct aml_region region;
	enum aml_error error;

	memset(&region, 0xa5, sizeof(region));
	error = aml_find_device(table, length, id, &region);
	fuzz_check(error < AML_ERRORS && aml_strerror(error)[0], "every answer has a sentence");
	if (!error)
		fuzz_check(region.size && region.base + (region.size - 1) >= region.base,
			   "an impossible region was accepted");
}

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size)
{
	struct fuzz_input input = { bytes, bytes + size };
	u8 *table = fuzz_rest(&input), a = 0, b = 0;

	find(table, (u32)size, "VMCLOCK");
	find(table, (u32)size, "TBMB0001");
	if (aml_find_soft_off(table, (u32)size, &a, &b))
		fuzz_check(a < 8 && b < 8, "a sleep type has three bits");
	free(table);
	return 0;
}
