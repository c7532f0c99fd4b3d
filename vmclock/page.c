// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading and writing the page under its seq_count. Assumes that there is at most one writer. A
 * writer may die in mid-update, and a page may hold anything.
 */
#include "lib/string.h"
#include "vmclock/vmclock.h"

#define AT(field, where) \
	_Static_assert(offsetof(struct vmclock_abi, field) == (where), "vmclock page layout")
AT(magic, 0x00);
AT(size, 0x04);
AT(version, 0x08);
AT(counter_id, 0x0a);
AT(time_type, 0x0b);
AT(seq_count, 0x0c);
AT(disruption_marker, 0x10);
AT(flags, 0x18);
AT(pad, 0x20);
AT(clock_status, 0x22);
AT(leap_second_smearing_hint, 0x23);
AT(tai_offset_sec, 0x24);
AT(leap_indicator, 0x26);
AT(counter_period_shift, 0x27);
AT(counter_value, 0x28);
AT(counter_period_frac_sec, 0x30);
AT(counter_period_esterror_rate_frac_sec, 0x38);
AT(counter_period_maxerror_rate_frac_sec, 0x40);
AT(time_sec, 0x48);
AT(time_frac_sec, 0x50);
AT(time_esterror_nanosec, 0x58);
AT(time_maxerror_nanosec, 0x60);
AT(vm_generation_counter, 0x68);
_Static_assert(sizeof(struct vmclock_abi) == 0x70, "vmclock page layout");

#define COUNTER_HZ_MIN	   1000ULL
#define COUNTER_HZ_MAX	   10000000000ULL
#define FUTURE_CYCLES_MAX  (1ULL << 62)
#define SPINS_BEFORE_PAUSE 6
#define FUTURE_SEC_MAX	   3600

/* A copy of the page: the line, and fields that are only checked. */
struct page_copy {
	struct vmclock_line line;
	u64 time_sec;
	u8 counter_id;
};

static u64 if_flag(u64 flags, u64 flag, u64 value)
{
	return flags & flag ? value : 0;
}

static void copy_fields(const volatile struct vmclock_abi *page, struct page_copy *copy)
{
	struct vmclock_line *line = &copy->line;

	line->disruption_marker = page->disruption_marker;
	line->flags = page->flags;
	line->clock_status = page->clock_status;
	line->tai_offset_sec = page->tai_offset_sec;
	line->leap_indicator = page->leap_indicator;
	line->period_shift = page->counter_period_shift;
	line->counter_value = page->counter_value;
	line->period_frac = page->counter_period_frac_sec;
	line->period_esterror = page->counter_period_esterror_rate_frac_sec;
	line->period_maxerror = page->counter_period_maxerror_rate_frac_sec;
	copy->time_sec = page->time_sec;
	line->time = instant_make((s64)copy->time_sec, page->time_frac_sec);
	line->time_esterror_ns = page->time_esterror_nanosec;
	line->time_maxerror_ns = page->time_maxerror_nanosec;
	line->vm_generation_counter = page->vm_generation_counter;
	line->time_type = page->time_type;
	copy->counter_id = page->counter_id;
}

/*
 * Makes one consistent copy. If one odd count lasts for a whole spin, the writer has died or was
 * preempted in mid-update. Waiting longer has no use, because the caller reads again later.
 */
static enum vmclock_error copy_page(const volatile struct vmclock_abi *page, struct page_copy *copy)
{
	for (u32 try = 0; try < VMCLOCK_TRIES; try++) {
		u32 seq = __atomic_load_n(&page->seq_count, __ATOMIC_ACQUIRE);
		u32 spin = 0;

		while (seq & 1 && spin++ < VMCLOCK_TRIES) {
			u32 odd = seq;

			/* An update takes some ten nanoseconds, a pause far more. */
			if (spin > SPINS_BEFORE_PAUSE)
				__builtin_ia32_pause();
			seq = __atomic_load_n(&page->seq_count, __ATOMIC_ACQUIRE);
			if (seq != odd)
				break;
		}
		if (spin > VMCLOCK_TRIES)
			return VMCLOCK_WRITER_HOLDS;
		if (seq & 1)
			continue; /* another update already */
		copy_fields(page, copy);
		/* No load of a field may sink below the second look at the count. */
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&page->seq_count, __ATOMIC_RELAXED) == seq) {
			copy->line.seq_count = seq;
			return VMCLOCK_OK;
		}
	}
	return VMCLOCK_NEVER_STABLE;
}

static enum vmclock_error check_header(const volatile struct vmclock_abi *page, u64 mapped)
{
	u32 size;

	if (!page)
		return VMCLOCK_ABSENT;
	if (mapped < sizeof(*page))
		return VMCLOCK_BAD_SIZE;
	if (__atomic_load_n(&page->magic, __ATOMIC_ACQUIRE) != VMCLOCK_MAGIC)
		return VMCLOCK_BAD_MAGIC;
	size = page->size;
	if (size < sizeof(*page) || size > mapped)
		return VMCLOCK_BAD_SIZE;
	if (page->version != VMCLOCK_VERSION)
		return VMCLOCK_BAD_VERSION;
	return VMCLOCK_OK;
}

static enum vmclock_error check_status(u8 status)
{
	switch (status) {
	case VMCLOCK_STATUS_UNKNOWN:
		return VMCLOCK_STATUS_IS_UNKNOWN;
	case VMCLOCK_STATUS_INITIALIZING:
		return VMCLOCK_STATUS_IS_INITIALIZING;
	case VMCLOCK_STATUS_UNRELIABLE:
		return VMCLOCK_STATUS_IS_UNRELIABLE;
	case VMCLOCK_STATUS_SYNCHRONIZED:
	case VMCLOCK_STATUS_FREERUNNING:
		return VMCLOCK_OK;
	default:
		return VMCLOCK_BAD_STATUS;
	}
}

/* hz = 2^(64 + shift) / frac, compared without a division. */
static enum vmclock_error check_period(u64 frac, u8 shift)
{
	u128 one;

	if (shift > 64)
		return VMCLOCK_BAD_SHIFT;
	/* frac < 2^64, so hz > 2^shift, and 2^34 Hz is past the limit already. */
	if (!frac || shift > 33)
		return VMCLOCK_BAD_PERIOD;
	one = (u128)1 << (64 + shift);
	/* The products are below 2^(64 + 34). */
	if ((u128)frac * COUNTER_HZ_MIN > one || (u128)frac * COUNTER_HZ_MAX < one)
		return VMCLOCK_BAD_PERIOD;
	return VMCLOCK_OK;
}

static enum vmclock_error check_line(const struct page_copy *copy, u64 now)
{
	const struct vmclock_line *line = &copy->line;
	enum vmclock_error error;

	if (line->time_type != VMCLOCK_TIME_UTC &&
	    (line->time_type != VMCLOCK_TIME_TAI || !(line->flags & VMCLOCK_FLAG_TAI_OFFSET_VALID)))
		return VMCLOCK_BAD_TIME_TYPE;
	error = check_period(line->period_frac, line->period_shift);
	if (error)
		return error;
	if (copy->time_sec >= 1ULL << 62)
		return VMCLOCK_BAD_TIME;
	if (now && line->counter_value > now) {
		u64 ahead = line->counter_value - now;

		if (ahead > FUTURE_CYCLES_MAX ||
		    vmclock_time_at(line, now) < line->time - ((instant)FUTURE_SEC_MAX << 64))
			return VMCLOCK_COUNTER_IN_FUTURE;
	}
	return VMCLOCK_OK;
}

enum vmclock_error vmclock_read(const volatile struct vmclock_abi *page, u64 mapped, u64 now,
				struct vmclock_line *line)
{
	static const struct vmclock_line nothing;
	struct page_copy copy;
	enum vmclock_error error;
	u64 flags;

	*line = nothing;
	error = check_header(page, mapped);
	if (error)
		return error;
	error = copy_page(page, &copy);
	if (error)
		return error;

	if (copy.counter_id != VMCLOCK_COUNTER_X86_TSC &&
	    copy.counter_id != VMCLOCK_COUNTER_INVALID)
		return VMCLOCK_WRONG_COUNTER;
	/* A field whose flag is not set is invalid. */
	flags = copy.line.flags;
	copy.line.period_esterror =
		if_flag(flags, VMCLOCK_FLAG_PERIOD_ESTERROR, copy.line.period_esterror);
	copy.line.period_maxerror =
		if_flag(flags, VMCLOCK_FLAG_PERIOD_MAXERROR, copy.line.period_maxerror);
	copy.line.time_esterror_ns =
		if_flag(flags, VMCLOCK_FLAG_TIME_ESTERROR, copy.line.time_esterror_ns);
	copy.line.time_maxerror_ns =
		if_flag(flags, VMCLOCK_FLAG_TIME_MAXERROR, copy.line.time_maxerror_ns);
	copy.line.vm_generation_counter =
		if_flag(flags, VMCLOCK_FLAG_VM_GEN_COUNTER, copy.line.vm_generation_counter);
	*line = copy.line;
	if (copy.counter_id == VMCLOCK_COUNTER_INVALID)
		return VMCLOCK_NO_COUNTER;
	error = check_status(line->clock_status);
	if (error && error != VMCLOCK_BAD_STATUS)
		return error;
	if (!error)
		error = check_line(&copy, now);
	if (error)
		*line = nothing;
	return error;
}

void vmclock_raw(const volatile struct vmclock_abi *page, struct vmclock_abi *copy)
{
	/* Word by word, so that no field is read in halves. */
	const volatile u64 *from = (const volatile u64 *)page;
	u64 words[sizeof(*copy) / sizeof(u64)];

	for (u32 i = 0; i < TB_ARRAY_SIZE(words); i++)
		words[i] = from[i];
	memcpy(copy, words, sizeof(*copy));
}

static void store_line(volatile struct vmclock_abi *page, const struct vmclock_line *line)
{
	page->counter_id = VMCLOCK_COUNTER_X86_TSC;
	page->time_type = line->time_type;
	page->disruption_marker = line->disruption_marker;
	page->flags = line->flags;
	page->clock_status = line->clock_status;
	page->leap_second_smearing_hint = 0;
	page->tai_offset_sec = (s16)line->tai_offset_sec;
	page->leap_indicator = line->leap_indicator;
	page->counter_period_shift = line->period_shift;
	page->counter_value = line->counter_value;
	page->counter_period_frac_sec = line->period_frac;
	page->counter_period_esterror_rate_frac_sec = line->period_esterror;
	page->counter_period_maxerror_rate_frac_sec = line->period_maxerror;
	page->time_sec = (u64)(line->time >> 64);
	page->time_frac_sec = (u64)line->time;
	page->time_esterror_nanosec = line->time_esterror_ns;
	page->time_maxerror_nanosec = line->time_maxerror_ns;
	page->vm_generation_counter = line->vm_generation_counter;
}

void vmclock_page_update(volatile struct vmclock_abi *page, const struct vmclock_line *line)
{
	/*
	 * An odd count was left by a writer that died in mid-update. This update uses it as its own
	 * odd count.
	 */
	u32 seq = __atomic_load_n(&page->seq_count, __ATOMIC_RELAXED) | 1;

	__atomic_store_n(&page->seq_count, seq, __ATOMIC_RELAXED);
	/* No store of a field may rise above the odd count. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	store_line(page, line);
	__atomic_store_n(&page->seq_count, seq + 1, __ATOMIC_RELEASE);
}

void vmclock_page_init(volatile struct vmclock_abi *page, const struct vmclock_line *line)
{
	__atomic_store_n(&page->seq_count, 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	page->size = VMCLOCK_PAGE_SIZE;
	page->version = VMCLOCK_VERSION;
	page->pad[0] = 0;
	page->pad[1] = 0;
	store_line(page, line);
	/* Readers accept the page by its magic, so it is stored after all else but the count. */
	__atomic_store_n(&page->magic, VMCLOCK_MAGIC, __ATOMIC_RELEASE);
	__atomic_store_n(&page->seq_count, 2, __ATOMIC_RELEASE);
}

const char *vmclock_strerror(enum vmclock_error error)
{
	static const char *const sentences[VMCLOCK_ERRORS] = {
		[VMCLOCK_OK] = "the page can be used",
		[VMCLOCK_ABSENT] =
			"there is no vmclock page: pass one through, or run without a reference",
		[VMCLOCK_BAD_MAGIC] = "this is not a vmclock page: its magic is not \"VCLK\"",
		[VMCLOCK_BAD_SIZE] =
			"the page is too short for its fields, or claims more than is mapped",
		[VMCLOCK_BAD_VERSION] = "the page is of a version other than 1",
		[VMCLOCK_NO_COUNTER] =
			"the page has no line, only its markers (counter_id 0xff, as QEMU's "
			"own device): publish one with vmclock-host",
		[VMCLOCK_WRONG_COUNTER] = "the page is about a counter that is not the x86 TSC",
		[VMCLOCK_BAD_TIME_TYPE] =
			"the page's time is neither UTC nor TAI with its offset to UTC",
		[VMCLOCK_WRITER_HOLDS] =
			"the page stays in mid-update (seq_count is odd): its publisher is "
			"asleep or dead, start it again",
		[VMCLOCK_NEVER_STABLE] = "the page was rewritten during every try to read it",
		[VMCLOCK_BAD_SHIFT] = "the page's counter_period_shift is above 64",
		[VMCLOCK_BAD_PERIOD] =
			"the page's period is zero, or not that of a counter between 1 kHz "
			"and 10 GHz",
		[VMCLOCK_BAD_TIME] = "the page's time_sec is 2^62 or above",
		[VMCLOCK_STATUS_IS_UNKNOWN] = "the page says that its clock's status is unknown",
		[VMCLOCK_STATUS_IS_INITIALIZING] =
			"the page says that its clock is still initializing",
		[VMCLOCK_STATUS_IS_UNRELIABLE] =
			"the page says that its clock is unreliable: its publisher "
			"has ended, or lost its own clock",
		[VMCLOCK_BAD_STATUS] = "the page's clock_status is none that the specification has",
		[VMCLOCK_COUNTER_IN_FUTURE] =
			"the page's counter_value lies more than an hour ahead of the "
			"counter: it is about another machine's TSC, or before a reset",
	};

	if ((u32)error >= VMCLOCK_ERRORS)
		return "no such error";
	return sentences[error];
}
