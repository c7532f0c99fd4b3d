// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The UEFI boot path: a program that the firmware runs, with the kernel's flat image in it. It
 * gathers struct boot_info, ends boot services and hands over. Requires that the firmware does not
 * keep the memory at 1 MiB that the kernel is linked for; otherwise it ends with an error.
 */
#include <efi.h>

#include "boot/boot.h"
#include "boot/kernel.h"

#define BELOW_4G    0xffffffffULL
#define PAGE	    4096ULL
#define TABLE_PAGES 6 /* one PML4, one PDPT, and four page directories for 4 GiB in 2 MiB pages */
#define TABLE_ENTRY 0x03ULL
#define LARGE_ENTRY 0x83ULL
#define CR4_LA57    (1ULL << 12)
#define EXIT_TRIES  8
#define MAP_SLACK   8 /* descriptors that the map may still grow by */

#define COMMAND_FILE L"\\tickbench.cmd"

typedef void jump_function(u64 tables, const void *from, u64 to, u64 words, struct boot_info *info);

extern const u8 kernel_image[], kernel_image_end[];
extern const u8 efi_jump[], efi_jump_end[];

static EFI_SYSTEM_TABLE *system;
static EFI_BOOT_SERVICES *services;

static EFI_GUID loaded_image_guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
static EFI_GUID file_system_guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
static EFI_GUID graphics_guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
static EFI_GUID acpi_1_guid = ACPI_TABLE_GUID;
static EFI_GUID acpi_2_guid = ACPI_20_TABLE_GUID;

/* What is handed over, in pages that do not overlap the kernel's destination. */
struct hand_over {
	u8 jump[PAGE];
	u64 tables[TABLE_PAGES][PAGE / 8];
	struct boot_info info;
	u8 kernel[] __attribute__((aligned(16)));
};

/* Not static: the compiler may call it for a struct's copy. */
void *memcpy(void *to, const void *from, size_t length);
void *memset(void *to, int byte, size_t length);

void *memcpy(void *to, const void *from, size_t length)
{
	void *target = to;

	asm volatile("rep movsb" : "+D"(target), "+S"(from), "+c"(length) : : "memory");
	return to;
}

void *memset(void *to, int byte, size_t length)
{
	void *target = to;

	asm volatile("rep stosb" : "+D"(target), "+c"(length) : "a"(byte) : "memory");
	return to;
}

static bool same(const void *a, const void *b, size_t length)
{
	const u8 *x = a, *y = b;

	while (length && *x == *y)
		x++, y++, length--;
	return !length;
}

static void say(const CHAR16 *text)
{
	if (system->ConOut)
		system->ConOut->OutputString(system->ConOut, (CHAR16 *)text);
}

static EFI_STATUS refuse(const CHAR16 *why, EFI_STATUS status)
{
	say(L"tickbench: ");
	say(why);
	say(L"\r\n");
	return status;
}

static u64 find_rsdp(void)
{
	u64 rsdp = 0;
	UINTN i;

	for (i = 0; i < system->NumberOfTableEntries; i++) {
		EFI_CONFIGURATION_TABLE *table = &system->ConfigurationTable[i];

		if (same(&table->VendorGuid, &acpi_2_guid, sizeof(EFI_GUID)))
			return (u64)table->VendorTable;
		if (same(&table->VendorGuid, &acpi_1_guid, sizeof(EFI_GUID)))
			rsdp = (u64)table->VendorTable;
	}
	return rsdp;
}

static void find_screen(struct boot_screen *screen)
{
	EFI_GRAPHICS_OUTPUT_PROTOCOL *graphics;
	EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode;

	if (EFI_ERROR(services->LocateProtocol(&graphics_guid, NULL, (void **)&graphics)))
		return;
	mode = graphics->Mode->Info;
	/* 32 bits a pixel in either order of colours: black and white are the same in both. */
	if (mode->PixelFormat != PixelRedGreenBlueReserved8BitPerColor &&
	    mode->PixelFormat != PixelBlueGreenRedReserved8BitPerColor)
		return;
	screen->base = graphics->Mode->FrameBufferBase;
	screen->width = mode->HorizontalResolution;
	screen->height = mode->VerticalResolution;
	screen->stride = mode->PixelsPerScanLine;
}

/*
 * The command line is words and blanks: line ends become blanks, and a byte order mark is removed.
 */
static void tidy(char *text, size_t length)
{
	size_t from = length >= 3 && same(text, "\xef\xbb\xbf", 3) ? 3 : 0, to = 0;

	for (; from < length && text[from]; from++)
		text[to++] = text[from] < ' ' ? ' ' : text[from];
	text[to] = '\0';
}

/* From the file at the root of the boot volume. */
static bool read_command_file(EFI_LOADED_IMAGE *image, struct boot_info *info)
{
	char beyond;
	UINTN one = 1;
	EFI_FILE_IO_INTERFACE *file_system;
	EFI_FILE_HANDLE root, file;
	UINTN length = BOOT_CMDLINE_MAX - 1;
	EFI_STATUS status;

	if (EFI_ERROR(services->HandleProtocol(image->DeviceHandle, &file_system_guid,
					       (void **)&file_system)) ||
	    EFI_ERROR(file_system->OpenVolume(file_system, &root)))
		return false;
	status = root->Open(root, &file, COMMAND_FILE, EFI_FILE_MODE_READ, 0);
	root->Close(root);
	if (EFI_ERROR(status))
		return false;
	status = file->Read(file, &length, info->cmdline);
	if (EFI_ERROR(status))
		length = 0;
	info->cmdline_cut = length == BOOT_CMDLINE_MAX - 1 &&
			    !EFI_ERROR(file->Read(file, &one, &beyond)) && one;
	file->Close(file);
	tidy(info->cmdline, length);
	return !EFI_ERROR(status);
}

/*
 * Takes the command line from the load options, if they are text. Those of a shell begin with the
 * program's own name; those of a boot entry may be anything.
 */
static void read_load_options(EFI_LOADED_IMAGE *image, struct boot_info *info)
{
	const CHAR16 *options = image->LoadOptions;
	UINTN count = image->LoadOptionsSize / sizeof(CHAR16), i, first = 0;
	bool in_first = true, value = false;

	if (!options)
		return;
	for (i = 0; i < count && options[i]; i++) {
		if (options[i] < ' ' || options[i] > '~')
			return;
		in_first &= options[i] != ' ';
		value |= in_first && options[i] == '=';
		if (in_first && i + 1 < count)
			first = i + 1;
	}
	if (value)
		first = 0;
	for (count = i, i = 0; first + i < count && i < BOOT_CMDLINE_MAX - 1; i++)
		info->cmdline[i] = (char)options[first + i];
	info->cmdline[i] = '\0';
	info->cmdline_cut = first + i < count;
}

static void read_command_line(EFI_HANDLE handle, struct boot_info *info)
{
	EFI_LOADED_IMAGE *image;

	if (EFI_ERROR(services->HandleProtocol(handle, &loaded_image_guid, (void **)&image)))
		return;
	if (!read_command_file(image, info))
		read_load_options(image, info);
}

static bool overlaps(u64 base, u64 size, const struct kernel_header *kernel)
{
	return base < kernel->bss_end && base + size > kernel->image_start;
}

/* Pages below 4 GiB that do not lie where the kernel goes. Those that do are kept, so that the next
 * try finds others; boot services end soon. */
static struct hand_over *allocate(u64 size, const struct kernel_header *kernel)
{
	EFI_PHYSICAL_ADDRESS address;
	u32 tries;

	for (tries = 0; tries < 64; tries++) {
		address = BELOW_4G;
		if (EFI_ERROR(services->AllocatePages(AllocateMaxAddress, EfiLoaderCode,
						      (size + PAGE - 1) / PAGE, &address)))
			return NULL;
		if (!overlaps(address, size, kernel))
			return (struct hand_over *)address;
	}
	return NULL;
}

static bool is_free(UINT32 type)
{
	return type == EfiConventionalMemory || type == EfiBootServicesCode ||
	       type == EfiBootServicesData || type == EfiLoaderCode || type == EfiLoaderData;
}

struct memory_map {
	u8 *bytes;
	UINTN capacity, size, key, step;
};

static bool get_map(struct memory_map *map)
{
	UINT32 version;

	map->size = map->capacity;
	return !EFI_ERROR(services->GetMemoryMap(&map->size, (EFI_MEMORY_DESCRIPTOR *)map->bytes,
						 &map->key, &map->step, &version));
}

static bool allocate_map(struct memory_map *map)
{
	UINT32 version;

	map->size = 0;
	services->GetMemoryMap(&map->size, NULL, &map->key, &map->step, &version);
	map->capacity = map->size + MAP_SLACK * map->step;
	return !EFI_ERROR(
		services->AllocatePool(EfiLoaderData, map->capacity, (void **)&map->bytes));
}

static const EFI_MEMORY_DESCRIPTOR *descriptor(const struct memory_map *map, UINTN i)
{
	return (const EFI_MEMORY_DESCRIPTOR *)(map->bytes + i * map->step);
}

/* Whether the kernel's destination is free once boot services have ended. */
static bool place_is_free(const struct memory_map *map, const struct kernel_header *kernel)
{
	u64 covered = 0;
	UINTN i;

	for (i = 0; i < map->size / map->step; i++) {
		const EFI_MEMORY_DESCRIPTOR *d = descriptor(map, i);
		u64 start = d->PhysicalStart, end = start + d->NumberOfPages * PAGE;

		if (!is_free(d->Type) || !overlaps(start, end - start, kernel))
			continue;
		start = start > kernel->image_start ? start : kernel->image_start;
		end = end < kernel->bss_end ? end : kernel->bss_end;
		covered += end - start;
	}
	return covered == kernel->bss_end - kernel->image_start;
}

static void add_memory(struct boot_info *info, u64 base, u64 end, u32 type)
{
	struct boot_memory *last =
		info->memory_count ? &info->memory[info->memory_count - 1] : NULL;

	if (base >= end)
		return;
	if (last && last->type == type && last->base + last->size == base)
		last->size += end - base;
	else if (info->memory_count < BOOT_MEMORY_MAX)
		info->memory[info->memory_count++] =
			(struct boot_memory){ base, end - base, type, 0 };
}

static void take_memory(struct boot_info *info, const struct memory_map *map, u64 ours,
			u64 ours_end)
{
	UINTN i;

	for (i = 0; i < map->size / map->step; i++) {
		const EFI_MEMORY_DESCRIPTOR *d = descriptor(map, i);
		u64 start = d->PhysicalStart, end = start + d->NumberOfPages * PAGE;

		if (!is_free(d->Type)) {
			add_memory(info, start, end, BOOT_MEMORY_OTHER);
		} else if (end <= ours || start >= ours_end) {
			add_memory(info, start, end, BOOT_MEMORY_RAM);
		} else {
			/* Leaves out what is handed over, since the kernel still reads it. */
			add_memory(info, start, ours, BOOT_MEMORY_RAM);
			add_memory(info, ours, ours_end, BOOT_MEMORY_OTHER);
			add_memory(info, ours_end, end, BOOT_MEMORY_RAM);
		}
	}
}

/* Maps the first 4 GiB one to one: everything that the jump accesses. */
static void build_tables(u64 tables[TABLE_PAGES][PAGE / 8])
{
	u32 i;

	memset(tables, 0, 2 * PAGE);
	tables[0][0] = (u64)tables[1] | TABLE_ENTRY;
	for (i = 0; i < 4; i++)
		tables[1][i] = (u64)tables[2 + i] | TABLE_ENTRY;
	for (i = 0; i < 4 * 512; i++)
		tables[2][i] = ((u64)i << 21) | LARGE_ENTRY;
}

static bool five_levels(void)
{
	u64 cr4;

	asm volatile("mov %%cr4, %0" : "=r"(cr4));
	return cr4 & CR4_LA57;
}

/*
 * After a first failed ExitBootServices(), only these two calls are allowed, so no more memory for
 * the map can be allocated.
 */
static bool exit_boot_services(EFI_HANDLE handle, struct memory_map *map)
{
	u32 tries;

	for (tries = 0; tries < EXIT_TRIES; tries++) {
		if (!get_map(map))
			return false;
		if (!EFI_ERROR(services->ExitBootServices(handle, map->key)))
			return true;
	}
	return false;
}

EFI_STATUS efi_main(EFI_HANDLE handle, EFI_SYSTEM_TABLE *table);

EFI_STATUS efi_main(EFI_HANDLE handle, EFI_SYSTEM_TABLE *table)
{
	const struct kernel_header *kernel = (const struct kernel_header *)kernel_image;
	u64 kernel_size = (u64)(kernel_image_end - kernel_image);
	u64 size = sizeof(struct hand_over) + kernel_size + 8;
	struct hand_over *ours;
	struct memory_map map;

	system = table;
	services = table->BootServices;
	if (!same(kernel->magic, KERNEL_MAGIC, sizeof(kernel->magic)))
		return refuse(L"the kernel image in this file is damaged", EFI_LOAD_ERROR);
	if (five_levels())
		return refuse(L"the firmware uses five-level paging: turn it off in its setup",
			      EFI_UNSUPPORTED);
	ours = allocate(size, kernel);
	if (!ours)
		return refuse(L"there is no memory below 4 GiB", EFI_OUT_OF_RESOURCES);

	memset(&ours->info, 0, sizeof(ours->info));
	ours->info.way = BOOT_UEFI;
	ours->info.rsdp = find_rsdp();
	find_screen(&ours->info.screen);
	read_command_line(handle, &ours->info);
	memcpy(ours->jump, efi_jump, (size_t)(efi_jump_end - efi_jump));
	memcpy(ours->kernel, kernel_image, kernel_size);
	build_tables(ours->tables);

	if (!allocate_map(&map) || !get_map(&map))
		return refuse(L"the firmware gives no memory map", EFI_LOAD_ERROR);
	if (!place_is_free(&map, kernel))
		return refuse(L"the firmware keeps the memory at 1 MiB that the kernel needs",
			      EFI_LOAD_ERROR);
	if (!exit_boot_services(handle, &map))
		return refuse(L"the firmware refuses to end boot services", EFI_LOAD_ERROR);
	take_memory(&ours->info, &map, (u64)ours, ((u64)ours + size + PAGE - 1) & ~(PAGE - 1));
	((jump_function *)(u64)ours->jump)((u64)ours->tables, ours->kernel, kernel->image_start,
					   (kernel_size + 7) / 8, &ours->info);
	return EFI_LOAD_ERROR;
}
