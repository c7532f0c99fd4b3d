// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stamps through the mailbox. One exchange bounds the offset on both sides; every one bounds the
 * same constant, so their intersection is far narrower than the narrowest of them.
 */
#include "vmclock/host/counter.h"
#include "vmclock/host/offset.h"

enum exchange_result exchange_once(struct exchange *exchange, volatile struct mailbox *mailbox,
				   u64 patience)
{
	u64 request = ++exchange->request;
	u64 start = host_counter(), end, guest, low, high;

	mailbox->host_counter = start;
	__atomic_store_n(&mailbox->request, request, __ATOMIC_RELEASE);
	do {
		if (__atomic_load_n(&mailbox->answer, __ATOMIC_ACQUIRE) == request)
			break;
		__builtin_ia32_pause();
		end = host_counter();
		if (end - start > patience)
			return EXCHANGE_SILENT;
	} while (true);
	guest = mailbox->guest_counter;
	end = host_counter();

	low = guest - end;
	high = guest - start;
	if (!exchange->count || end - start < exchange->narrowest)
		exchange->narrowest = end - start;
	if (!exchange->count++) {
		exchange->low = low;
		exchange->high = high;
		return EXCHANGE_AGREES;
	}
	/* Offsets are modulo 2^64, so compare by difference. */
	if ((s64)(low - exchange->low) < 0)
		low = exchange->low;
	if ((s64)(high - exchange->high) > 0)
		high = exchange->high;
	if ((s64)(high - low) < 0) {
		exchange->low = guest - end;
		exchange->high = guest - start;
		exchange->count = 1;
		exchange->narrowest = end - start;
		return EXCHANGE_CONTRADICTS;
	}
	exchange->low = low;
	exchange->high = high;
	return EXCHANGE_AGREES;
}

/* Cycles: a microsecond or two, below which an offset is never worth moving the line for. */
#define GOOD_ENOUGH 4000

bool offset_from_exchange(struct offset *offset, const struct exchange *exchange)
{
	u64 below = offset->offset - exchange->low, above = exchange->high - offset->offset;
	u64 half = (exchange->high - exchange->low + 1) / 2;
	bool change = !offset->known || (s64)below < 0 || (s64)above < 0 ||
		      (below > above ? below : above) > 4 * half + GOOD_ENOUGH;

	if (change) {
		offset_given(offset, exchange->low + (exchange->high - exchange->low) / 2,
			     "mailbox");
		below = offset->offset - exchange->low;
		above = exchange->high - offset->offset;
	}
	offset->half_width = below > above ? below : above;
	return change;
}
