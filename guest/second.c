// SPDX-License-Identifier: GPL-2.0-or-later
/* The machine's second CPU, started at a free page of low memory. */
#include "guest/second.h"
#include "arch/x86/second.h"

#define PAGE	  4096ULL
#define LOW_BELOW 0xa0000ULL /* where a PC's memory for its own purposes begins */

static const struct machine *machine;
static const struct boot_info *boot;

void guest_second_init(const struct machine *found, const struct boot_info *info)
{
	machine = found;
	boot = info;
}

/* The highest page of RAM below LOW_BELOW, but not the first page of all; 0: there is none. */
static u64 low_page(void)
{
	u64 page = 0;

	for (u32 i = 0; i < boot->memory_count; i++) {
		const struct boot_memory *memory = &boot->memory[i];
		u64 end = memory->base + memory->size;

		if (memory->type != BOOT_MEMORY_RAM || memory->base >= LOW_BELOW)
			continue;
		end = (end < LOW_BELOW ? end : LOW_BELOW) & ~(PAGE - 1);
		if (end > PAGE && end - PAGE >= memory->base && end - PAGE > page)
			page = end - PAGE;
	}
	return page;
}

static const char *start(void (*body)(void *context), void *context)
{
	enum second_error error = second_start(&machine->cpu, low_page(), body, context);

	return error ? second_strerror(error) : NULL;
}

const struct second_cpu guest_second = { .start = start, .join = second_join };
