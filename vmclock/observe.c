// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The looks at a page, and what two successive copies of it show. Assumes that at least
 * sizeof(struct vmclock_abi) bytes are mapped wherever a copy is made.
 */
#include "vmclock/observe.h"
#include "lib/string.h"

void observe_begin(struct observation *seen, const volatile struct vmclock_abi *page, u64 mapped)
{
	memset(seen, 0, sizeof(*seen));
	seen->page = page;
	seen->mapped = mapped;
}

bool observe_line(const struct vmclock_abi *copy, u64 mapped, struct vmclock_line *line)
{
	/* Nothing writes the copy, and no counter is looked at. */
	return vmclock_read(copy, mapped, 0, line) == VMCLOCK_OK;
}

bool observe_claims_line(const struct vmclock_abi *copy)
{
	return copy->counter_id != VMCLOCK_COUNTER_INVALID &&
	       copy->clock_status != VMCLOCK_STATUS_UNKNOWN &&
	       copy->clock_status != VMCLOCK_STATUS_INITIALIZING &&
	       copy->clock_status != VMCLOCK_STATUS_UNRELIABLE;
}

static bool constants_differ(const struct vmclock_abi *a, const struct vmclock_abi *b)
{
	return memcmp(a, b, offsetof(struct vmclock_abi, seq_count)) != 0;
}

/* The maximum error of the line at a counter value, fs; false: it states none. Saturates. */
static bool stated_fs(const struct vmclock_line *line, u64 counter, s128 *fs)
{
	const u64 both = VMCLOCK_FLAG_TIME_MAXERROR | VMCLOCK_FLAG_PERIOD_MAXERROR;
	s64 cycles = (s64)(counter - line->counter_value);
	u128 units;

	if ((line->flags & both) != both)
		return false;
	/* |cycles| < 2^63 and period_maxerror < 2^64: in units of 2^-(64 + shift) s, below 2^127.
	 */
	units = (u128)(cycles < 0 ? -(u64)cycles : (u64)cycles) * line->period_maxerror;
	*fs = (s128)line->time_maxerror_ns * TB_FSEC_PER_NSEC +
	      instant_to_fsec((instant)(units >> line->period_shift)) + 1;
	return true;
}

/* How far the new line is beyond what the old one stated at a counter value, fs; 0: within. */
static s64 beyond_fs(const struct vmclock_line *old, const struct vmclock_line *new, u64 counter)
{
	s64 moved = instant_to_fsec(vmclock_time_at(new, counter) - vmclock_time_at(old, counter));
	s128 stated;

	if (moved < 0)
		moved = -moved;
	if (!stated_fs(old, counter, &stated) || moved <= stated)
		return 0;
	return (s64)(moved - stated);
}

/*
 * A line was replaced by another one of the same marker. The counter values at which a guest may
 * have read the old one are those between the first and the last look that found it.
 */
static void judge_update(struct observation *seen, const struct vmclock_line *old,
			 const struct vmclock_line *new, u64 now)
{
	s64 first, last;
	s128 stated;

	if (old->disruption_marker != new->disruption_marker || old->time_type != new->time_type)
		return;
	if (stated_fs(old, now, &stated)) {
		seen->judged++;
		first = beyond_fs(old, new, seen->first_seen);
		last = beyond_fs(old, new, seen->last_seen);
		if (last > first)
			first = last;
		seen->outside += first > 0;
		if (first > seen->outside_max_fs)
			seen->outside_max_fs = first;
	}
	if (old->flags & VMCLOCK_FLAG_TIME_MONOTONIC) {
		seen->monotonic++;
		seen->set_back += vmclock_time_at(new, now) < vmclock_time_at(old, seen->last_seen);
	}
}

static void take_update(struct observation *seen, const struct vmclock_abi *copy, u64 now)
{
	struct vmclock_line old, new;

	seen->updates++;
	seen->seq_back += (s32)(copy->seq_count - seen->last.seq_count) < 0;
	seen->constants_changed += constants_differ(copy, &seen->last);
	seen->markers += copy->disruption_marker != seen->last.disruption_marker;
	if (copy->flags & seen->last.flags & VMCLOCK_FLAG_VM_GEN_COUNTER)
		seen->generations +=
			copy->vm_generation_counter != seen->last.vm_generation_counter;
	if (observe_line(&seen->last, seen->mapped, &old) && observe_line(copy, seen->mapped, &new))
		judge_update(seen, &old, &new, now);
	seen->last = *copy;
	seen->first_seen = now;
}

static void watch_odd(struct observation *seen, bool odd, u64 now)
{
	if (odd && !seen->odd)
		seen->odd_since = now;
	if (odd && now - seen->odd_since > seen->odd_max_cycles)
		seen->odd_max_cycles = now - seen->odd_since;
	seen->odd = odd;
}

bool observe_look(struct observation *seen, u64 now)
{
	const volatile struct vmclock_abi *page = seen->page;
	u32 seq = __atomic_load_n(&page->seq_count, __ATOMIC_ACQUIRE);
	struct vmclock_abi copy;
	bool changed = false;

	seen->looks++;
	watch_odd(seen, seq & 1, now);
	if (seq & 1)
		return false;
	vmclock_raw(page, &copy);
	/* No load of a field may sink below the second look at the count. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&page->seq_count, __ATOMIC_RELAXED) != seq || copy.seq_count != seq)
		return false;
	if (!seen->any) {
		seen->any = true;
		seen->first = seen->last = copy;
		seen->first_seen = now;
		changed = true;
	} else if (copy.seq_count != seen->last.seq_count) {
		take_update(seen, &copy, now);
		changed = true;
	} else if (memcmp(&copy, &seen->last, sizeof(copy))) {
		seen->silent_changes++;
		seen->constants_changed += constants_differ(&copy, &seen->last);
		seen->markers += copy.disruption_marker != seen->last.disruption_marker;
		seen->last = copy;
	}
	seen->last_seen = now;
	if (observe_claims_line(&copy)) {
		seen->lined = true;
		seen->line = copy;
		seen->line_seen = now;
	}
	return changed;
}
