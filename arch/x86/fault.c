// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The register dump. It runs on a stack of its own and does not rely on the interrupted code: a
 * stack trace reads only addresses inside the image's own memory. A second fault inside it ends the
 * report instead of looping.
 */
#include "arch/x86/fault.h"
#include "arch/x86/cpu.h"
#include "arch/x86/power.h"
#include "arch/x86/second.h"
#include "lib/string.h"

#define TRACE_WORDS 256
#define TRACE_LINES 16

#define RFLAGS_INTERRUPTS 0x200

extern const u8 image_start[], image_end[], bss_end[];

static const struct output *report;
static bool reporting;

static const char *const names[VECTOR_EXCEPTIONS] = {
	[0] = "divide error",
	[1] = "debug",
	[2] = "non-maskable interrupt",
	[3] = "breakpoint",
	[4] = "overflow",
	[5] = "bound range",
	[6] = "invalid opcode",
	[7] = "device not available",
	[8] = "double fault",
	[10] = "invalid task state",
	[11] = "segment not present",
	[12] = "stack segment fault",
	[13] = "general protection fault",
	[14] = "page fault",
	[16] = "x87 error",
	[17] = "alignment check",
	[18] = "machine check",
	[19] = "vector register error",
	[20] = "virtualization exception",
	[21] = "control protection",
};

void fault_init(const struct output *out)
{
	report = out;
}

static bool is_code(u64 address)
{
	return address >= (u64)image_start && address < (u64)image_end;
}

/* Words on the stack that point into the image: the return addresses, and sometimes a stale one. */
static void trace(u64 rsp)
{
	const u64 *word = (const u64 *)rsp;
	u32 i, lines = 0;

	out_printf(report, "# on the stack, as far as it looks like code:\n");
	for (i = 0; i < TRACE_WORDS && lines < TRACE_LINES; i++) {
		if (rsp % 8 || (u64)(word + i) < (u64)image_end ||
		    (u64)(word + i + 1) > (u64)bss_end)
			break;
		if (is_code(word[i])) {
			out_printf(report, "#   %016llx\n", word[i]);
			lines++;
		}
	}
}

static void page_fault_detail(u64 error)
{
	out_printf(report, "# it was a %s of %016llx, which is %s\n",
		   error & 16  ? "fetch"
		   : error & 2 ? "write"
			       : "read",
		   read_cr2(), error & 1 ? "protected" : "not mapped");
}

/* For __builtin_setjmp(), which stores five words. */
static void *landing[5];
static bool landing_set;

bool __attribute__((noinline)) fault_guard(void (*run)(void *context), void *context)
{
	if (__builtin_setjmp(landing))
		return false;
	landing_set = true;
	run(context);
	landing_set = false;
	return true;
}

void fault_report(const struct frame *f)
{
	const char *name =
		f->vector < VECTOR_EXCEPTIONS ? names[f->vector] : "unexpected interrupt";

	if (landing_set && f->vector == 0 && !second_owns(f->rsp)) {
		landing_set = false;
		if (f->rflags & RFLAGS_INTERRUPTS)
			interrupts_on();
		__builtin_longjmp(landing, 1);
	}
	interrupts_off();
	if (reporting)
		power_off(EXIT_FAULT);
	reporting = true;
	out_printf(report, "\n# fault: %s, vector %llu, error code 0x%llx\n",
		   name ? name : "reserved exception", f->vector, f->error);
	if (f->vector == 14)
		page_fault_detail(f->error);
	if (f->vector == 13 && f->error & 2)
		out_printf(report, "# it names vector %llu, which is not in the table\n",
			   f->error >> 3);
	out_printf(report, "# rip %016llx rflags %016llx cs %04llx ss %04llx\n", f->rip, f->rflags,
		   f->cs, f->ss);
	out_printf(report, "# rax %016llx rbx %016llx rcx %016llx rdx %016llx\n", f->rax, f->rbx,
		   f->rcx, f->rdx);
	out_printf(report, "# rsi %016llx rdi %016llx rbp %016llx rsp %016llx\n", f->rsi, f->rdi,
		   f->rbp, f->rsp);
	out_printf(report, "# r8  %016llx r9  %016llx r10 %016llx r11 %016llx\n", f->r8, f->r9,
		   f->r10, f->r11);
	out_printf(report, "# r12 %016llx r13 %016llx r14 %016llx r15 %016llx\n", f->r12, f->r13,
		   f->r14, f->r15);
	out_printf(report, "# cr2 %016llx cr3 %016llx\n", read_cr2(), read_cr3());
	trace(f->rsp);
	out_printf(report, "Bail out! fault: %s at %016llx\n", name ? name : "reserved exception",
		   f->rip);
	power_off(EXIT_FAULT);
}

bool fault_provoke(const char *word)
{
	if (strcmp(word, "ud") == 0)
		asm volatile("ud2");
	else if (strcmp(word, "pf") == 0)
		*(volatile u64 *)0x123456789000 = 1;
	else if (strcmp(word, "gp") == 0)
		*(volatile u64 *)0x8000000000000000 = 1;
	else if (strcmp(word, "de") == 0)
		asm volatile("div %%ecx" : : "a"(1), "d"(0), "c"(0));
	else if (strcmp(word, "df") == 0) {
		/* The delivery of the first fault faults in turn. */
		interrupt_gate_remove(13);
		*(volatile u64 *)0x8000000000000000 = 1;
	} else if (strcmp(word, "int") == 0)
		asm volatile("int $40");
	else
		return false;
	return true;
}
