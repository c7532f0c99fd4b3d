// SPDX-License-Identifier: GPL-2.0-or-later
// clang-format off
/*
 * A host process around arch/x86/aml.c, for tests/test_aml.py, which builds it with the sanitizers.
 *
 *	aml_tool find TABLE ID			prints "ERROR BASE SIZE: sentence"
 *	aml_tool interrupt TABLE ID		prints "ERROR GSI LEVEL LOW PORT: sentence"
 *	aml_tool soft-off TABLE			prints the two values, or "none"
 *	aml_tool truncate TABLE ID		searches every prefix of the table; prints how many had it
 *	aml_tool damage TABLE ID SEED COUNT	searches COUNT tables with some bytes changed
 *	aml_tool nest DEPTH			searches a table of devices nested to that depth
 *
 * Each table is copied to a block of exactly its length: a read beyond it ends the process.
 */
// clang-format on
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arch/x86/aml.h"

static u8 *read_table(const char *path, u32 *length)
{
	FILE *file = fopen(path, "rb");
	u8 *bytes = malloc(1 << 20);

	if (!file || !bytes) {
		perror(path);
		exit(2);
	}
	*length = (u32)fread(bytes, 1, 1 << 20, file);
	fclose(file);
	return bytes;
}

static enum aml_error search(const u8 *table, u32 length, const char *id)
{
	struct aml_interrupt interrupt;
	struct aml_region region;
	u8 *exact = malloc(length ? length : 1), a, b;
	enum aml_error error;

	memcpy(exact, table, length);
	error = aml_find_device(exact, length, id, &region);
	if (!error && (!region.size || region.base + (region.size - 1) < region.base)) {
		fprintf(stderr, "an impossible region was accepted\n");
		exit(3);
	}
	aml_find_soft_off(exact, length, &a, &b);
	aml_find_interrupt(exact, length, id, &interrupt);
	free(exact);
	return error;
}

static int interrupt(char **args)
{
	struct aml_interrupt found;
	enum aml_error error;
	u32 length;
	u8 *table = read_table(args[0], &length);

	error = aml_find_interrupt(table, length, args[1], &found);
	printf("%d %u %d %d %#x: %s\n", (int)error, found.gsi, found.level, found.low,
	       found.ack_port, aml_strerror(error));
	free(table);
	return 0;
}

static int find(char **args)
{
	struct aml_region region;
	enum aml_error error;
	u32 length;
	u8 *table = read_table(args[0], &length);

	error = aml_find_device(table, length, args[1], &region);
	printf("%d %#llx %#llx: %s\n", (int)error, region.base, region.size, aml_strerror(error));
	free(table);
	return 0;
}

static int soft_off(char **args)
{
	u32 length;
	u8 *table = read_table(args[0], &length), a, b;

	if (aml_find_soft_off(table, length, &a, &b))
		printf("%u %u\n", a, b);
	else
		printf("none\n");
	free(table);
	return 0;
}

static int truncate_all(char **args)
{
	u32 length, i, found = 0;
	u8 *table = read_table(args[0], &length);

	for (i = 0; i <= length; i++)
		found += search(table, i, args[1]) == AML_OK;
	printf("%u of %u\n", found, length + 1);
	free(table);
	return 0;
}

static int damage(char **args)
{
	u32 length, seed = (u32)atoi(args[2]), count = (u32)atoi(args[3]), i;
	u8 *table = read_table(args[0], &length), *changed = malloc(length);

	srand(seed);
	for (i = 0; i < count; i++) {
		u32 changes = 1 + (u32)rand() % 4;

		memcpy(changed, table, length);
		while (changes--)
			changed[ACPI_HEADER_SIZE + (u32)rand() % (length - ACPI_HEADER_SIZE)] =
				(u8)rand();
		search(changed, length, args[1]);
	}
	printf("%u searched\n", count);
	free(changed);
	free(table);
	return 0;
}

/* A package length in its longest form, which counts itself. */
static void put_length(u8 *at, u32 length)
{
	at[0] = (u8)(0xc0 | (length & 0x0f));
	at[1] = (u8)(length >> 4);
	at[2] = (u8)(length >> 12);
	at[3] = (u8)(length >> 20);
}

/* Device (DEV_) with methods _CRS, each of which returns something that is nowhere. */
static int crowd(char **args)
{
	const u32 methods = (u32)atoi(args[0]), each = 15;
	const u32 length = ACPI_HEADER_SIZE + 10 + methods * each;
	u8 *table = calloc(1, length), *at = table + ACPI_HEADER_SIZE;
	u32 i;

	memcpy(at, "\x5b\x82....DEV_", 10);
	put_length(at + 2, length - ACPI_HEADER_SIZE - 2);
	for (i = 0, at += 10; i < methods; i++, at += each) {
		memcpy(at, "\x14...._CRS\0\xa4NONE", each);
		put_length(at + 1, each - 1);
	}
	printf("%s\n", aml_strerror(search(table, length, "VMCLOCK")));
	free(table);
	return 0;
}

int main(int count, char **args)
{
	if (count == 4 && !strcmp(args[1], "find"))
		return find(args + 2);
	if (count == 4 && !strcmp(args[1], "interrupt"))
		return interrupt(args + 2);
	if (count == 3 && !strcmp(args[1], "soft-off"))
		return soft_off(args + 2);
	if (count == 4 && !strcmp(args[1], "truncate"))
		return truncate_all(args + 2);
	if (count == 6 && !strcmp(args[1], "damage"))
		return damage(args + 2);
	if (count == 3 && !strcmp(args[1], "crowd"))
		return crowd(args + 2);
	fprintf(stderr, "usage: see the head of tests/aml_tool.c\n");
	return 2;
}
