// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The firmware's tables. They may hold anything: a length is bounded before a table is summed, and
 * memory is mapped before it is read.
 */
#include "arch/x86/acpi.h"
#include "arch/x86/cpu.h"
#include "arch/x86/paging.h"
#include "lib/string.h"

#define RSDP_SIZE_1 20
#define RSDP_SIZE_2 36
#define TABLE_MAX   (16u << 20)
/*
 * The most entries of a root table that are used. Firmware lists some tens. The limit bounds every
 * search.
 */
#define ENTRIES_MAX 256

/* The BIOS area, where a root pointer stands on a 16-byte boundary. */
#define BIOS_START 0xe0000
#define BIOS_END   0x100000

/* Offsets in the FADT. */
#define FADT_DSDT	  40
#define FADT_PM1A_CONTROL 64
#define FADT_PM1B_CONTROL 68
#define FADT_PM_TIMER	  76
#define FADT_PM_TIMER_LEN 91
#define FADT_FLAGS	  112
#define FADT_X_DSDT	  140
#define FADT_X_PM_TIMER	  208
#define FADT_SLEEP	  244 /* a generic address: the sleep control register, */
#define FADT_TIMER_32BIT  (1u << 8)
#define FADT_REDUCED	  (1u << 20) /* of hardware-reduced ACPI, which has no PM1 block */

#define HPET_ADDRESS                                                                \
	40 /* a generic address: space (0: memory) ... then 4 bytes on, the address \
	    */
#define GENERIC_ADDRESS 4

#define MADT_ENTRIES 44 /* where the first entry of a type and a length is */

#define PM1_SLEEP_ENABLE (1u << 13)

static const char *const sentences[ACPI_ERRORS] = {
	[ACPI_OK] = "no error",
	[ACPI_NO_ROOT] = "the firmware has no ACPI tables",
	[ACPI_BAD_ROOT] = "the ACPI root pointer is damaged",
	[ACPI_BAD_TABLE] = "an ACPI table has a wrong length or checksum",
	[ACPI_NO_TABLE] = "there is no such ACPI table",
	[ACPI_OUT_OF_REACH] = "an ACPI table lies beyond what the CPU can map",
};

static const u8 *root;
static u32 root_entries;
static u32 root_width; /* bytes of a pointer in it */

const char *acpi_strerror(enum acpi_error error)
{
	return error < ACPI_ERRORS ? sentences[error] : "unknown ACPI error";
}

u32 acpi_u32(const u8 *at)
{
	u32 value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static u64 read64(const u8 *at)
{
	u64 value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/*
 * The sum of bytes, modulo 256. It adds eight bytes at a time, because an emulated CPU is slow for
 * each instruction.
 */
static u8 sum(const u8 *bytes, u32 length)
{
	const u64 even = 0x00ff00ff00ff00ffULL;
	u64 lanes = 0;
	u8 total = 0;

	for (; length >= 8; length -= 8, bytes += 8) {
		u64 word = read64(bytes);

		/* Each 16-bit lane is taken modulo 256, so that it cannot spill over. */
		lanes = ((lanes & even) + (word & even) + (word >> 8 & even)) & even;
	}
	for (; lanes; lanes >>= 16)
		total += (u8)lanes;
	while (length--)
		total += *bytes++;
	return total;
}

static enum acpi_error check_table(u64 address, const u8 **table, u32 *length)
{
	const u8 *bytes = (const u8 *)address;

	if (!address)
		return ACPI_NO_TABLE;
	if (paging_map(address, ACPI_HEADER_SIZE, CACHE_ANY))
		return ACPI_OUT_OF_REACH;
	*length = acpi_u32(bytes + 4);
	if (*length < ACPI_HEADER_SIZE || *length > TABLE_MAX)
		return ACPI_BAD_TABLE;
	if (paging_map(address, *length, CACHE_ANY))
		return ACPI_OUT_OF_REACH;
	if (sum(bytes, *length))
		return ACPI_BAD_TABLE;
	*table = bytes;
	return ACPI_OK;
}

static bool is_root_pointer(const u8 *bytes)
{
	return memcmp(bytes, "RSD PTR ", 8) == 0 && sum(bytes, RSDP_SIZE_1) == 0;
}

static u64 scan_for_root_pointer(void)
{
	u64 at;

	for (at = BIOS_START; at + RSDP_SIZE_1 <= BIOS_END; at += 16) {
		if (is_root_pointer((const u8 *)at))
			return at;
	}
	return 0;
}

enum acpi_error acpi_init(u64 rsdp)
{
	const u8 *pointer;
	enum acpi_error error;
	u64 address = 0;
	u32 length;

	root = NULL;
	if (!rsdp)
		rsdp = scan_for_root_pointer();
	if (!rsdp)
		return ACPI_NO_ROOT;
	if (paging_map(rsdp, RSDP_SIZE_2, CACHE_ANY))
		return ACPI_OUT_OF_REACH;
	pointer = (const u8 *)rsdp;
	if (!is_root_pointer(pointer))
		return ACPI_BAD_ROOT;
	root_width = 8;
	if (pointer[15] >= 2 && sum(pointer, RSDP_SIZE_2) == 0)
		address = read64(pointer + 24);
	if (!address) {
		root_width = 4;
		address = acpi_u32(pointer + 16);
	}
	error = check_table(address, &root, &length);
	if (error)
		return error;
	root_entries = (length - ACPI_HEADER_SIZE) / root_width;
	if (root_entries > ENTRIES_MAX)
		root_entries = ENTRIES_MAX;
	return ACPI_OK;
}

/* The address in the root's entry `i`. */
static u64 root_entry(u32 i)
{
	const u8 *at = root + ACPI_HEADER_SIZE + i * root_width;

	return root_width == 8 ? read64(at) : acpi_u32(at);
}

static enum acpi_error dsdt(const u8 **table, u32 *length)
{
	enum acpi_error error;
	const u8 *fadt;
	u32 size;
	u64 address = 0;

	error = acpi_table("FACP", 0, &fadt, &size);
	if (error)
		return error;
	if (size >= FADT_X_DSDT + 8)
		address = read64(fadt + FADT_X_DSDT);
	if (!address && size >= FADT_DSDT + 4)
		address = acpi_u32(fadt + FADT_DSDT);
	return check_table(address, table, length);
}

enum acpi_error acpi_table(const char *signature, u32 index, const u8 **table, u32 *length)
{
	u32 i;

	if (!root)
		return ACPI_NO_ROOT;
	if (memcmp(signature, "DSDT", 4) == 0)
		return index ? ACPI_NO_TABLE : dsdt(table, length);
	for (i = 0; i < root_entries; i++) {
		u64 address = root_entry(i);

		if (!address || paging_map(address, ACPI_HEADER_SIZE, CACHE_ANY))
			continue;
		if (memcmp((const u8 *)address, signature, 4) == 0 && index-- == 0)
			return check_table(address, table, length);
	}
	return ACPI_NO_TABLE;
}

enum acpi_error acpi_madt(struct acpi_madt *madt)
{
	madt->at = MADT_ENTRIES;
	return acpi_table("APIC", 0, &madt->table, &madt->size);
}

const u8 *acpi_madt_next(struct acpi_madt *madt, u32 *length)
{
	const u8 *entry = madt->table + madt->at;

	if (madt->at + 2 > madt->size)
		return NULL;
	*length = entry[1];
	if (*length < 2 || *length > madt->size - madt->at) {
		madt->at = madt->size;
		return NULL;
	}
	madt->at += *length;
	return entry;
}

/* Searches one table. Keeps the first error that is not AML_NO_DEVICE. */
static enum aml_error search(const char *signature, u32 index, const char *id,
			     struct aml_region *region, enum aml_error *result,
			     enum acpi_error *damaged)
{
	enum aml_error error;
	const u8 *table;
	u32 length;
	enum acpi_error acpi = acpi_table(signature, index, &table, &length);

	if (acpi) {
		if (acpi != ACPI_NO_TABLE && damaged)
			*damaged = acpi;
		return AML_NO_DEVICE;
	}
	error = aml_find_device(table, length, id, region);
	if (*result == AML_NO_DEVICE)
		*result = error;
	return error;
}

enum aml_error acpi_find_device(const char *id, struct aml_region *region, enum acpi_error *damaged)
{
	enum aml_error result = AML_NO_DEVICE;
	const u32 tables = root ? root_entries : 0;
	u32 i;

	if (damaged)
		*damaged = root ? ACPI_OK : ACPI_NO_ROOT;
	for (i = 0; i < tables; i++) {
		if (search("SSDT", i, id, region, &result, damaged) == AML_OK)
			return AML_OK;
	}
	if (search("DSDT", 0, id, region, &result, damaged) == AML_OK)
		return AML_OK;
	return result;
}

u32 acpi_find_devices(const char *id, struct aml_region *regions, u32 max)
{
	enum aml_error result = AML_NO_DEVICE;
	const u32 tables = root ? root_entries : 0;
	u32 found = 0;

	for (u32 i = 0; i < tables && found < max; i++)
		found += search("SSDT", i, id, &regions[found], &result, NULL) == AML_OK;
	if (found < max)
		found += search("DSDT", 0, id, &regions[found], &result, NULL) == AML_OK;
	return found;
}

enum aml_error acpi_find_interrupt(const char *id, struct aml_interrupt *interrupt)
{
	const u32 tables = root ? root_entries : 0;
	enum aml_error error;
	const u8 *table;
	u32 i, length;

	for (i = 0; i <= tables; i++) {
		if (acpi_table(i < tables ? "SSDT" : "DSDT", i < tables ? i : 0, &table, &length))
			continue;
		error = aml_find_interrupt(table, length, id, interrupt);
		if (error != AML_NO_DEVICE)
			return error;
	}
	return AML_NO_DEVICE;
}

struct acpi_pm_timer acpi_pm_timer(void)
{
	struct acpi_pm_timer timer = { 0, 24 };
	const u8 *fadt;
	u64 port = 0;
	u32 size;

	if (acpi_table("FACP", 0, &fadt, &size) || size < FADT_FLAGS + 4)
		return timer;
	if (fadt[FADT_PM_TIMER_LEN] == 4)
		port = acpi_u32(fadt + FADT_PM_TIMER);
	/* The extended address, if it is in I/O space. */
	if (size >= FADT_X_PM_TIMER + 12 && fadt[FADT_X_PM_TIMER] == 1 &&
	    read64(fadt + FADT_X_PM_TIMER + GENERIC_ADDRESS))
		port = read64(fadt + FADT_X_PM_TIMER + GENERIC_ADDRESS);
	if (port > 0xffff)
		port = 0;
	if (acpi_u32(fadt + FADT_FLAGS) & FADT_TIMER_32BIT)
		timer.width = 32;
	timer.port = (u16)port;
	return timer;
}

u64 acpi_hpet(void)
{
	const u8 *table;
	u32 size;

	if (acpi_table("HPET", 0, &table, &size) || size < HPET_ADDRESS + 12 ||
	    table[HPET_ADDRESS] != 0)
		return 0;
	return read64(table + HPET_ADDRESS + GENERIC_ADDRESS);
}

/* The sleep control register of hardware-reduced ACPI: SLP_TYP in bits 2 to 4, SLP_EN in bit 5. */
static void reduced_soft_off(const u8 *fadt, u32 size, u8 type)
{
	u64 port;

	if (size < FADT_SLEEP + 12 || fadt[FADT_SLEEP] != 1)
		return;
	port = read64(fadt + FADT_SLEEP + GENERIC_ADDRESS);
	if (port && port <= 0xffff)
		outb((u16)port, (u8)(type << 2 | 1 << 5));
}

void acpi_soft_off(void)
{
	const u8 *fadt, *table;
	u32 size, length, a, b;
	u8 type_a, type_b;

	if (acpi_table("FACP", 0, &fadt, &size) || size < FADT_FLAGS + 4 || dsdt(&table, &length) ||
	    !aml_find_soft_off(table, length, &type_a, &type_b))
		return;
	if (acpi_u32(fadt + FADT_FLAGS) & FADT_REDUCED) {
		reduced_soft_off(fadt, size, type_a);
		return;
	}
	a = acpi_u32(fadt + FADT_PM1A_CONTROL);
	b = acpi_u32(fadt + FADT_PM1B_CONTROL);
	if (a && a <= 0xffff)
		outw((u16)a, (u16)(type_a << 10 | PM1_SLEEP_ENABLE));
	if (b && b <= 0xffff)
		outw((u16)b, (u16)(type_b << 10 | PM1_SLEEP_ENABLE));
}
