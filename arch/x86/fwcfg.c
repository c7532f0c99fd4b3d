// SPDX-License-Identifier: GPL-2.0-or-later
/* Files of the host, through QEMU's firmware configuration device. Its numbers are big endian. */
#include "arch/x86/fwcfg.h"
#include "arch/x86/cpu.h"
#include "lib/string.h"

#define SELECT	  0x510
#define DATA	  0x511
#define SIGNATURE 0x0000 /* of four bytes, "QEMU" */
#define DIRECTORY 0x0019 /* the number of files, and an entry for each */
#define FILES_MAX 1024

struct entry {
	u32 size;
	u16 select;
	u16 reserved;
	char name[56];
};

void fwcfg_open(const struct fwcfg_file *file)
{
	outw(SELECT, file->select);
}

void fwcfg_read(void *bytes, size_t count)
{
	insb(DATA, bytes, count);
}

static bool present(void)
{
	const struct fwcfg_file signature = { .select = SIGNATURE };
	char found[4];

	fwcfg_open(&signature);
	fwcfg_read(found, sizeof(found));
	return !memcmp(found, "QEMU", sizeof(found));
}

bool fwcfg_find(const char *name, struct fwcfg_file *file)
{
	const struct fwcfg_file directory = { .select = DIRECTORY };
	u32 count;

	if (!present())
		return false;
	fwcfg_open(&directory);
	fwcfg_read(&count, sizeof(count));
	count = __builtin_bswap32(count);
	for (u32 i = 0; i < count && i < FILES_MAX; i++) {
		struct entry entry;

		fwcfg_read(&entry, sizeof(entry));
		if (strncmp(entry.name, name, sizeof(entry.name)))
			continue;
		file->size = __builtin_bswap32(entry.size);
		file->select = __builtin_bswap16(entry.select);
		return true;
	}
	return false;
}
