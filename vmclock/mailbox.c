// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest's half of the mailbox, and checks of its layout. Assumes that the caller mapped the
 * page.
 */
#include "vmclock/mailbox.h"

_Static_assert(offsetof(struct mailbox, request) == 0x40, "mailbox layout");
_Static_assert(offsetof(struct mailbox, answer) == 0x80, "mailbox layout");
_Static_assert(offsetof(struct mailbox, post) == 0xc0, "mailbox layout");
_Static_assert(offsetof(struct mailbox, verdict) == 0x100, "mailbox layout");
_Static_assert(sizeof(struct mailbox) <= MAILBOX_PAGE_SIZE, "mailbox layout");

bool mailbox_present(const volatile struct mailbox *mailbox)
{
	return __atomic_load_n(&mailbox->magic, __ATOMIC_ACQUIRE) == MAILBOX_MAGIC &&
	       mailbox->version == MAILBOX_VERSION;
}

void mailbox_init(volatile struct mailbox *mailbox)
{
	volatile u64 *words = (volatile u64 *)mailbox;

	for (size_t i = 0; i < sizeof(*mailbox) / sizeof(u64); i++)
		words[i] = 0;
	mailbox->version = MAILBOX_VERSION;
	__atomic_store_n(&mailbox->magic, MAILBOX_MAGIC, __ATOMIC_RELEASE);
}

bool mailbox_asks(const volatile struct mailbox *mailbox)
{
	return mailbox->request != mailbox->answer;
}

bool mailbox_serve(volatile struct mailbox *mailbox, u64 (*counter)(void *context), void *context)
{
	u64 request = __atomic_load_n(&mailbox->request, __ATOMIC_ACQUIRE);

	if (request == mailbox->answer)
		return false;
	mailbox->guest_counter = counter(context);
	__atomic_store_n(&mailbox->answer, request, __ATOMIC_RELEASE);
	return true;
}

u64 mailbox_post(volatile struct mailbox *mailbox, u64 counter, instant utc)
{
	u64 number = mailbox->post.number + 1;

	mailbox->post.counter = counter;
	mailbox->post.sec = (u64)(utc >> 64);
	mailbox->post.frac = (u64)utc;
	__atomic_store_n(&mailbox->post.number, number, __ATOMIC_RELEASE);
	return number;
}

bool mailbox_verdict(const volatile struct mailbox *mailbox, u64 number,
		     struct mailbox_verdict *verdict)
{
	if (__atomic_load_n(&mailbox->verdict.number, __ATOMIC_ACQUIRE) != number)
		return false;
	verdict->difference_fs = mailbox->verdict.difference_fs;
	verdict->maxerror_ns = mailbox->verdict.maxerror_ns;
	verdict->valid = mailbox->verdict.valid == 1;
	return true;
}
