// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Page tables beyond those of boot/start.asm (SDM volume 3, chapter 4: four levels). Only the page
 * tables' memory type is set here. The firmware's MTRRs make devices uncached where it knows them,
 * and the stricter of the two types holds.
 */
#include "arch/x86/paging.h"
#include "arch/x86/cpu.h"

#define PRESENT	 0x001ULL
#define WRITABLE 0x002ULL
#define UNCACHED 0x018ULL /* PCD and PWT: page attribute 3, which is UC after reset */
#define LARGE	 0x080ULL
#define ADDRESS	 0x000ffffffffff000ULL

#define PAGE	   4096ULL
#define LARGE_PAGE (512 * PAGE)
#define ENTRIES	   512
#define TABLES	   24 /* the tables that can be added: enough for a dozen distant regions */

extern u64 boot_pml4[ENTRIES];

static u64 tables[TABLES][ENTRIES] __attribute__((aligned(4096)));
static u32 used;

static const char *const sentences[PAGING_ERRORS] = {
	[PAGING_OK] = "mapped",
	[PAGING_TOO_WIDE] = "the address is wider than this CPU's physical addresses",
	[PAGING_NO_TABLES] = "there are no page tables left to map it",
};

const char *paging_strerror(enum paging_error error)
{
	return error < PAGING_ERRORS ? sentences[error] : "unknown paging error";
}

static u32 physical_bits(void)
{
	static u32 bits;

	/* Read once: each CPUID exits to the hypervisor. */
	if (!bits)
		bits = cpuid(0x80000000, 0).eax < 0x80000008 ? 36 : cpuid(0x80000008, 0).eax & 0xff;
	return bits;
}

/*
 * The table that an entry points to; made if there is none. A large page is split into 512 equal
 * ones.
 */
static u64 *descend(u64 *entry)
{
	u64 *table, old = *entry;
	u32 i;

	if (old & PRESENT && !(old & LARGE))
		return (u64 *)(old & ADDRESS);
	if (used == TABLES)
		return NULL;
	table = tables[used++];
	/* Fresh tables are zero: .bss. */
	for (i = 0; old & PRESENT && i < ENTRIES; i++)
		table[i] = (old & ~LARGE) + i * PAGE;
	*entry = (u64)table | PRESENT | WRITABLE;
	return table;
}

/* Whether a present entry already has the requested mapping. */
static bool fits(u64 entry, enum cache_type cache)
{
	return entry & PRESENT &&
	       (cache == CACHE_ANY || !(entry & UNCACHED) == (cache == CACHE_WRITE_BACK));
}

static enum paging_error map_page(u64 physical, enum cache_type cache)
{
	u64 *table = boot_pml4, *entry;
	u32 level;

	for (level = 3; level; level--) {
		entry = &table[physical >> (12 + 9 * level) & (ENTRIES - 1)];
		if (level == 1 && *entry & LARGE && fits(*entry, cache))
			return PAGING_OK;
		table = descend(entry);
		if (!table)
			return PAGING_NO_TABLES;
	}
	entry = &table[physical >> 12 & (ENTRIES - 1)];
	if (!fits(*entry, cache))
		*entry = physical | PRESENT | WRITABLE | (cache == CACHE_OFF ? UNCACHED : 0);
	return PAGING_OK;
}

enum paging_error paging_map(u64 physical, u64 size, enum cache_type cache)
{
	u32 bits = physical_bits();
	u64 page = physical & ~(PAGE - 1), last = physical + (size - 1);
	enum paging_error error = PAGING_OK;

	/* One to one: the lower half of a 48-bit address space. */
	if (bits > 47)
		bits = 47;
	if (last < physical || last >> bits)
		return PAGING_TOO_WIDE;
	for (; page <= last && !error; page += PAGE)
		error = map_page(page, cache);
	/* Flushes the old entries from the TLB. */
	write_cr3(read_cr3());
	return error;
}
