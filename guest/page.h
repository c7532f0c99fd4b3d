/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A page that ACPI describes: the vmclock page, or the mailbox. */
#ifndef TB_GUEST_PAGE_H
#define TB_GUEST_PAGE_H

#include "lib/types.h"

#define VMCLOCK_ACPI_ID "VMCLOCK"
#define MAILBOX_ACPI_ID "TBMB0001"

struct guest_page {
	volatile void *address; /* NULL: none, and why says so */
	u64 physical;		/* 0: not found */
	u64 size;		/* bytes, as its device says; of these, the first 4096 are mapped */
	const char *why;	/* a sentence; never NULL */
};

/* Finds the device, and maps its memory write-back, as far as this program reads it. Needs
 * acpi_init(). */
void guest_page_find(struct guest_page *page, const char *acpi_id);

/*
 * Finds the vmclock page; and, where two devices are there of which one has no line but markers
 * (QEMU's own, beside one of ours), that one's page as `markers`. It has no address where there is
 * none.
 */
void guest_page_find_vmclock(struct guest_page *page, struct guest_page *markers);

#endif
