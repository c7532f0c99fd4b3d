// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The walk through the firmware's tables, from the root pointer to the I/O APICs. The input is
 * copied to low memory at FUZZ_ACPI_BASE. Memory that the code has not mapped with paging_map() is
 * poisoned, so that a read of it is detected. Ports and page tables are this file's own.
 *
 * One byte of flags comes first. FLAG_SCAN puts the root pointer into the BIOS area. FLAG_REPAIR
 * corrects the checksums, which a fuzzer would hardly ever guess.
 */
#include <sanitizer/asan_interface.h>
#include <sys/mman.h>

#include "fuzz/fuzz.h"

/* Replaces arch/x86/cpu.h, whose instructions a process may not use. */
#define TB_ARCH_X86_CPU_H
static inline void outb(u16 port, u8 value)
{
	(void)port;
	(void)value;
}

static inline void outw(u16 port, u16 value)
{
	(void)port;
	(void)value;
}

/* The sources are included, so that they use the replacements above. */
#include "arch/x86/acpi.c"
#include "arch/x86/pic.c"

#define FUZZ_ACPI_BASE 0x10000000ULL
#define FUZZ_ACPI_SIZE 0x10000ULL
#define FLAG_SCAN      1
#define FLAG_REPAIR    2

/* The most mappings that one walk may request: each access to a table is one. */
#define MAPS_MAX 200000

static u8 *const window = (u8 *)FUZZ_ACPI_BASE;
static u64 maps;

static bool within(u64 address, u64 size)
{
	return address >= FUZZ_ACPI_BASE && size <= FUZZ_ACPI_SIZE &&
	       address - FUZZ_ACPI_BASE <= FUZZ_ACPI_SIZE - size;
}

enum paging_error paging_map(u64 physical, u64 size, enum cache_type cache)
{
	(void)cache;
	fuzz_check(size, "nothing is asked to be mapped");
	fuzz_check(++maps <= MAPS_MAX, "the walk takes too long");
	if (physical >= BIOS_START && physical < BIOS_END && size <= BIOS_END - physical)
		return PAGING_OK;
	if (!within(physical, size))
		return PAGING_TOO_WIDE;
	ASAN_UNPOISON_MEMORY_REGION((u8 *)physical, size);
	return PAGING_OK;
}

void interrupt_handler_set(u32 vector, void (*handler)(void))
{
	fuzz_check(vector < VECTOR_COUNT && handler, "a handler for no vector");
}

static void repair(u8 *table, u32 length, u32 at)
{
	table[at] = (u8)(table[at] - sum(table, length));
}

static void repair_table(u64 address)
{
	u32 length;

	if (!within(address, ACPI_HEADER_SIZE))
		return;
	length = acpi_u32((const u8 *)address + 4);
	if (length >= ACPI_HEADER_SIZE && within(address, length))
		repair((u8 *)address, length, 9);
}

/*
 * The root's checksum is corrected last: a correction of a table inside another would break that
 * one's checksum.
 */
static void repair_all(u8 *rsdp)
{
	u64 xsdt = read64(rsdp + 24), at;
	u32 rsdt = acpi_u32(rsdp + 16);
	u64 listed = rsdp[15] >= 2 && xsdt ? xsdt : rsdt;
	u32 width = listed == xsdt ? 8 : 4, i;

	for (i = 0; i < 16; i++) {
		u64 entry = listed + ACPI_HEADER_SIZE + i * width;

		if (!within(entry, width))
			break;
		at = width == 8 ? read64((const u8 *)entry) : acpi_u32((const u8 *)entry);
		if (within(at, FADT_DSDT + 4) && !memcmp((const u8 *)at, "FACP", 4))
			repair_table(acpi_u32((const u8 *)at + FADT_DSDT));
		repair_table(at);
	}
	repair_table(listed);
	repair(rsdp, RSDP_SIZE_1, 8);
	repair(rsdp, RSDP_SIZE_2, 32);
}

static void map_window(void)
{
	static bool mapped;
	u64 bios = BIOS_START;

	if (mapped)
		return;
	if (mmap(window, FUZZ_ACPI_SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED ||
	    mmap((void *)bios, BIOS_END - BIOS_START, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED) {
		perror("mmap of low memory");
		exit(2);
	}
	mapped = true;
}

static void walk(u64 rsdp)
{
	struct acpi_pm_timer timer;
	struct aml_region region;
	enum acpi_error damaged, error;
	enum aml_error found;

	maps = 0;
	error = acpi_init(rsdp);
	found = acpi_find_device("VMCLOCK", &region, &damaged);
	fuzz_check(acpi_strerror(error)[0] && aml_strerror(found)[0], "an answer has a sentence");
	if (error)
		fuzz_check(found == AML_NO_DEVICE, "a device without a root");
	timer = acpi_pm_timer();
	fuzz_check(timer.width == 24 || timer.width == 32, "a timer of another width");
	acpi_hpet();
	pic_silence();
	acpi_soft_off();
}

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size)
{
	struct fuzz_input input = { bytes, bytes + size };
	u8 flags = (u8)fuzz_take(&input, 1), *bios;
	size_t length = fuzz_left(&input);

	map_window();
	bios = (u8 *)(BIOS_START + 16 * fuzz_take(&input, flags & FLAG_SCAN ? 1 : 0));
	ASAN_UNPOISON_MEMORY_REGION(window, FUZZ_ACPI_SIZE);
	memset(window, 0, FUZZ_ACPI_SIZE);
	length = fuzz_left(&input) < FUZZ_ACPI_SIZE ? fuzz_left(&input) : FUZZ_ACPI_SIZE;
	if (length)
		memcpy(window, input.at, length);
	if (flags & FLAG_REPAIR)
		repair_all(window);
	memcpy(bios, window, flags & FLAG_SCAN ? RSDP_SIZE_2 : 0);
	ASAN_POISON_MEMORY_REGION(window, FUZZ_ACPI_SIZE);
	walk(flags & FLAG_SCAN ? 0 : FUZZ_ACPI_BASE);
	memset(bios, 0, RSDP_SIZE_2);
	return 0;
}
