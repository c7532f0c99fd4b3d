// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tests each half of the mailbox against another half that may write anything. The input is a list
 * of steps: one byte chooses guest or publisher, and the bytes after it are what the other half
 * wrote.
 */
#include "fuzz/fuzz.h"
#include "vmclock/host/counter.h"
#include "vmclock/host/offset.h"
#include "vmclock/mailbox.h"

#define STEPS_MAX 64

static u64 counter(void *context)
{
	return *(const u64 *)context;
}

static void guest_serves(struct fuzz_input *input, struct mailbox *mailbox)
{
	u64 request = fuzz_take(input, 8), now = fuzz_take(input, 8), answer = mailbox->answer;
	bool served;

	mailbox->request = request;
	served = mailbox_serve(mailbox, counter, &now);
	fuzz_check(served == (request != answer), "a request is answered once");
	fuzz_check(mailbox->answer == request, "the answer names its request");
	fuzz_check(!served || mailbox->guest_counter == now, "the answer is the counter");
}

static void guest_posts(struct fuzz_input *input, struct mailbox *mailbox)
{
	u64 at = fuzz_take(input, 8);
	s64 sec = (s64)fuzz_take(input, 8);
	u64 number = mailbox_post(mailbox, at, instant_make(sec, fuzz_take(input, 8)));
	struct mailbox_verdict verdict;

	fuzz_check(mailbox->post.number == number && mailbox->post.counter == at,
		   "a post names its number and counter");
	mailbox->verdict.number = fuzz_take(input, 1) & 1 ? number : fuzz_take(input, 8);
	mailbox->verdict.valid = fuzz_take(input, 8);
	fuzz_check(mailbox_verdict(mailbox, number, &verdict) ==
			   (mailbox->verdict.number == number),
		   "a verdict is about its own post alone");
}

/* The guest's answer to an earlier request may be present already, with any counter. */
static void publisher_asks(struct fuzz_input *input, struct mailbox *mailbox,
			   struct exchange *exchange, struct offset *offset)
{
	bool answers = fuzz_take(input, 1) & 1;
	const u64 asked = exchange->request;
	enum exchange_result result;
	u64 host;

	mailbox->guest_counter = fuzz_take(input, 8);
	mailbox->answer = answers ? asked : fuzz_take(input, 8);
	answers = mailbox->answer && mailbox->answer != exchange->taken &&
		  asked - mailbox->answer < EXCHANGE_KEPT;
	result = exchange_once(exchange, mailbox, 100);
	fuzz_check((result == EXCHANGE_SILENT) == !answers, "an answer is heard, silence is not");
	if (!exchange->count)
		return;
	fuzz_check((s64)(exchange->high - exchange->low) >= 0, "the bounds have crossed");
	offset_from_exchange(offset, exchange);
	fuzz_check(offset->known, "an exchange gives an offset");
	host = fuzz_take(input, 8);
	fuzz_check(offset_to_host(offset, offset_to_guest(offset, host)) == host,
		   "to the guest's counter and back is the same counter");
}

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size)
{
	struct fuzz_input input = { bytes, bytes + size };
	struct mailbox *mailbox = aligned_alloc(MAILBOX_PAGE_SIZE, MAILBOX_PAGE_SIZE);
	struct exchange exchange = { 0 };
	struct offset offset = { 0 };

	if (!mailbox)
		abort();
	memset(mailbox, 0, MAILBOX_PAGE_SIZE);
	mailbox->magic = fuzz_take(&input, 8);
	mailbox->version = fuzz_take(&input, 1);
	fuzz_check(mailbox_present(mailbox) ==
			   (mailbox->magic == MAILBOX_MAGIC && mailbox->version == MAILBOX_VERSION),
		   "a mailbox is told by its magic and version");
	mailbox_init(mailbox);
	fuzz_check(mailbox_present(mailbox), "a fresh mailbox is there");
	for (u32 i = 0; i < STEPS_MAX && fuzz_left(&input); i++) {
		switch (fuzz_take(&input, 1) % 3) {
		case 0:
			guest_serves(&input, mailbox);
			break;
		case 1:
			guest_posts(&input, mailbox);
			break;
		default:
			publisher_asks(&input, mailbox, &exchange, &offset);
		}
	}
	free(mailbox);
	return 0;
}
