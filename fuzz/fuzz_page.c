// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The vmclock page and its line: eight bytes of counter, then the page. A page that is accepted
 * gives a line whose arithmetic is monotonic and which a second page carries unchanged; of a page
 * that is refused, no field is used.
 */
#include "fuzz/fuzz.h"
#include "vmclock/stress.h"
#include "vmclock/vmclock.h"

/* The refusals after which the markers may still be used (vmclock.h). */
static bool keeps_markers(enum vmclock_error error)
{
	return error == VMCLOCK_NO_COUNTER || error == VMCLOCK_STATUS_IS_UNKNOWN ||
	       error == VMCLOCK_STATUS_IS_INITIALIZING || error == VMCLOCK_STATUS_IS_UNRELIABLE;
}

static void check_refused(enum vmclock_error error, const struct vmclock_line *line)
{
	struct vmclock_line nothing;

	fuzz_check(vmclock_strerror(error)[0], "a refusal has a sentence");
	if (keeps_markers(error))
		return;
	memset(&nothing, 0, sizeof(nothing));
	fuzz_check(!memcmp(line, &nothing, sizeof(nothing)), "a refused page left a line");
}

static void check_arithmetic(const struct vmclock_line *line, u64 now)
{
	u64 hz = vmclock_counter_hz(line);
	instant at = vmclock_time_at(line, now);

	fuzz_check(hz >= 999 && hz <= 10000000001ULL, "an accepted period is out of range");
	fuzz_check(vmclock_time_at(line, line->counter_value) == line->time,
		   "the line does not pass through its own point");
	if (now + 1)
		fuzz_check(vmclock_time_at(line, now + 1) > at, "the line goes back");
	if (line->time_type == VMCLOCK_TIME_UTC)
		fuzz_check(vmclock_utc_at(line, now) == at, "UTC is not UTC");
	else
		fuzz_check(vmclock_utc_at(line, now) + instant_make(line->tai_offset_sec, 0) == at,
			   "UTC is not TAI less its offset");
}

/* Written to another page and read back, the line is the same. */
static void check_written(const struct vmclock_line *line, u64 now)
{
	struct vmclock_abi *page = calloc(1, VMCLOCK_PAGE_SIZE);
	struct vmclock_line back;

	if (!page)
		abort();
	vmclock_page_init(page, line);
	vmclock_page_update(page, line);
	fuzz_check(vmclock_read(page, VMCLOCK_PAGE_SIZE, now, &back) == VMCLOCK_OK,
		   "a page of an accepted line is refused");
	back.seq_count = line->seq_count;
	fuzz_check(vmclock_time_at(&back, now) == vmclock_time_at(line, now) &&
			   vmclock_utc_at(&back, now) == vmclock_utc_at(line, now) &&
			   back.time_maxerror_ns == line->time_maxerror_ns &&
			   back.disruption_marker == line->disruption_marker,
		   "a written page says something else");
	free(page);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size)
{
	struct fuzz_input input = { bytes, bytes + size };
	u64 now = fuzz_take(&input, 8);
	struct vmclock_line line;
	enum vmclock_error error;
	u8 *page = fuzz_rest(&input);

	memset(&line, 0xa5, sizeof(line));
	error = vmclock_read((const void *)page, fuzz_left(&input), now, &line);
	if (error) {
		check_refused(error, &line);
	} else {
		/* A `now` of 0 means: no check for the future. Arithmetic holds for any counter. */
		check_arithmetic(&line, now);
		check_written(&line, now);
		if (vmclock_stress_is(&line))
			vmclock_stress_whole(&line);
	}
	free(page);
	return 0;
}
