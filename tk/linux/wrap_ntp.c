// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Includes a tree's own kernel/time/ntp.c unchanged, and adds functions that access its state. The
 * state is static variables, one struct, or one struct for each timekeeper, depending on the tree.
 * Compiled with the command that kbuild saved for that file; LIFT_NTP is its path.
 */
#include LIFT_NTP
#include "lift_has.h"
#include "tk/linux/lift.h"

#if LIFT_HAS_NTP_ARRAY
#define NTP(field) (tk_ntp_data[lift_ntp_of].field)
static unsigned int lift_ntp_of = TIMEKEEPER_CORE; /* whose NTP data NTP() is about */
#define lift_update_frequency() ntp_update_frequency(&tk_ntp_data[TIMEKEEPER_CORE])
#elif LIFT_HAS_NTP_STRUCT
#define NTP(field)		(tk_ntp_data.field)
#define lift_update_frequency() ntp_update_frequency(&tk_ntp_data)
#else
#define NTP(field)		(field)
#define lift_update_frequency() ntp_update_frequency()
#endif

#if LIFT_HAS_SKEW_DELTA
static s64 lift_skew_delta(void)
{
	return NTP(skew_delta);
}

static void lift_drop_skew(void)
{
	NTP(skew_delta) = 0;
}
#else
static s64 lift_skew_delta(void)
{
	return 0;
}

static void lift_drop_skew(void)
{
}
#endif

#if LIFT_HAS_TIME_ADJUST_FRAC
static s64 lift_time_adjust_frac(void)
{
	return NTP(time_adjust_frac);
}

static void lift_drop_adjust(void)
{
	NTP(time_adjust) = 0;
	NTP(time_adjust_frac) = 0;
}
#else
static s64 lift_time_adjust_frac(void)
{
	return 0;
}

static void lift_drop_adjust(void)
{
	NTP(time_adjust) = 0;
}
#endif

/* Trees that slew by changing tick_length also keep the length without the slew. */
#if LIFT_HAS_TICK_LENGTH_BASE
static void lift_drop_stretch(void)
{
	NTP(tick_length) = NTP(tick_length_base);
}
#else
static void lift_drop_stretch(void)
{
}
#endif

/* ntp_tick_adj= takes a text; kstrtos64() of it is lift_parameter, and fails for an empty one. */
static bool lift_refused;

void lift_ntp_boot(s64 tick_adj)
{
	char none[] = "", some[] = "1";

	lift_parameter = 0;
	lift_refused = ntp_tick_adj_setup(none) < 0;
	lift_parameter = tick_adj;
	lift_refused = ntp_tick_adj_setup(some) == 1 && lift_refused;
}

void lift_ntp_readings(struct tk_readings *readings)
{
	tk_readings_add(readings, TKR_TICK_USEC, (s64)NTP(tick_usec));
	tk_readings_add(readings, TKR_NTP_TICK_ADJ, lift_refused ? NTP(ntp_tick_adj) : -1);
	tk_readings_add(readings, TKR_TIME_ESTERROR, NTP(time_esterror));
	tk_readings_add(readings, TKR_TIME_REFTIME, NTP(time_reftime));
}

void lift_ntp_get(struct tk_state_ntp *ntp)
{
	*ntp = (struct tk_state_ntp){
		.tick_length = NTP(tick_length),
		.time_offset = NTP(time_offset),
		.skew_delta = lift_skew_delta(),
		.time_freq = NTP(time_freq),
		.time_adjust = NTP(time_adjust),
		.time_adjust_frac = lift_time_adjust_frac(),
		.time_maxerror = NTP(time_maxerror),
		.ntp_next_leap_sec = NTP(ntp_next_leap_sec),
		.time_state = NTP(time_state),
		.time_status = NTP(time_status),
		.time_constant = NTP(time_constant),
	};
}

#if LIFT_HAS_AUX
void lift_aux_ntp_get(u32 id, struct tk_state_ntp *ntp)
{
	lift_ntp_of = TIMEKEEPER_AUX_FIRST + id;
	lift_ntp_get(ntp);
	lift_ntp_of = TIMEKEEPER_CORE;
}
#endif

/* The arguments are called lift_*: in some trees time_offset and others are static variables. */
void lift_ntp_follow(u64 lift_length)
{
	NTP(time_offset) = 0;
	lift_drop_adjust();
	lift_drop_skew();
	lift_drop_stretch();

	/*
	 * The tree itself computes the second's length without time_freq, from tick_usec,
	 * ntp_tick_adj and cs_tick_adj. Every addend is a multiple of HZ, so the division by HZ is
	 * exact.
	 */
	NTP(time_freq) = 0;
	lift_update_frequency();
	NTP(time_freq) = (s64)(lift_length - NTP(tick_length)) * HZ;
	lift_update_frequency();
}

#if LIFT_HAS_SKEW_DELTA && LIFT_HAS_TIME_ADJUST_FRAC
/*
 * Gives adjtime a phase, and returns its share of a second, ns * 2^32 / HZ. What set_reference()
 * slews is below 2^29 ns.
 */
static s64 lift_plan_linear(s64 lift_offset)
{
	const s64 lift_usec = 1000LL << NTP_SCALE_SHIFT;
	const s64 lift_phase = lift_offset * HZ;
	const s64 lift_whole = div64_s64(lift_phase, lift_usec);

	NTP(time_adjust) = (long)lift_whole;
	NTP(time_adjust_frac) = lift_phase - lift_whole * lift_usec;
	if (lift_whole >= 500)
		return div_s64(500 * lift_usec, HZ);
	if (lift_whole <= -500)
		return div_s64(-500 * lift_usec, HZ);
	return div_s64(lift_phase, HZ);
}

bool lift_ntp_slew(s64 lift_offset, bool lift_linear)
{
	s64 lift_share;

	if (lift_linear) {
		lift_share = lift_plan_linear(lift_offset);
	} else {
		NTP(time_offset) = lift_offset;
		lift_share = div_s64(lift_offset, 1 << (2 + (int)NTP(time_constant)));
		if (!lift_share)
			lift_share = lift_offset;
	}
	NTP(skew_delta) = div_s64(lift_share, HZ);
	if (!NTP(skew_delta) && lift_share)
		NTP(skew_delta) = lift_share > 0 ? 1 : -1;
	return true;
}
#else
bool lift_ntp_slew(s64 lift_offset, bool lift_linear)
{
	(void)lift_offset;
	(void)lift_linear;
	return false;
}
#endif

void lift_ntp_set_offset(s64 lift_offset)
{
	NTP(time_offset) = lift_offset;
}
