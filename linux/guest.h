/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A booted Linux as a guest on a vmclock page: the devices through which its user space reaches the
 * page, the mailbox and the PTP clock, and readings of its clocks. For one process, as root.
 */
#ifndef TB_LINUX_GUEST_H
#define TB_LINUX_GUEST_H

#include <time.h>
#include "vmclock/mailbox.h"
#include "vmclock/vmclock.h"

struct linux_guest {
	const volatile struct vmclock_abi *page; /* ptp_vmclock's /dev/vmclock0; NULL: none */
	volatile struct mailbox *mailbox;	 /* NULL: none */
	int ptp;				 /* ptp_vmclock's /dev/ptp0; -1: none */
	bool crosses;	   /* it stamps CLOCK_REALTIME too, at one counter value */
	s32 ptp_ahead_sec; /* its time less UTC: 0, or TAI's offset */
	const char *why;   /* what is missing */
};

/* What a clock said, in UTC, between two readings of the counter. */
struct reading {
	u64 before, after;
	instant time;
};

/* One counter value, read by the kernel: the PTP clock and CLOCK_REALTIME, UTC. */
struct cross {
	instant ptp, realtime;
};

/* Maps the page and opens the clock; false: there is none, as guest->why says. mailbox: its
 * physical address, 0: there is none. */
bool guest_open(struct linux_guest *guest, u64 mailbox);

/* Starts a process that answers the publisher, as long as this one lives. */
void guest_serve(const struct linux_guest *guest);

/* Waits until the page has a line, at most so many seconds; false: it got none. */
bool guest_await_line(struct linux_guest *guest, u32 seconds);

/* The page's line now; false: it has none that can be used. */
bool guest_line(const struct linux_guest *guest, struct vmclock_line *line);

/* Reads CLOCK_REALTIME, or the PTP clock. false: the kernel refused. */
bool guest_realtime(struct reading *reading);
bool guest_ptp(const struct linux_guest *guest, struct reading *reading);

/* Has the kernel stamp both clocks at one counter value; false: it cannot. */
bool guest_cross(const struct linux_guest *guest, struct cross *cross);

/* Sets CLOCK_REALTIME to the line's present time; false: the kernel refused. */
bool guest_set_realtime(const struct linux_guest *guest);

#endif
