// SPDX-License-Identifier: GPL-2.0-or-later
/* Two cores, one counter: each operation on both, and all of their state compared. */
#include <stddef.h>
#include <string.h>

#include "diff/diff.h"
#include "lib/random.h"
#include "vmclock/vmclock.h"

#define CORES 2

static const struct tk_ops *const cores[CORES] = { &tk_native, &tk_linux };

static struct {
	struct tk_counter counter;
	struct tk_conversion conversion;
	u64 now;
	u64 max_idle; /* cycles that may pass between ticks: no kernel's own limits are to be met */
	u64 since_tick;
	u64 ticks;
	u32 hz;
	u32 switches; /* native's */
	bool started; /* both have taken the last init */
	struct tk_stage stage;
} pair;

struct field {
	const char *name;
	size_t offset, size;
};

#define FIELD(member)                                                                              \
	{                                                                                          \
#member, offsetof(struct tk_state, member), sizeof(((struct tk_state *)0)->member) \
	}

static const struct field state_fields[] = {
	FIELD(cycle_last),
	FIELD(cycle_interval),
	FIELD(xtime_interval),
	FIELD(xtime_sec),
	FIELD(xtime_nsec),
	FIELD(raw_sec),
	FIELD(raw_nsec),
	FIELD(wall_to_monotonic.tv_sec),
	FIELD(wall_to_monotonic.tv_nsec),
	FIELD(ntp_tick),
	FIELD(tick_length),
	FIELD(ntp_error),
	FIELD(time_offset),
	FIELD(skew_delta),
	FIELD(time_freq),
	FIELD(time_adjust),
	FIELD(mult),
	FIELD(time_adjust_frac),
	FIELD(time_maxerror),
	FIELD(ntp_next_leap_sec),
	FIELD(shift),
	FIELD(ntp_error_shift),
	FIELD(ntp_err_mult),
	FIELD(skip_second_overflow),
	FIELD(tai_offset),
	FIELD(time_state),
	FIELD(time_status),
	FIELD(time_constant),
};

static long long field_of(const void *base, size_t offset, size_t size)
{
	const char *at = (const char *)base + offset;

	return size == 8 ? *(const long long *)(const void *)at : *(const s32 *)(const void *)at;
}

static void note(struct difference *difference, const char *name, long long native,
		 long long lifted)
{
	size_t used = strlen(difference->text);

	difference->found = true;
	snprintf(difference->text + used, sizeof(difference->text) - used,
		 "  %-22s %22lld %22lld\n", name, native, lifted);
}

static u64 held(void *context)
{
	return *(u64 *)context;
}

static void compare_state(struct difference *difference)
{
	struct tk_state state[CORES];

	for (int i = 0; i < CORES; i++) {
		/* No padding to compare: every byte is some field's. */
		cores[i]->state(&state[i]);
	}
	if (!memcmp(&state[0], &state[1], sizeof(state[0])))
		return;
	for (size_t i = 0; i < TB_ARRAY_SIZE(state_fields); i++) {
		const struct field *field = &state_fields[i];
		long long native = field_of(&state[0], field->offset, field->size);
		long long lifted = field_of(&state[1], field->offset, field->size);

		if (native != lifted)
			note(difference, field->name, native, lifted);
	}
}

static void compare_reading(struct difference *difference)
{
	struct tk_time time[CORES];

	for (int i = 0; i < CORES; i++)
		cores[i]->read(held, &pair.now, &time[i]);
	if (time[0].sec != time[1].sec)
		note(difference, "read sec", time[0].sec, time[1].sec);
	if (time[0].nsec != time[1].nsec)
		note(difference, "read nsec", time[0].nsec, time[1].nsec);
	if (time[0].mono_ns != time[1].mono_ns)
		note(difference, "read monotonic ns", time[0].mono_ns, time[1].mono_ns);
	if (time[0].instant != time[1].instant)
		note(difference, "read 2^-64 s", (long long)(u64)time[0].instant,
		     (long long)(u64)time[1].instant);
}

static void compare_error(struct difference *difference, const enum tk_error *error)
{
	/* Which of several reasons a core refuses for is its own affair. */
	if (!error[0] != !error[1])
		note(difference, "error", error[0], error[1]);
}

static void set_counter(const struct tk_counter *counter)
{
	pair.counter = *counter;
	tk_conversion_init(&pair.conversion, counter);
	pair.max_idle = pair.conversion.max_cycles / 2;
	if (pair.max_idle > counter->mask / 4)
		pair.max_idle = counter->mask / 4;
}

/* 0, which every core refuses, for a width that no counter has. */
static u64 mask_of(long long bits)
{
	return bits < 1 || bits > 64 ? 0 : ~0ULL >> (64 - bits);
}

/* No more than may pass without a tick. */
static void pass(u64 cycles)
{
	if (cycles > pair.max_idle - pair.since_tick)
		cycles = pair.max_idle - pair.since_tick;
	pair.since_tick += cycles;
	pair.now += cycles;
}

static void tick(struct difference *difference)
{
	for (int i = 0; i < CORES; i++)
		cores[i]->tick(pair.now);
	/* What is left over stays: less than a tick. */
	pair.since_tick = 0;
	pair.ticks++;
	compare_state(difference);
}

static void ticks(const struct op *op, struct difference *difference)
{
	struct tk_state state;
	u64 late_most, random = (u64)op->args[3], due;

	tk_native.state(&state);
	late_most = (u64)((u128)state.cycle_interval * (u64)op->args[1] / 1000);
	due = pair.now;
	for (long long i = 0; i < op->args[0] && !difference->found; i++) {
		u64 at;

		due += state.cycle_interval;
		if (op->args[2])
			due += state.cycle_interval *
			       (random_next(&random) % ((u64)op->args[2] + 1));
		at = due + (late_most ? random_next(&random) % (late_most + 1) : 0);
		if ((s64)(at - pair.now) > 0)
			pass(at - pair.now);
		if ((s64)(due - pair.now) > 0)
			due = pair.now; /* cut short: go on from here */
		difference->tick = (u64)i;
		tick(difference);
	}
}

static void adjtimex(struct difference *difference, const struct tk_timex *given)
{
	struct tk_timex timex[CORES] = { *given, *given };
	enum tk_error error[CORES];

	for (int i = 0; i < CORES; i++)
		error[i] = cores[i]->adjtimex(pair.now, &timex[i]);
	compare_error(difference, error);
	if (error[0])
		return;
#define COMPARE(member)                                                                       \
	do {                                                                                  \
		if (timex[0].member != timex[1].member)                                       \
			note(difference, "timex " #member, timex[0].member, timex[1].member); \
	} while (0)
	COMPARE(offset);
	COMPARE(freq);
	COMPARE(maxerror);
	COMPARE(esterror);
	COMPARE(status);
	COMPARE(constant);
	COMPARE(tick);
	COMPARE(tai);
	COMPARE(state);
	/* Some kernels look at the clock before they move it, some after. */
	if (!(given->modes & TK_ADJ_SETOFFSET)) {
		COMPARE(time_sec);
		COMPARE(time_usec);
	}
#undef COMPARE
}

static void settime(struct difference *difference, s64 sec, u32 nsec)
{
	enum tk_error error[CORES];

	for (int i = 0; i < CORES; i++)
		error[i] = cores[i]->settime(pair.now, sec, nsec);
	pair.since_tick = 0;
	compare_error(difference, error);
}

static void edge(struct difference *difference, const struct op *op)
{
	struct tk_timex timex = { .modes = TK_ADJ_FREQUENCY, .freq = op->args[1] };
	struct tk_state state;
	struct tk_time time;
	u64 tick_ns;

	tk_native.state(&state);
	tk_native.read(held, &pair.now, &time);
	tick_ns = state.xtime_interval >> state.shift;
	settime(difference, time.sec,
		(u32)((1000000000 + (u64)op->args[0] - tick_ns % 1000000000) % 1000000000));
	pass(state.cycle_interval);
	tick(difference);
	pass(state.cycle_interval * (u64)op->args[2] / 1000);
	if (!difference->found)
		adjtimex(difference, &timex);
}

static void leap(struct difference *difference, const struct op *op)
{
	const struct tk_timex arm = { .modes = TK_ADJ_STATUS, .status = (s32)op->args[0] };
	const struct tk_timex look = { 0 };
	struct tk_time time;

	tk_native.read(held, &pair.now, &time);
	settime(difference, time.sec - time.sec % 86400 + 86400 - 2, 0);
	adjtimex(difference, &arm);
	for (long long i = 0; i < op->args[1] && !difference->found; i++) {
		pass(pair.counter.hz / 2 + 1);
		adjtimex(difference, &look);
		tick(difference);
		adjtimex(difference, &look);
	}
}

static void change_counter(struct difference *difference, const struct op *op)
{
	struct tk_counter counter = { .hz = (u64)op->args[0], .mask = mask_of(op->args[1]) };
	enum tk_error error[CORES];

	for (int i = 0; i < CORES; i++)
		error[i] = cores[i]->change_counter(pair.now, &counter, (u64)op->args[2]);
	compare_error(difference, error);
	if (error[0])
		return;
	set_counter(&counter);
	pair.now = (u64)op->args[2];
	pair.since_tick = 0;
}

static void reference(struct difference *difference, const struct op *op)
{
	struct tk_reference line = { .counter = pair.now, .step_ns = (u32)op->args[2] };
	enum tk_error error[CORES];
	struct tk_time time;

	tk_native.read(held, &pair.now, &time);
	line.time = time.instant + instant_from_nsec(op->args[1]);
	vmclock_period_from_hz(pair.counter.hz, op->args[0], &line.period_frac, &line.period_shift);
	for (int i = 0; i < CORES; i++)
		error[i] = cores[i]->set_reference(pair.now, &line);
	compare_error(difference, error);
}

static void init(struct difference *difference, const struct op *op)
{
	struct tk_setup setup = {
		.counter = { .hz = (u64)op->args[0], .mask = mask_of(op->args[1]) },
		.hz = pair.hz,
		.switches = pair.switches,
		.now = 1ULL << 20,
		.sec = op->args[2],
		.nsec = (u32)op->args[3],
	};
	enum tk_error error[CORES];

	pair.now = setup.now;
	pair.since_tick = 0;
	for (int i = 0; i < CORES; i++)
		error[i] = cores[i]->init(&setup);
	compare_error(difference, error);
	pair.started = !error[0] && !error[1];
	if (pair.started)
		set_counter(&setup.counter);
}

void pair_begin(u32 flip)
{
	pair.hz = tk_linux.identity->hz;
	tk_stage(&tk_linux, pair.hz, 0, &pair.stage);
	pair.switches = (pair.stage.switches | TK_REFERENCE | TK_FEED) ^ flip;
	/* One form of the first switch at a time. */
	if (flip & (TK_REMAINDER | TK_REMAINDER_V2))
		pair.switches &= ~(pair.stage.switches & (TK_REMAINDER | TK_REMAINDER_V2));
}

const struct tk_stage *pair_stage(void)
{
	return &pair.stage;
}

u64 pair_ticks(void)
{
	return pair.ticks;
}

bool pair_do(const struct op *op, struct difference *difference)
{
	struct tk_timex timex = { 0 };
	struct tk_time time;
	enum tk_error error[CORES];

	*difference = (struct difference){ .op = *op };
	if (op->kind != OP_INIT && !pair.started)
		return true;
	switch (op->kind) {
	case OP_INIT:
		init(difference, op);
		break;
	case OP_TICK:
		pass((u64)op->args[0]);
		tick(difference);
		break;
	case OP_TICKS:
		ticks(op, difference);
		break;
	case OP_PASS:
		pass((u64)op->args[0]);
		break;
	case OP_READ:
		compare_reading(difference);
		break;
	case OP_OFFSET:
		timex.modes = TK_ADJ_OFFSET | TK_ADJ_STATUS | TK_ADJ_NANO;
		timex.offset = op->args[0];
		timex.status = TK_STA_PLL;
		adjtimex(difference, &timex);
		break;
	case OP_TIME_OFFSET:
		for (int i = 0; i < CORES; i++)
			error[i] = cores[i]->add_time_offset(pair.now, op->args[0]);
		compare_error(difference, error);
		break;
	case OP_ADJTIME:
		timex.modes = TK_ADJ_ADJTIME | TK_ADJ_OFFSET;
		timex.offset = op->args[0];
		adjtimex(difference, &timex);
		break;
	case OP_FREQ:
		timex.modes = TK_ADJ_FREQUENCY;
		timex.freq = op->args[0];
		adjtimex(difference, &timex);
		break;
	case OP_TICK_USEC:
		timex.modes = TK_ADJ_TICK;
		timex.tick = op->args[0];
		adjtimex(difference, &timex);
		break;
	case OP_STATUS:
		timex.modes = TK_ADJ_STATUS;
		timex.status = (s32)op->args[0];
		adjtimex(difference, &timex);
		break;
	case OP_CONSTANT:
		timex.modes = TK_ADJ_TIMECONST;
		timex.constant = op->args[0];
		adjtimex(difference, &timex);
		break;
	case OP_TAI:
		timex.modes = TK_ADJ_TAI;
		timex.constant = op->args[0];
		adjtimex(difference, &timex);
		break;
	case OP_INJECT:
		timex.modes = TK_ADJ_SETOFFSET | TK_ADJ_NANO;
		timex.time_sec = op->args[0];
		timex.time_usec = op->args[1];
		adjtimex(difference, &timex);
		pair.since_tick = 0;
		break;
	case OP_SETTIME:
		tk_native.read(held, &pair.now, &time);
		settime(difference, time.sec + op->args[0], (u32)op->args[1]);
		break;
	case OP_MIDNIGHT:
		tk_native.read(held, &pair.now, &time);
		settime(difference, time.sec - time.sec % 86400 + 86400 - op->args[0], time.nsec);
		break;
	case OP_LEAP:
		leap(difference, op);
		break;
	case OP_TIMEX:
		timex.modes = (u32)op->args[0];
		timex.offset = timex.maxerror = timex.esterror = timex.constant = op->args[1];
		adjtimex(difference, &timex);
		break;
	case OP_EDGE:
		edge(difference, op);
		break;
	case OP_COUNTER:
		change_counter(difference, op);
		break;
	case OP_REFERENCE:
		reference(difference, op);
		break;
	case OP_KINDS:
		break;
	}
	if (!difference->found && pair.started)
		compare_state(difference);
	difference->counter = pair.now;
	return !difference->found;
}
