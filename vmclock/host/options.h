/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The publisher's command line, as one struct. */
#ifndef TB_VMCLOCK_HOST_OPTIONS_H
#define TB_VMCLOCK_HOST_OPTIONS_H

#include "vmclock/vmclock.h"

enum mode {
	MODE_LIVE,
	MODE_STATIC,
	MODE_STRESS,
	MODE_CHECK,
};

enum offset_choice {
	OFFSET_AUTO, /* KVM if it tells, else the mailbox if there is one, else none */
	OFFSET_NONE, /* the page is in host counter terms */
	OFFSET_KVM,
	OFFSET_MAILBOX,
	OFFSET_CYCLES,
};

struct options {
	enum mode mode;
	const char *page;
	const char *mailbox;	  /* or NULL */
	bool force;		  /* page and mailbox: whatever file stands there */
	s32 qemu_pid;		  /* or 0 */
	const char *qemu_pidfile; /* or NULL: may come into being later */
	const char *debugfs;
	const char *host_device;
	const char *record;	 /* or NULL: a file for the host's clock */
	bool kernels_rule;	 /* lines by the rule of /dev/vmclock_host, not by the fit */
	const char *notify;	 /* or NULL: a socket that is written to at each change */
	const char *host_events; /* or NULL: the device itself */
	const char *leap_list;	 /* or NULL: the system's */
	enum offset_choice offset;
	u64 offset_cycles;
	s64 interval_us;
	s64 duration_us; /* 0: until a signal */
	s64 warm_up_us;
	s32 status; /* enum vmclock_status, or -1: by itself */
	bool json;
	bool die_with_parent;
	s64 clock_error_ns; /* added to the host's clock */
	bool generation_known;
	u64 generation;		  /* of the VM */
	struct vmclock_line line; /* of --static; the first marker of a new page */
};

enum options_result {
	OPTIONS_GO,
	OPTIONS_HELP, /* was asked for, and printed */
	OPTIONS_BAD,  /* said on stderr */
};

enum options_result options_parse(struct options *options, int argc, char **argv);

#endif
