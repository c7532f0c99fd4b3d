// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stamps through the mailbox. One exchange bounds the offset on both sides; every one bounds the
 * same constant, so their intersection is far narrower than the narrowest of them. The guest may
 * write anything: all arithmetic is modulo 2^64, and an answer to an unknown request is ignored.
 */
#include "vmclock/host/counter.h"
#include "vmclock/host/offset.h"

static void ask(struct exchange *exchange, volatile struct mailbox *mailbox)
{
	u64 request = ++exchange->request, now = host_counter();

	exchange->asked[request % EXCHANGE_KEPT] = now;
	mailbox->host_counter = now;
	__atomic_store_n(&mailbox->request, request, __ATOMIC_RELEASE);
}

u64 exchange_doubt(const struct exchange *exchange, u64 now)
{
	return exchange->doubt + (now - exchange->confirmed);
}

/*
 * Bounds how long the guest's counter may have been stopped before `start` without any answer
 * having shown it: by this answer's width, or by what exchange_doubt() gives at `start`, whichever
 * is smaller. A first answer has only its width.
 */
static void confirm(struct exchange *exchange, u64 start, u64 width)
{
	u64 since = exchange_doubt(exchange, start);

	exchange->doubt = exchange->count && since < width ? since : width;
	exchange->confirmed = start;
}

static void replace(struct exchange *exchange, u64 low, u64 high)
{
	exchange->low = low;
	exchange->high = high;
	exchange->narrowest = high - low;
	exchange->count = 1;
}

void exchange_forget(struct exchange *exchange)
{
	exchange->count = 0;
}

static enum exchange_result learn(struct exchange *exchange, u64 guest, u64 start, u64 end)
{
	u64 low = guest - end, high = guest - start, width = end - start;

	if (!exchange->count) {
		confirm(exchange, start, width);
		replace(exchange, low, high);
		return EXCHANGE_AGREES;
	}
	/* Offsets are modulo 2^64, so compare by difference. */
	if ((s64)(low - exchange->low) < 0)
		low = exchange->low;
	if ((s64)(high - exchange->high) > 0)
		high = exchange->high;
	if ((s64)(high - low) < 0) {
		exchange->count = 0;
		confirm(exchange, start, width);
		replace(exchange, guest - end, guest - start);
		return EXCHANGE_CONTRADICTS;
	}
	confirm(exchange, start, width);
	exchange->low = low;
	exchange->high = high;
	exchange->count++;
	if (width < exchange->narrowest)
		exchange->narrowest = width;
	return EXCHANGE_AGREES;
}

/* Takes the newest answer, if there is one that was not taken before. */
static enum exchange_result take(struct exchange *exchange, volatile struct mailbox *mailbox)
{
	u64 answer = __atomic_load_n(&mailbox->answer, __ATOMIC_ACQUIRE), guest;

	if (answer == exchange->taken)
		return EXCHANGE_SILENT;
	exchange->taken = answer;
	/* Not a known request, or one so old that its time is no longer stored. */
	if (!answer || exchange->request - answer >= EXCHANGE_KEPT)
		return EXCHANGE_SILENT;
	guest = mailbox->guest_counter;
	return learn(exchange, guest, exchange->asked[answer % EXCHANGE_KEPT], host_counter());
}

bool exchange_answered(const struct exchange *exchange, const volatile struct mailbox *mailbox)
{
	return __atomic_load_n(&mailbox->answer, __ATOMIC_ACQUIRE) != exchange->taken;
}

enum exchange_result exchange_once(struct exchange *exchange, volatile struct mailbox *mailbox,
				   u64 patience)
{
	/* An answer to an earlier question: wide, but better than none. */
	enum exchange_result late = take(exchange, mailbox), now;
	u64 start;

	if (late == EXCHANGE_CONTRADICTS)
		return late;
	ask(exchange, mailbox);
	start = host_counter();
	while ((now = take(exchange, mailbox)) == EXCHANGE_SILENT) {
		__builtin_ia32_pause();
		if (host_counter() - start > patience)
			return late;
	}
	return now;
}

/* Cycles: a microsecond or two. The line is not moved for a smaller change of the offset. */
#define GOOD_ENOUGH 4000

bool offset_from_exchange(struct offset *offset, const struct exchange *exchange)
{
	u64 below = offset->offset - exchange->low, above = exchange->high - offset->offset;
	u64 half = (exchange->high - exchange->low + 1) / 2;
	bool change = !offset->known || (s64)below < 0 || (s64)above < 0 ||
		      (below > above ? below : above) > 4 * half + GOOD_ENOUGH;

	if (change) {
		offset_given(offset, exchange->low + (exchange->high - exchange->low) / 2,
			     OFFSET_FROM_MAILBOX);
		below = offset->offset - exchange->low;
		above = exchange->high - offset->offset;
	}
	offset->half_width = below > above ? below : above;
	return change;
}
