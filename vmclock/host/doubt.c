// SPDX-License-Identifier: GPL-2.0-or-later
/* How long the guest may have been stopped unnoticed. */
#include "vmclock/host/counter.h"
#include "vmclock/host/live.h"

s64 guest_offset_doubt_us(const struct live *live)
{
	u64 cycles = 0;

	if (live->offset.source == OFFSET_FROM_MAILBOX)
		cycles = exchange_doubt(&live->exchange, host_counter());
	else if (live->offset.source == OFFSET_FROM_KVM && live->kvm_silent)
		cycles = host_counter() - live->kvm_counter;
	return (s64)((double)cycles * live_period_ns(live) / 1000);
}
