// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finds the offset of the guest's counter, and detects that it has changed. The offset comes from
 * KVM, or from exchanges with the guest through the mailbox, which also show that the guest runs.
 */
#include <math.h>
#include <sched.h>
#include <stdio.h>

#include "vmclock/host/counter.h"
#include "vmclock/host/live.h"
#include "vmclock/host/log.h"
#include "vmclock/host/stop.h"

#define ASK_US		 10000 /* exchanges, while each is answered; one that is not is repeated */
#define ASK_KVM_US	 100000
#define PATIENCE_US	 300  /* for one answer; a later one is taken at the next look */
#define PATIENCE_LOST_US 20   /* the same of a guest that has been silent for long */
#define BATCH_US	 2000 /* of a burst, before the clock is looked at again */
#define BURST_US	 30000 /* of a burst, after which there is a first line, and a narrow one ends */
#define LONG_BURST_US	 1500000
#define WIDE_NS		 4000 /* bounds wider than this are worth the long burst */
#define BURST_IDLE	 2000 /* exchanges without a narrower bound, after which a burst ends */
#define COMPLAIN_US	 5000000
#define LATE_LOOKS	 4 /* without an answer in time, after which another CPU is tried */

static s32 qemu_pid(const struct live *live)
{
	FILE *file;
	int pid;

	if (live->options->qemu_pid || !live->options->qemu_pidfile)
		return live->options->qemu_pid;
	file = fopen(live->options->qemu_pidfile, "r");
	if (!file)
		return 0;
	if (fscanf(file, "%d", &pid) != 1)
		pid = 0;
	fclose(file);
	return pid;
}

static bool choice_allows(const struct live *live, enum offset_choice choice)
{
	return live->options->offset == OFFSET_AUTO || live->options->offset == choice;
}

static bool ask_kvm(struct live *live, struct offset *offset)
{
	s32 pid = choice_allows(live, OFFSET_KVM) ? qemu_pid(live) : 0;
	u64 now = host_counter();

	live->kvm_silent = !pid || !offset_from_kvm(offset, live->options->debugfs, pid);
	if (!live->kvm_silent)
		live->kvm_counter = now;
	return !live->kvm_silent;
}

static enum exchange_result ask_mailbox(struct live *live)
{
	s64 patience_us = live->lost ? PATIENCE_LOST_US : PATIENCE_US;

	return exchange_once(&live->exchange, live->mailbox,
			     (u64)((double)patience_us * 1000 / live_period_ns(live)));
}

static void burst_begin(struct live *live)
{
	live->bursting = true;
	live->burst_us = monotonic_us();
	live->burst_idle = 0;
}

static double width_ns(const struct live *live)
{
	return (double)(live->exchange.high - live->exchange.low) * live_period_ns(live);
}

/* Whether an answer came in time: late ones have bounds that are too wide for a line. */
static bool answered_in_time(const struct live *live)
{
	return width_ns(live) <= PATIENCE_US * 1000;
}

/* Whether more exchanges would add nothing. */
static bool burst_over(const struct live *live)
{
	s64 took = monotonic_us() - live->burst_us;

	if (!answered_in_time(live))
		return false;
	if (live->burst_idle >= BURST_IDLE || took >= LONG_BURST_US)
		return true;
	/* On a busy machine all answers may be too wide. */
	return took >= BURST_US && width_ns(live) <= WIDE_NS;
}

/* Asks as fast as the guest answers, for a while. true: the burst is over. */
static bool burst_go_on(struct live *live)
{
	s64 end = monotonic_us() + BATCH_US;

	while (monotonic_us() < end && !burst_over(live)) {
		u64 width = live->exchange.high - live->exchange.low;

		switch (ask_mailbox(live)) {
		case EXCHANGE_SILENT:
			return burst_over(live);
		case EXCHANGE_CONTRADICTS:
			lines_disrupt(live);
			live->offset.known = false;
			burst_begin(live);
			break;
		case EXCHANGE_AGREES:
			live->burst_idle = live->exchange.high - live->exchange.low < width
						   ? 0
						   : live->burst_idle + 1;
			break;
		}
	}
	return burst_over(live);
}

/* Whether the bounds are good enough for a first line, which the rest of the burst refines. */
static bool burst_usable(const struct live *live)
{
	return monotonic_us() - live->burst_us >= BURST_US && answered_in_time(live);
}

/*
 * Where guest and publisher have landed on one CPU, the guest answers only while the publisher
 * sleeps: every answer is late. The scheduler may take seconds to part them, so the publisher goes
 * to another CPU by itself. It may use all of them as before.
 */
static void step_aside(void)
{
	cpu_set_t all, others;
	int here = sched_getcpu();

	if (here < 0 || sched_getaffinity(0, sizeof(all), &all) || CPU_COUNT(&all) < 2)
		return;
	others = all;
	CPU_CLR((unsigned int)here, &others);
	if (!sched_setaffinity(0, sizeof(others), &others))
		sched_setaffinity(0, sizeof(all), &all);
}

static void find_by_mailbox(struct live *live)
{
	if (!live->bursting) {
		if (ask_mailbox(live) == EXCHANGE_SILENT)
			return;
		burst_begin(live);
	}
	live->bursting = !burst_go_on(live);
	if (live->bursting && !answered_in_time(live) && !(++live->late_looks % LATE_LOOKS))
		step_aside();
	if (live->bursting && !burst_usable(live))
		return;
	offset_from_exchange(&live->offset, &live->exchange);
}

static void find(struct live *live)
{
	const struct options *options = live->options;

	if (options->offset == OFFSET_NONE)
		return offset_given(&live->offset, 0, OFFSET_IS_NONE);
	if (options->offset == OFFSET_CYCLES)
		return offset_given(&live->offset, options->offset_cycles, OFFSET_IS_GIVEN);
	if (ask_kvm(live, &live->offset))
		return;
	if (live->mailbox && choice_allows(live, OFFSET_MAILBOX))
		return find_by_mailbox(live);
	if (options->offset == OFFSET_AUTO && !options->qemu_pid && !options->qemu_pidfile)
		return offset_given(&live->offset, 0, OFFSET_IS_NONE);
	if (!live->complained && monotonic_us() - live->started_us > COMPLAIN_US) {
		live->complained = true;
		log_note("KVM does not tell the guest's counter in %s (not mounted, not readable, "
			 "or no KVM): give --mailbox FILE too",
			 options->debugfs);
	}
}

void guest_offset_find(struct live *live)
{
	find(live);
	if (!live->offset.known)
		return;
	live->refresh_us = 0;
	log_offset(&live->offset, &live->exchange, live_period_ns(live));
}

void guest_offset_forget(struct live *live)
{
	live->generation++;
	lines_state_generation(live);
	lines_disrupt(live);
	if (live->options->offset == OFFSET_CYCLES || live->options->offset == OFFSET_NONE)
		return;
	live->offset.known = false;
	exchange_forget(&live->exchange);
	burst_begin(live);
}

static void watch_kvm(struct live *live)
{
	struct offset now = live->offset;

	live->ask_us = monotonic_us() + ASK_KVM_US;
	if (!ask_kvm(live, &now) ||
	    (now.offset == live->offset.offset && now.ratio == live->offset.ratio))
		return;
	lines_disrupt(live);
	live->offset = now;
	live->refresh_us = 0;
	log_offset(&live->offset, &live->exchange, live_period_ns(live));
}

/* A burst that goes on after the first line: its end refines that line. */
static void end_burst(struct live *live)
{
	live->bursting = !burst_go_on(live);
	if (live->bursting || !live->offset.known ||
	    !offset_from_exchange(&live->offset, &live->exchange))
		return;
	live->refresh_us = 0;
	log_offset(&live->offset, &live->exchange, live_period_ns(live));
}

static void watch_mailbox(struct live *live)
{
	if (live->bursting) {
		end_burst(live);
		return;
	}
	switch (ask_mailbox(live)) {
	case EXCHANGE_SILENT:
		return; /* asked again at the next look */
	case EXCHANGE_CONTRADICTS:
		lines_disrupt(live);
		live->offset.known = false;
		burst_begin(live);
		return;
	case EXCHANGE_AGREES:
		break;
	}
	live->ask_us = monotonic_us() + ASK_US;
	if (!offset_from_exchange(&live->offset, &live->exchange))
		return;
	live->refresh_us = 0;
	log_offset(&live->offset, &live->exchange, live_period_ns(live));
}

void guest_offset_watch(struct live *live)
{
	if (monotonic_us() < live->ask_us)
		return;
	if (live->offset.source == OFFSET_FROM_KVM)
		watch_kvm(live);
	else if (live->offset.source == OFFSET_FROM_MAILBOX)
		watch_mailbox(live);
}
