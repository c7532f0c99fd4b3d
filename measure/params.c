// SPDX-License-Identifier: GPL-2.0-or-later
/* The parameters of an experiment: one table of names, ranges and meanings, and their parser. */
#include "lib/string.h"
#include "measure/params.h"
#include "tk/tk.h"

#define NOMINAL_HZ 2596146000ULL /* a TSC that is measured in docs/core.md */

enum kind {
	KIND_TEXT,
	KIND_SWITCHES,
	KIND_CHOICE,
	KIND_BOOL,
	KIND_U32,
	KIND_U64,
	KIND_FIXED, /* decimal, kept times 10^scale in an s64 or u64 */
};

struct field {
	const char *name;
	enum kind kind;
	size_t offset, size;
	s64 low, high; /* in kept units */
	u32 scale;
	const char *const *choices;
	const char *meaning;
};

static const char *const clocks[] = { "virtual", "tsc", NULL };
static const char *const registers[] = { "hz", "khz", NULL };
static const char *const ticks[] = { "auto", "deadline", "oneshot", NULL };
static const char *const phase_ats[] = { "next", "last", NULL };
static const char *const phase_units[] = { "subns", "ns", NULL };
static const char *const phase_bys[] = { "offset", "at-once", "linear", "step", NULL };
static const char *const policies[] = { "reference", "phc2sys", "chrony", "pll",   "fll",
					"freqhold",  "linear",	"free",	  "ideal", NULL };

#define AT(member) \
	offsetof(struct scenario_params, member), sizeof(((struct scenario_params *)0)->member)

static const struct field fields[] = {
	{ "scenario", KIND_TEXT, AT(scenario), 0, 0, 0, NULL,
	  "what to measure: a name, several joined by commas, or all" },
	{ "core", KIND_TEXT, AT(core), 0, 0, 0, NULL, "timekeeping core: native or linux" },
	{ "switches", KIND_SWITCHES, AT(switches), 0, 0, 0, NULL,
	  "all, mailed, none, or of "
	  "remainder,clawback,tail,divzero,reference,feed,skew,remainder-v2" },
	{ "expect", KIND_TEXT, AT(expect), 0, 0, 0, NULL,
	  "the switches that a lifted core is to have: release (those of its release, or more), "
	  "any, or names" },
	{ "clock", KIND_CHOICE, AT(clock), 0, 0, 0, clocks,
	  "virtual (a counter advanced as fast as the CPU goes) or tsc (the real one)" },
	{ "tick", KIND_CHOICE, AT(tick), 0, 0, 0, ticks,
	  "tick device with clock=tsc: auto, deadline or oneshot" },
	{ "hz", KIND_U32, AT(hz), 24, 10000, 0, NULL, "ticks a second" },
	{ "tickless", KIND_BOOL, AT(tickless), 0, 1, 0, NULL, "skip 9 of 10 ticks at random" },
	{ "counter_hz", KIND_U64, AT(counter_hz), (s64)TK_COUNTER_HZ_MIN, (s64)TK_COUNTER_HZ_MAX, 0,
	  NULL, "the counter's nominal frequency, Hz; with clock=tsc measured unless given" },
	{ "registered", KIND_CHOICE, AT(registered), 0, 0, 0, registers,
	  "virtual clock: the core is told counter_hz in hz or, as Linux is told the TSC's, in "
	  "whole khz" },
	{ "counter_bits", KIND_U32, AT(counter_bits), 24, 64, 0, NULL,
	  "width of the virtual counter" },
	{ "counter_start", KIND_U64, AT(counter_start), 0, 0, 0, NULL,
	  "what the virtual counter starts from" },
	{ "start_s", KIND_U64, AT(start_s), 0, TK_SEC_MAX - 1, 0, NULL,
	  "virtual clock: the time to start from, seconds since 1970" },
	{ "rate_ppm", KIND_FIXED, AT(rate_ppt), -500000000, 500000000, 6, NULL,
	  "virtual clock: how much longer than nominal its period truly is, ppm" },
	{ "duration", KIND_FIXED, AT(duration_ms), 1, 400000000000, 3, NULL,
	  "seconds to measure; each scenario has its own default" },
	{ "offset_ns", KIND_FIXED, AT(offset_ns), -400000000, 400000000, 0, NULL,
	  "slew and step: how far, ns; each has its own default" },
	{ "late_ns", KIND_U32, AT(late_ns), 0, 1000000000, 0, NULL,
	  "virtual clock: ticks come up to this late, at random" },
	{ "seed", KIND_U64, AT(seed), 0, 0, 0, NULL, "of all that is random" },
	{ "step_ns", KIND_U32, AT(step_ns), 0, 500000000, 0, NULL,
	  "a phase error beyond this is stepped, not slewed" },
	{ "readings", KIND_U32, AT(readings), 3, 1000000000, 0, NULL,
	  "regress: how often the clock is read at each frequency; smp: how often by the second "
	  "CPU" },
	{ "known", KIND_BOOL, AT(known), 0, 1, 0, NULL,
	  "a claim that fails for want of a switch is known to, and fails nothing" },
	{ "disruptions", KIND_U32, AT(disruptions), 0, 1000, 0, NULL,
	  "disrupted: ends after so many disruptions, 0: after the duration; device: 1 waits to be "
	  "restored" },
	{ "policy", KIND_CHOICE, AT(discipline.policy), 0, 0, 0, policies,
	  "discipline: reference (the kernel is told the page's lines), or in user space: phc2sys "
	  "(its PI servo), chrony, pll and fll (the kernel's loops, as ntpd), freqhold (the page's "
	  "frequency, and ADJ_OFFSET), linear (the same, slewed by frequency); free (nobody), "
	  "ideal "
	  "(told the true line at every tick)" },
	{ "phase_at", KIND_CHOICE, AT(discipline.phase_at), 0, 0, 0, phase_ats,
	  "discipline, reference: the phase is measured at the next tick or, as in v3, at the "
	  "last" },
	{ "phase_unit", KIND_CHOICE, AT(discipline.phase_unit), 0, 0, 0, phase_units,
	  "discipline, reference: below a ns (subns), or cut to whole ns" },
	{ "phase_by", KIND_CHOICE, AT(discipline.phase_by), 0, 0, 0, phase_bys,
	  "discipline, reference: corrected by time_offset from the next second on (offset) or "
	  "at-once, as adjtime does (linear), or by a step" },
	{ "white_ns", KIND_FIXED, AT(discipline.noise.white_ps), 0, 1000000000, 3, NULL,
	  "discipline: white noise of the host's measurements of the phase, standard deviation" },
	{ "flicker_ppb", KIND_FIXED, AT(discipline.noise.flicker_e15), 0, 1000000000, 6, NULL,
	  "discipline: flicker of the true frequency, its Allan deviation" },
	{ "walk_ppb", KIND_FIXED, AT(discipline.noise.walk_e15), 0, 1000000000, 6, NULL,
	  "discipline: random walk of the true frequency in a second, standard deviation" },
	{ "wander_ppb", KIND_FIXED, AT(discipline.noise.wander_e15), 0, 100000000000, 6, NULL,
	  "discipline: periodic wander of the true frequency, as by temperature, amplitude" },
	{ "wander_s", KIND_U32, AT(discipline.noise.wander_s), 1, 1000000, 0, NULL,
	  "discipline: and its period" },
	{ "page_s", KIND_U32, AT(discipline.publisher.page_s), 1, 3600, 0, NULL,
	  "discipline: seconds between two updates of the page" },
	{ "page_at_ms", KIND_U32, AT(discipline.publisher.at_ms), 0, 999, 0, NULL,
	  "discipline: at which moment of the true second the host measures and updates the page" },
	{ "page_late_ms", KIND_U32, AT(discipline.publisher.late_ms), 0, 1000, 0, NULL,
	  "discipline: an update comes up to this late, at random" },
	{ "page_missed", KIND_U32, AT(discipline.publisher.missed), 0, 100, 0, NULL,
	  "discipline: per cent of the updates that do not come, at random" },
	{ "page_repeated", KIND_U32, AT(discipline.publisher.repeated), 0, 100, 0, NULL,
	  "discipline: per cent of the seconds without an update in which the page is written "
	  "again as it is" },
	{ "read_ms", KIND_U32, AT(discipline.read_ms), 0, 1000000, 0, NULL,
	  "discipline: between two readings of a daemon; 0: as the policy has it" },
	{ "drift_file", KIND_BOOL, AT(discipline.drift_file), 0, 1, 0, NULL,
	  "discipline, chrony, pll and fll: the daemon knows the frequency when it starts" },
	{ "read_delay_ns", KIND_U32, AT(discipline.read_delay_ns), 0, 1000000, 0, NULL,
	  "discipline: from a daemon's first reading of the clock to its second; 0: clock and page "
	  "are read at one value of the counter" },
	{ "read_jitter_ns", KIND_U32, AT(discipline.read_jitter_ns), 0, 1000000, 0, NULL,
	  "discipline: up to so much more, at random" },
	{ "step_ppb", KIND_FIXED, AT(discipline.step_e15), -100000000000, 100000000000, 6, NULL,
	  "discipline: step of the true frequency" },
	{ "jump_ns", KIND_FIXED, AT(discipline.jump_ns), -100000000, 100000000, 0, NULL,
	  "discipline: step of the true phase" },
	{ "record", KIND_TEXT, AT(record), 0, 0, 0, NULL,
	  "discipline: a file of counter and time pairs, as vmclock-host --record "
	  "writes it: the true time wanders as that host's did" },
	{ "record_ticks", KIND_BOOL, AT(record_ticks), 0, 1, 0, NULL,
	  "clock=tsc: ship the delay of each tick; ./tickbench run --record-ticks FILE asks for "
	  "it" },
	{ "ticks", KIND_TEXT, AT(ticks), 0, 0, 0, NULL,
	  "a file with the delay of each tick after its due time, ns" },
	{ "samples", KIND_BOOL, AT(samples), 0, 1, 0, NULL, "ship the samples" },
	{ "end", KIND_BOOL, AT(end), 0, 1, 0, NULL,
	  "the rest of the command line is not read: it is what a hypervisor adds for Linux" },
};

static const char *const sentences[PARAMS_ERRORS] = {
	[PARAMS_OK] = "no error",
	[PARAMS_UNKNOWN] = "there is no such parameter",
	[PARAMS_NOT_NUMBER] = "not a number of the form this parameter takes",
	[PARAMS_RANGE] = "outside this parameter's range",
	[PARAMS_LONG] = "longer than any value of a parameter",
	[PARAMS_CHOICE] = "not one of the words this parameter takes",
};

const char *policy_name(u32 policy)
{
	return policies[policy];
}

const char *phase_by_name(u32 by)
{
	return phase_bys[by];
}

const char *params_strerror(enum params_error error)
{
	return error < PARAMS_ERRORS ? sentences[error] : "an unknown error";
}

void params_defaults(struct scenario_params *params)
{
	*params = (struct scenario_params){
		.scenario = "all",
		.core = "native",
		.expect = "release",
		.switches = TK_ALL,
		.clock = CLOCK_VIRTUAL,
		.tick = TICK_AUTO,
		.hz = 1000,
		.counter_hz = 0,
		.counter_bits = 64,
		.counter_start = 1ULL << 40,
		.start_s = YEAR_2026_SEC,
		.rate_ppt = 12345678,
		.seed = 1,
		.step_ns = 1000000,
		.samples = true,
		.discipline = {
			.noise = { .wander_s = 600 },
			.publisher = { .page_s = 1, .at_ms = 500 },
			.drift_file = true,
			.step_e15 = 100000000,
			.jump_ns = 1000,
		},
	};
}

static const struct field *find(const char *name)
{
	for (u32 i = 0; i < TB_ARRAY_SIZE(fields); i++)
		if (!strcmp(fields[i].name, name))
			return &fields[i];
	return NULL;
}

static enum params_error choose(const struct field *field, const char *value, u32 *to)
{
	for (u32 i = 0; field->choices[i]; i++) {
		if (!strcmp(field->choices[i], value)) {
			*to = i;
			return PARAMS_OK;
		}
	}
	return PARAMS_CHOICE;
}

enum params_error params_set(struct scenario_params *params, const char *name, const char *value)
{
	const struct field *field = find(name);
	void *to;
	u64 number;
	s64 fixed;

	if (!field)
		return PARAMS_UNKNOWN;
	to = (char *)params + field->offset;
	switch (field->kind) {
	case KIND_TEXT:
		return str_copy(to, field->size, value) && *value ? PARAMS_OK : PARAMS_CHOICE;
	case KIND_SWITCHES:
		return tk_switches_parse(value, to) ? PARAMS_CHOICE : PARAMS_OK;
	case KIND_CHOICE:
		return choose(field, value, to);
	case KIND_FIXED:
		if (!str_to_fixed(value, field->scale, &fixed))
			return PARAMS_NOT_NUMBER;
		if (fixed < field->low || fixed > field->high)
			return PARAMS_RANGE;
		*(s64 *)to = fixed;
		return PARAMS_OK;
	default:
		break;
	}
	if (!str_to_u64(value, &number))
		return PARAMS_NOT_NUMBER;
	if (field->high && (number < (u64)field->low || number > (u64)field->high))
		return PARAMS_RANGE;
	if (field->kind == KIND_BOOL)
		*(bool *)to = number;
	else if (field->kind == KIND_U32)
		*(u32 *)to = (u32)number;
	else
		*(u64 *)to = number;
	return PARAMS_OK;
}

enum params_error params_parse_line(struct scenario_params *params, const char **text, char *word,
				    size_t word_size)
{
	const char *at = *text;
	char value[128];

	params_defaults(params);
	for (;;) {
		enum params_error error;
		size_t length = 0, name_length = 0;

		while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')
			at++;
		while (at[length] && at[length] != ' ' && at[length] != '\t' &&
		       at[length] != '\n' && at[length] != '\r')
			length++;
		if (!length || (length == 1 && at[0] == '+')) {
			*text = at + length;
			return PARAMS_OK;
		}
		while (name_length < length && at[name_length] != '=')
			name_length++;
		str_copy(word, length + 1 < word_size ? length + 1 : word_size, at);
		if (name_length == length || name_length >= word_size)
			return PARAMS_UNKNOWN;
		if (length - name_length > sizeof(value))
			return PARAMS_LONG;
		str_copy(value, length - name_length, at + name_length + 1);
		word[name_length] = '\0';
		error = params_set(params, word, value);
		if (error) {
			str_copy(word, length + 1 < word_size ? length + 1 : word_size, at);
			return error;
		}
		at += length;
		if (params->end) {
			*text = at + strlen(at);
			return PARAMS_OK;
		}
	}
}

void params_help(const struct output *out)
{
	for (u32 i = 0; i < TB_ARRAY_SIZE(fields); i++) {
		const struct field *field = &fields[i];

		out_printf(out, "  %-13s ", field->name);
		if (field->high && field->kind != KIND_BOOL) {
			out_decimal(out, field->low, field->scale, field->scale);
			out_printf(out, " to ");
			out_decimal(out, field->high, field->scale, field->scale);
			out_printf(out, ": ");
		} else if (field->kind == KIND_BOOL) {
			out_printf(out, "0 or 1: ");
		}
		out_printf(out, "%s\n", field->meaning);
	}
}

bool params_counter_wide_enough(const struct scenario_params *params)
{
	const struct virtual_setup setup = params_virtual_setup(params);
	const u64 late =
		(u64)div_u128((u128)params->late_ns * setup.counter.hz, TB_NSEC_PER_SEC, NULL);

	return params->clock != CLOCK_VIRTUAL ||
	       3 * (setup.counter.hz / params->hz + 1) + late <= setup.counter.mask >> 1;
}

struct virtual_setup params_virtual_setup(const struct scenario_params *params)
{
	return (struct virtual_setup){
		.counter = {
			.hz = params->counter_hz ? params->counter_hz : NOMINAL_HZ,
			.mask = ~0ULL >> (64 - params->counter_bits),
			.khz = params->registered == REGISTER_KHZ,
		},
		.rate_ppt = params->rate_ppt,
		.start = params->counter_start,
		.sec = (s64)params->start_s,
	};
}
