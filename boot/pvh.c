// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Converts PVH's hand-over (Xen's public/arch-x86/hvm/start_info.h, version 1) to struct boot_info.
 * Assumes that the loader put its tables below 4 GiB, as a 32-bit entry implies. Invalid values of
 * the loader leave fields of boot_info empty; kernel_main() reports what is missing.
 */
#include "boot/boot.h"
#include "boot/pvh.h"
#include "lib/string.h"

#define START_MAGIC    0x336ec578U
#define MEMORY_MAX_PVH 1024U
#define E820_RAM       1U

struct start_info {
	u32 magic;
	u32 version;
	u32 flags;
	u32 module_count;
	u64 modules;
	u64 cmdline;
	u64 rsdp;
	/* version 1 and later */
	u64 memory_map;
	u32 memory_count;
	u32 reserved;
};

struct memory_entry {
	u64 base;
	u64 size;
	u32 type;
	u32 reserved;
};

static struct boot_info info;

static const void *low(u64 address)
{
	return address < 0x100000000ULL ? (const void *)address : NULL;
}

static void take_cmdline(const char *text)
{
	u32 i;

	if (!text)
		return;
	for (i = 0; i < BOOT_CMDLINE_MAX - 1 && text[i]; i++)
		info.cmdline[i] = text[i];
	info.cmdline_cut = text[i] != '\0';
}

static void take_memory(const struct memory_entry *entries, u32 count)
{
	u32 i;

	if (!entries || count > MEMORY_MAX_PVH)
		return;
	for (i = 0; i < count && info.memory_count < BOOT_MEMORY_MAX; i++) {
		struct boot_memory *memory = &info.memory[info.memory_count++];

		memory->base = entries[i].base;
		memory->size = entries[i].size;
		memory->type = entries[i].type == E820_RAM ? BOOT_MEMORY_RAM : BOOT_MEMORY_OTHER;
	}
}

void boot_pvh(const struct start_info *start)
{
	info.way = BOOT_PVH;
	if (start->magic == START_MAGIC) {
		info.rsdp = start->rsdp;
		take_cmdline(low(start->cmdline));
		if (start->version >= 1)
			take_memory(low(start->memory_map), start->memory_count);
	}
	kernel_main(&info);
}
