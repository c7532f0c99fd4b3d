// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Segments, task state, interrupt table (SDM volume 3, chapters 3, 6 and 7). Every vector has a
 * stack of its own from the interrupt stack table, so that a broken stack pointer can be reported.
 */
#include "arch/x86/descriptors.h"

#define CODE64 0x08
#define DATA   0x10
#define TSS    0x18

#define GATE_INTERRUPT 0x8e /* present, ring 0, interrupts off inside */
#define TSS_AVAILABLE  0x89ULL

#define STUB_SIZE 16 /* vectors.asm */

enum stack {
	STACK_INTERRUPT = 1,
	STACK_FAULT,
	STACK_DOUBLE_FAULT,
	STACK_NMI,
	STACK_COUNT,
};

struct gate {
	u16 offset_low;
	u16 selector;
	u8 stack;
	u8 type;
	u16 offset_middle;
	u32 offset_high;
	u32 reserved;
};

struct task_state {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3;
	u16 io_map;
} __attribute__((packed));

struct table_pointer {
	u16 limit;
	u64 base;
} __attribute__((packed));

extern const u8 vector_stubs[];

/* What each CPU has of its own. */
struct cpu_tables {
	_Alignas(16) u8 stacks[STACK_COUNT][8192];
	struct task_state tss;
	u64 gdt[TSS / 8 + 2];
};

static struct cpu_tables first_cpu, second_cpu;
static struct gate idt[VECTOR_COUNT];
static void (*handlers[VECTOR_COUNT])(void);
static void (*report)(const struct frame *frame);

static u8 stack_of(u32 vector)
{
	if (vector == VECTOR_DOUBLE_FAULT)
		return STACK_DOUBLE_FAULT;
	if (vector == 2)
		return STACK_NMI;
	return vector < VECTOR_EXCEPTIONS ? STACK_FAULT : STACK_INTERRUPT;
}

static void load(struct cpu_tables *cpu)
{
	struct table_pointer gdt_pointer = { sizeof(cpu->gdt) - 1, (u64)cpu->gdt };
	struct table_pointer idt_pointer = { sizeof(idt) - 1, (u64)idt };
	u64 base = (u64)&cpu->tss;
	u32 i;

	for (i = 1; i < STACK_COUNT; i++)
		cpu->tss.ist[i - 1] = (u64)(cpu->stacks[i] + sizeof(cpu->stacks[i]));
	cpu->tss.io_map = sizeof(cpu->tss);
	/* As in boot/start.asm, and the task state's 16 bytes. */
	cpu->gdt[CODE64 / 8] = 0x00af9b000000ffff;
	cpu->gdt[DATA / 8] = 0x00cf93000000ffff;
	cpu->gdt[TSS / 8] = (sizeof(cpu->tss) - 1) | (base & 0xffffff) << 16 | TSS_AVAILABLE << 40 |
			    (base >> 24 & 0xff) << 56;
	cpu->gdt[TSS / 8 + 1] = base >> 32;
	asm volatile("lgdt %0" : : "m"(gdt_pointer));
	asm volatile("ltr %w0" : : "r"(TSS));
	asm volatile("lidt %0" : : "m"(idt_pointer));
}

void descriptors_init(void (*unexpected)(const struct frame *frame))
{
	u32 i;

	report = unexpected;
	for (i = 0; i < VECTOR_COUNT; i++) {
		u64 stub = (u64)vector_stubs + i * STUB_SIZE;

		idt[i] = (struct gate){
			.offset_low = (u16)stub,
			.selector = CODE64,
			.stack = stack_of(i),
			.type = GATE_INTERRUPT,
			.offset_middle = (u16)(stub >> 16),
			.offset_high = (u32)(stub >> 32),
		};
	}
	load(&first_cpu);
}

void descriptors_init_second(void)
{
	load(&second_cpu);
}

void interrupt_handler_set(u32 vector, void (*handler)(void))
{
	handlers[vector] = handler;
}

void interrupt_gate_remove(u32 vector)
{
	idt[vector].type = 0;
}

void interrupt_dispatch(struct frame *frame)
{
	u64 vector = frame->vector;

	if (vector >= VECTOR_EXCEPTIONS && handlers[vector])
		handlers[vector]();
	else
		report(frame);
}
