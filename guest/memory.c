// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claims memory from the map that the boot path handed over. The image itself is in one of its
 * ranges, near the bottom. A claim is taken from the top, and refused if it would overlap the
 * image.
 */
#include "guest/memory.h"
#include "arch/x86/paging.h"

extern const u8 bss_end[];

void *memory_claim(struct boot_info *boot, u64 size)
{
	struct boot_memory *largest = NULL;
	u64 bottom, start;
	u32 i;

	size = (size + 15) & ~15ULL;
	for (i = 0; i < boot->memory_count; i++) {
		struct boot_memory *memory = &boot->memory[i];

		if (memory->type == BOOT_MEMORY_RAM && (!largest || memory->size > largest->size))
			largest = memory;
	}
	if (!largest || largest->size < size)
		return NULL;
	bottom = largest->base > (u64)bss_end ? largest->base : (u64)bss_end;
	start = (largest->base + largest->size - size) & ~15ULL;
	if (start < bottom || paging_map(start, size, CACHE_ANY))
		return NULL;
	largest->size = start - largest->base;
	return (void *)start;
}
