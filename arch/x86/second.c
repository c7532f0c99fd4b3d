// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Starts and joins the second CPU. What the two say to each other is in three words: the body to
 * run, and whether it has started and ended.
 */
#include "arch/x86/second.h"
#include "arch/x86/acpi.h"
#include "arch/x86/descriptors.h"
#include "arch/x86/lapic.h"
#include "lib/string.h"

#define PAGE 4096

/* Entries of the MADT. */
#define MADT_LAPIC	0 /* one byte of ID at 3, flags at 4 */
#define MADT_X2APIC	9 /* four bytes of ID at 4, flags at 8 */
#define PROCESSOR_IS_ON 1

/* An access to this port takes about a microsecond, on a PC and longer in a virtual machine. */
#define DELAY_PORT    0x80
#define INIT_DELAY    10000
#define STARTUP_DELAY 200
#define STARTUPS      2
#define START_PATIENCE \
	(1ULL << 34) /* TSC cycles, some seconds: a busy host runs one CPU after the other */

extern const u8 second_trampoline[], second_trampoline_end[];

static _Alignas(16) u8 stack[16384];
u64 second_stack_top;

static struct {
	void (*body)(void *context);
	void *context;
	volatile bool started, ended;
} second;

void second_main(void);

static const char *const sentences[SECOND_ERRORS] = {
	[SECOND_OK] = "started",
	[SECOND_NO_TABLE] = "no table of the firmware names the processors",
	[SECOND_ALONE] = "the machine has one CPU",
	[SECOND_NO_APIC] = "there is no local APIC to start a second CPU with",
	[SECOND_NO_MEMORY] = "there is no free page below 640 KiB to start a second CPU at",
	[SECOND_SILENT] = "the second CPU does not answer",
};

const char *second_strerror(enum second_error error)
{
	return error < SECOND_ERRORS ? sentences[error] : "unknown error";
}

/* The ID of one entry's local APIC; false: it is no processor that may be used. */
static bool processor_of(const u8 *entry, u32 length, u32 *id)
{
	if (entry[0] == MADT_LAPIC && length >= 8) {
		*id = entry[3];
		return acpi_u32(entry + 4) & PROCESSOR_IS_ON;
	}
	if (entry[0] == MADT_X2APIC && length >= 16) {
		*id = acpi_u32(entry + 4);
		return acpi_u32(entry + 8) & PROCESSOR_IS_ON;
	}
	return false;
}

/* The first processor with another ID than `self`. */
static enum second_error find_other(u32 self, u32 *other)
{
	struct acpi_madt madt;
	const u8 *entry;
	u32 length;

	if (acpi_madt(&madt))
		return SECOND_NO_TABLE;
	while ((entry = acpi_madt_next(&madt, &length))) {
		if (processor_of(entry, length, other) && *other != self)
			return SECOND_OK;
	}
	return SECOND_ALONE;
}

/* A pause lets an emulator that runs one CPU at a time go on with the other one. */
static void delay(u32 times)
{
	while (times--) {
		inb(DELAY_PORT);
		cpu_relax();
	}
}

/* Called by the trampoline, on the second CPU. */
void second_main(void)
{
	descriptors_init_second();
	second.started = true;
	second.body(second.context);
	__atomic_store_n(&second.ended, true, __ATOMIC_RELEASE);
}

static bool wake(u32 id, u64 page)
{
	u64 begin = rdtsc();

	lapic_send_init(id);
	delay(INIT_DELAY);
	for (u32 i = 0; i < STARTUPS && !second.started; i++) {
		lapic_send_startup(id, page);
		delay(STARTUP_DELAY);
	}
	while (!second.started && rdtsc() - begin < START_PATIENCE)
		delay(STARTUP_DELAY);
	if (!second.started)
		lapic_send_init(id); /* so that it does not start later, without its page */
	return second.started;
}

enum second_error second_start(const struct cpu_features *features, u64 page,
			       void (*body)(void *context), void *context)
{
	static u8 kept[PAGE];
	enum second_error error;
	u32 id;
	bool started;

	if (!lapic_ready() && !lapic_init(features))
		return SECOND_NO_APIC;
	error = find_other(lapic_id(), &id);
	if (error)
		return error;
	if (!page)
		return SECOND_NO_MEMORY;
	second.body = body;
	second.context = context;
	second.started = second.ended = false;
	second_stack_top = (u64)(stack + sizeof(stack));
	memcpy(kept, (const void *)page, PAGE);
	memcpy((void *)page, second_trampoline,
	       (size_t)((u64)second_trampoline_end - (u64)second_trampoline));
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	started = wake(id, page);
	memcpy((void *)page, kept, PAGE);
	return started ? SECOND_OK : SECOND_SILENT;
}

void second_join(void)
{
	while (!__atomic_load_n(&second.ended, __ATOMIC_ACQUIRE))
		cpu_relax();
}

bool second_owns(u64 at)
{
	return at - (u64)stack <= sizeof(stack);
}
