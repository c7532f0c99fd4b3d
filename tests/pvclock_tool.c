// SPDX-License-Identifier: GPL-2.0-or-later
/* kvmclock's arithmetic: of the five words tsc_timestamp, system_time, mul, shift and counter it
 * prints the time in seconds and units of 2^-64 s, and the frequency of the TSC. */
#include <stdio.h>
#include <stdlib.h>

#include "arch/x86/pvclock.h"

int main(int argc, char **argv)
{
	struct pvclock_page page = { .version = 2 };
	instant time;

	if (argc != 6)
		return 2;
	page.tsc_timestamp = strtoull(argv[1], NULL, 10);
	page.system_time = strtoull(argv[2], NULL, 10);
	page.mul = (u32)strtoull(argv[3], NULL, 10);
	page.shift = (s8)atoi(argv[4]);
	time = pvclock_time(&page, strtoull(argv[5], NULL, 10));
	printf("%lld %llu %llu\n", (s64)(time >> 64), (u64)time, pvclock_page_hz(&page));
	return 0;
}
