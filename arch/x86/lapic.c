// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The local APIC, through its x2APIC registers where they exist, else through memory. It is first
 * turned off and on, which clears an interrupt that the firmware's timer may have left pending.
 */
#include "arch/x86/lapic.h"
#include "arch/x86/descriptors.h"
#include "arch/x86/paging.h"

#define BASE_ENABLE  (1ULL << 11)
#define BASE_X2APIC  (1ULL << 10)
#define BASE_ADDRESS 0x000ffffffffff000ULL

/* Register numbers: an MSR at X2APIC_MSRS + number, or memory at number * 16. */
#define X2APIC_MSRS	 0x800
#define IDENTITY	 0x02
#define TASK_PRIORITY	 0x08
#define END_OF_INTERRUPT 0x0b
#define SPURIOUS	 0x0f
#define COMMAND		 0x30 /* x2APIC: one register of 64 bits */
#define COMMAND_TO	 0x31
#define LVT_TIMER	 0x32
#define TIMER_INITIAL	 0x38
#define TIMER_CURRENT	 0x39
#define TIMER_DIVIDE	 0x3e

#define SOFTWARE_ENABLE (1u << 8)
#define LVT_MASKED	(1u << 16)
#define LVT_DEADLINE	(2u << 17)
#define DIVIDE_BY_1	0x0b
#define COMMAND_INIT	0x4500u /* asserted, to one CPU */
#define COMMAND_STARTUP 0x4600u
#define COMMAND_PENDING (1u << 12)

#define RATE_MEASURE_HZ 100 /* the measurement lasts 1/100 s */
#define COUNT_MAX	0xffffffffULL

static bool x2apic, ready;
static u64 base;
static enum lapic_timer timer;
static u64 counts_per_cycle; /* APIC timer counts per TSC cycle, 32.32 fixed point */
static void (*on_tick)(void);

static u32 read(u32 number)
{
	return x2apic ? (u32)rdmsr(X2APIC_MSRS + number) : *(volatile u32 *)(base + number * 16);
}

static void write(u32 number, u32 value)
{
	if (x2apic)
		wrmsr(X2APIC_MSRS + number, value);
	else
		*(volatile u32 *)(base + number * 16) = value;
}

static void spurious(void)
{
}

static void tick(void)
{
	on_tick();
	write(END_OF_INTERRUPT, 0);
}

bool lapic_init(const struct cpu_features *features)
{
	u64 msr = rdmsr(MSR_APIC_BASE) & ~BASE_X2APIC;

	base = msr & BASE_ADDRESS;
	x2apic = features->x2apic;
	if (!x2apic && paging_map(base, 4096, CACHE_OFF))
		return false;
	/* x2APIC mode can only be left by turning the APIC off. */
	wrmsr(MSR_APIC_BASE, msr & ~BASE_ENABLE);
	wrmsr(MSR_APIC_BASE, msr | BASE_ENABLE);
	if (x2apic)
		wrmsr(MSR_APIC_BASE, msr | BASE_ENABLE | BASE_X2APIC);
	interrupt_handler_set(VECTOR_LAPIC_SPURIOUS, spurious);
	write(SPURIOUS, SOFTWARE_ENABLE | VECTOR_LAPIC_SPURIOUS);
	write(TASK_PRIORITY, 0);
	ready = (read(SPURIOUS) & SOFTWARE_ENABLE) != 0;
	return ready;
}

void lapic_end_of_interrupt(void)
{
	write(END_OF_INTERRUPT, 0);
}

bool lapic_ready(void)
{
	return ready;
}

u32 lapic_id(void)
{
	return x2apic ? read(IDENTITY) : read(IDENTITY) >> 24;
}

static void send(u32 id, u32 command)
{
	if (x2apic) {
		wrmsr(X2APIC_MSRS + COMMAND, (u64)id << 32 | command);
		return;
	}
	write(COMMAND_TO, id << 24);
	write(COMMAND, command);
	while (read(COMMAND) & COMMAND_PENDING)
		cpu_relax();
}

void lapic_send_init(u32 id)
{
	send(id, COMMAND_INIT);
}

void lapic_send_startup(u32 id, u64 page)
{
	send(id, COMMAND_STARTUP | (u32)(page >> 12));
}

/* Measures the one-shot timer's rate: a masked count-down against the TSC. */
static bool measure_rate(u64 tsc_hz)
{
	u64 start, cycles;
	u32 left;

	write(LVT_TIMER, LVT_MASKED | VECTOR_TICK);
	write(TIMER_INITIAL, COUNT_MAX);
	start = rdtsc();
	while (rdtsc() - start < tsc_hz / RATE_MEASURE_HZ)
		cpu_spin(256);
	left = read(TIMER_CURRENT);
	cycles = rdtsc() - start;
	write(TIMER_INITIAL, 0);
	if (!left || left == COUNT_MAX)
		return false;
	/* Rounded up, so that the timer fires up to a count late and never early. */
	counts_per_cycle = ((COUNT_MAX - left) << 32) / cycles + 1;
	return true;
}

bool lapic_timer_start(enum lapic_timer kind, u64 tsc_hz, void (*handler)(void))
{
	timer = kind;
	on_tick = handler;
	write(TIMER_DIVIDE, DIVIDE_BY_1);
	if (kind == LAPIC_ONESHOT && !measure_rate(tsc_hz))
		return false;
	interrupt_handler_set(VECTOR_TICK, tick);
	write(LVT_TIMER, VECTOR_TICK | (kind == LAPIC_DEADLINE ? LVT_DEADLINE : 0));
	/* The mode must be set before the deadline is (SDM volume 3, section 11.5.4.1). */
	asm volatile("mfence" : : : "memory");
	return true;
}

void lapic_timer_arm(u64 due)
{
	u64 ahead, count;

	if (timer == LAPIC_DEADLINE) {
		wrmsr(MSR_TSC_DEADLINE, due ? due : 1); /* 0 would disarm it */
		return;
	}
	ahead = due - rdtsc();
	if ((s64)ahead < 0)
		ahead = 0;
	/*
	 * A distant due time is limited to 2^32 cycles, so that its product with the rate fits, for
	 * a timer up to 2^32 times as fast as the TSC.
	 */
	if (ahead > COUNT_MAX)
		ahead = COUNT_MAX;
	count = (u64)((u128)ahead * counts_per_cycle >> 32) + 1;
	write(TIMER_INITIAL, count > COUNT_MAX ? (u32)COUNT_MAX : (u32)count);
}

void lapic_timer_stop(void)
{
	write(LVT_TIMER, LVT_MASKED | VECTOR_TICK);
	if (timer == LAPIC_DEADLINE)
		wrmsr(MSR_TSC_DEADLINE, 0);
	else
		write(TIMER_INITIAL, 0);
}
