// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The native core: the NTP code. It computes the tick length from time_freq, adjtimex's tick and
 * cs_tick_adj. Once a second it handles leap seconds and plans how much phase the next second
 * slews.
 */
#include "lib/math.h"
#include "tk/native/native.h"

#define USEC_Q32       (1000LL << NTP_SCALE_SHIFT) /* a microsecond, ns * 2^32 */
#define USER_HZ	       100
#define TICKADJ_USEC   500	/* the most that adjtime slews in a second */
#define PHASE_LIMIT    16000000 /* us: at this time_maxerror the clock is unsynchronised */
#define PHASE_MAX_NSEC 500000000LL
#define FREQ_MAX       (500000LL << NTP_SCALE_SHIFT) /* 500 ppm */
#define FREQ_MAX_PPM   500
#define PLL_SHIFT      2
#define FLL_SHIFT      2
#define FLL_MIN_SEC    256
#define FLL_MAX_SEC    2048
#define CONSTANT_MAX   10
#define TAI_MAX	       100000
#define DAY	       86400
#define STA_CLOCKERR   0x1000

/* User space has freq in ppm * 2^16. One such unit is 1000 * 2^16 in ns * 2^32 a second. */
#define FREQ_UNIT	(1000LL << 16)
#define FREQ_BACK_SHIFT 19
#define FREQ_BACK	((1LL << (FREQ_BACK_SHIFT + NTP_SCALE_SHIFT)) / FREQ_UNIT + 1)

static s64 signof(s64 x)
{
	return x < 0 ? -1 : 1;
}

static s64 smaller(s64 a, s64 b)
{
	return a < b ? a : b;
}

static s64 within(s64 x, s64 low, s64 high)
{
	return x < low ? low : x > high ? high : x;
}

/* x / 2^n, towards zero. */
static s64 shifted(s64 x, u32 n)
{
	return signof(x) * (magnitude(x) >> n);
}

void ntp_init(struct ntp_data *ntp, s64 tick_adj)
{
	*ntp = (struct ntp_data){
		.ntp_tick_adj = (s64)((u64)tick_adj << NTP_SCALE_SHIFT),
		.tick_usec = 1000000 / USER_HZ,
		.time_constant = PLL_SHIFT,
		.time_status = TK_STA_UNSYNC,
		.time_maxerror = PHASE_LIMIT,
		.time_esterror = PHASE_LIMIT,
		.ntp_next_leap_sec = TK_NO_LEAP,
	};
}

u64 ntp_second_length(const struct timekeeper *tk)
{
	const struct ntp_data *ntp = &tk->ntp;
	u64 nominal = (u64)(ntp->tick_usec * 1000 * USER_HZ) << NTP_SCALE_SHIFT;

	return nominal + (u64)ntp->ntp_tick_adj + (u64)ntp->cs_tick_adj + (u64)ntp->time_freq;
}

void ntp_update_frequency(struct timekeeper *tk)
{
	struct ntp_data *ntp = &tk->ntp;
	u64 base = ntp_second_length(tk) / tk->hz;

	/* Takes effect at once. What this second's slew added to tick_length stays. */
	ntp->tick_length += base - ntp->tick_length_base;
	ntp->tick_length_base = base;
}

void ntp_clear(struct timekeeper *tk)
{
	struct ntp_data *ntp = &tk->ntp;

	ntp->time_offset = ntp->skew_delta = 0;
	ntp->time_adjust = ntp->time_adjust_frac = 0;
	ntp->time_status |= TK_STA_UNSYNC;
	ntp->time_maxerror = ntp->time_esterror = PHASE_LIMIT;
	ntp->ntp_next_leap_sec = TK_NO_LEAP;
	ntp_update_frequency(tk);
	ntp->tick_length = ntp->tick_length_base;
	pps_clear(&ntp->pps);
}

static s64 to_midnight(s64 sec)
{
	return DAY - sec % DAY;
}

/* The leap second's states: a status bit arms it, it is due at midnight UTC, and then disarmed. */
static s32 leap_second(struct ntp_data *ntp, s64 sec)
{
	const bool insert = ntp->time_status & TK_STA_INS, delete = ntp->time_status & TK_STA_DEL;

	switch (ntp->time_state) {
	case TK_TIME_OK:
		if (insert) {
			ntp->time_state = TK_TIME_INS;
			ntp->ntp_next_leap_sec = sec + to_midnight(sec);
		} else if (delete) {
			/* One second earlier: 23:59:59 is skipped. */
			ntp->time_state = TK_TIME_DEL;
			ntp->ntp_next_leap_sec = sec + to_midnight(sec + 1);
		}
		return 0;
	case TK_TIME_INS:
	case TK_TIME_DEL:
		if (ntp->time_state == TK_TIME_INS ? !insert : !delete) {
			ntp->time_state = TK_TIME_OK;
			ntp->ntp_next_leap_sec = TK_NO_LEAP;
			return 0;
		}
		if (sec != ntp->ntp_next_leap_sec)
			return 0;
		if (ntp->time_state == TK_TIME_INS) {
			/* ntp_next_leap_sec stays set during the repeated second. */
			ntp->time_state = TK_TIME_OOP;
			return -1;
		}
		ntp->time_state = TK_TIME_WAIT;
		ntp->ntp_next_leap_sec = TK_NO_LEAP;
		return 1;
	case TK_TIME_OOP:
		ntp->time_state = TK_TIME_WAIT;
		ntp->ntp_next_leap_sec = TK_NO_LEAP;
		return 0;
	default:
		if (!insert && !delete)
			ntp->time_state = TK_TIME_OK;
		return 0;
	}
}

/*
 * The exponential share of time_offset, or all of it while pulses tell the phase. With `tail`, all
 * of time_offset once that share is 0.
 */
static s64 ntp_offset_chunk(const struct timekeeper *tk)
{
	const s32 pulses = TK_STA_PPSTIME | TK_STA_PPSSIGNAL;
	s64 share = shifted(tk->ntp.time_offset, PLL_SHIFT + (u32)tk->ntp.time_constant);

	if ((tk->ntp.time_status & pulses) == pulses)
		return tk->ntp.time_offset;
	return !share && has(tk, TK_TAIL) ? tk->ntp.time_offset : share;
}

/* Without `skew`: subtracts the second's shares at once and lengthens the second's ticks by them.
 */
static void stretch_ticks(struct timekeeper *tk)
{
	struct ntp_data *ntp = &tk->ntp;
	s64 share = ntp_offset_chunk(tk);

	ntp->time_offset -= share;
	ntp->tick_length = ntp->tick_length_base + (u64)share;
	pps_second(ntp);

	if (magnitude(ntp->time_adjust) > TICKADJ_USEC) {
		s64 most = TICKADJ_USEC * USEC_Q32 / tk->hz;

		ntp->time_adjust -= signof(ntp->time_adjust) * TICKADJ_USEC;
		ntp->tick_length += (u64)(signof(ntp->time_adjust) * most);
	} else if (ntp->time_adjust) {
		/* Whole nanoseconds a tick: the kernel divides before it scales. */
		ntp->tick_length += (u64)(ntp->time_adjust * 1000 / (s64)tk->hz) << NTP_SCALE_SHIFT;
		ntp->time_adjust = 0;
	}
}

/* Gives time_adjust_frac the sign of time_adjust and a magnitude below one microsecond. */
static void normalize_time_adjust_frac(struct ntp_data *ntp)
{
	s64 whole = ntp->time_adjust_frac / USEC_Q32;

	ntp->time_adjust += whole;
	ntp->time_adjust_frac -= whole * USEC_Q32;
	if (ntp->time_adjust && ntp->time_adjust_frac &&
	    signof(ntp->time_adjust) != signof(ntp->time_adjust_frac)) {
		s64 lent = signof(ntp->time_adjust);

		ntp->time_adjust -= lent;
		ntp->time_adjust_frac += lent * USEC_Q32;
	}
}

/* Moves `amount` from time_offset to time_adjust: opposing slews cancel and do not move the clock.
 */
static void ntp_transfer_offset_adjust(struct timekeeper *tk, s64 amount)
{
	struct ntp_data *ntp = &tk->ntp;

	if (magnitude(amount) > magnitude(ntp->time_offset))
		amount = ntp->time_offset;
	if (!amount)
		return;
	ntp->time_offset -= amount;
	ntp->time_adjust_frac += amount * (s64)tk->hz;
	normalize_time_adjust_frac(ntp);
}

static s64 ntp_adjust_chunk(const struct timekeeper *tk)
{
	const struct ntp_data *ntp = &tk->ntp;
	s64 phase, share;

	if (!ntp->time_adjust && !ntp->time_adjust_frac)
		return 0;
	if (magnitude(ntp->time_adjust) >= TICKADJ_USEC)
		phase = signof(ntp->time_adjust) * TICKADJ_USEC * USEC_Q32;
	else
		phase = ntp->time_adjust * USEC_Q32 + ntp->time_adjust_frac;
	share = phase / (s64)tk->hz;
	return share ? share : signof(ntp->time_adjust_frac);
}

/* With `skew`: plans the skew_delta that each tick of the second delivers and subtracts. */
void ntp_plan_skew(struct timekeeper *tk)
{
	struct ntp_data *ntp = &tk->ntp;
	s64 offset, adjtime, net;

	if (!ntp->time_offset && !ntp->time_adjust && !ntp->time_adjust_frac) {
		ntp->skew_delta = 0;
		return;
	}
	offset = ntp_offset_chunk(tk);
	adjtime = ntp_adjust_chunk(tk);
	if (offset && adjtime && signof(offset) != signof(adjtime))
		ntp_transfer_offset_adjust(
			tk, signof(offset) * smaller(magnitude(offset), magnitude(adjtime)));

	net = offset + adjtime;
	ntp->skew_delta = net / (s64)tk->hz;
	/* A share smaller than one unit a tick: each tick delivers one unit. */
	if (!ntp->skew_delta && net)
		ntp->skew_delta = signof(net);
}

s32 second_overflow(struct timekeeper *tk, s64 sec)
{
	struct ntp_data *ntp = &tk->ntp;
	s32 leap = leap_second(ntp, sec);

	ntp->time_maxerror += FREQ_MAX_PPM;
	if (ntp->time_maxerror > PHASE_LIMIT) {
		ntp->time_maxerror = PHASE_LIMIT;
		ntp->time_status |= TK_STA_UNSYNC;
	}
	if (has(tk, TK_SKEW)) {
		pps_second(ntp);
		ntp_plan_skew(tk);
	} else {
		stretch_ticks(tk);
	}
	return leap;
}

/* adjtime's part of a drain, at most 500 us a second. Returns the rest, for time_offset. */
static s64 ntp_drain_time_adjust(struct timekeeper *tk, s64 amount, u32 k)
{
	struct ntp_data *ntp = &tk->ntp;
	s64 owed = ntp->time_adjust ? ntp->time_adjust : ntp->time_adjust_frac;
	s64 most = (s64)((u64)(TICKADJ_USEC * USEC_Q32 / tk->hz) << k);
	s64 deliver, short_of;

	if (!amount || !owed || signof(amount) != signof(owed))
		return amount;
	deliver = smaller(magnitude(amount) * (s64)tk->hz, most);
	short_of = deliver - magnitude(ntp->time_adjust_frac);
	if (short_of > 0 && ntp->time_adjust) {
		/* Moves whole microseconds, rounded up, into time_adjust_frac. */
		s64 usec = (short_of + USEC_Q32 - 1) / USEC_Q32;

		usec = signof(owed) * smaller(usec, magnitude(ntp->time_adjust));
		ntp->time_adjust -= usec;
		ntp->time_adjust_frac += usec * USEC_Q32;
	}
	deliver = smaller(deliver, magnitude(ntp->time_adjust_frac));
	ntp->time_adjust_frac -= signof(ntp->time_adjust_frac) * deliver;
	return amount - signof(amount) * (deliver / (s64)tk->hz);
}

s64 ntp_drain_skew(struct timekeeper *tk, s64 skew_delta, u32 k)
{
	struct ntp_data *ntp = &tk->ntp;
	s64 amount = skew_delta * (1LL << k);
	s64 left = ntp_drain_time_adjust(tk, amount, k);
	s64 part;

	if (left && signof(left) == signof(ntp->time_offset)) {
		part = signof(left) * smaller(magnitude(left), magnitude(ntp->time_offset));
		ntp->time_offset -= part;
		left -= part;
	}
	return amount - left;
}

enum tk_error timekeeping_validate_timex(const struct tk_timex *timex)
{
	if (timex->modes & TK_ADJ_ADJTIME) {
		if (!(timex->modes & TK_ADJ_OFFSET))
			return TK_EINVAL;
	} else if (timex->modes & TK_ADJ_TICK &&
		   (timex->tick < 900000 / USER_HZ || timex->tick > 1100000 / USER_HZ)) {
		return TK_EINVAL;
	}
	if (timex->modes & TK_ADJ_SETOFFSET) {
		s64 limit = timex->modes & TK_ADJ_NANO ? NSEC : 1000000;

		if (timex->time_usec < 0 || timex->time_usec >= limit)
			return TK_EINVAL;
	}
	if (timex->modes & TK_ADJ_FREQUENCY &&
	    magnitude(timex->freq) > (s64)(~0ULL >> 1) / FREQ_UNIT)
		return TK_EINVAL;
	return TK_OK;
}

/* A phase measurement: time_offset becomes the offset, and PLL or FLL change time_freq by it. */
static void ntp_update_offset(struct timekeeper *tk, s64 offset)
{
	struct ntp_data *ntp = &tk->ntp;
	const u32 gain = PLL_SHIFT + (u32)ntp->time_constant;
	s64 change = 0, sec;

	if (!(ntp->time_status & TK_STA_PLL))
		return;
	if (!(ntp->time_status & TK_STA_NANO))
		offset = within(offset, -1000000, 1000000) * 1000;
	offset = within(offset, -PHASE_MAX_NSEC, PHASE_MAX_NSEC);

	sec = ntp->time_status & TK_STA_FREQHOLD ? 0 : tk->xtime_sec - ntp->time_reftime;
	ntp->time_reftime = tk->xtime_sec;

	ntp->time_status &= ~TK_STA_MODE;
	if (sec >= FLL_MIN_SEC && (ntp->time_status & TK_STA_FLL || sec > FLL_MAX_SEC)) {
		ntp->time_status |= TK_STA_MODE;
		change = offset * (1LL << (NTP_SCALE_SHIFT - FLL_SHIFT)) / sec;
	}
	sec = smaller(sec, 1LL << (gain + 1));
	/* |offset| < 2^29, sec <= 2^(constant + 3), scale 2^(24 - 2 constant): below 2^56. */
	change += offset * sec * (1LL << (NTP_SCALE_SHIFT - 2 * (gain + 2)));
	ntp->time_freq = within(change + ntp->time_freq, -FREQ_MAX, FREQ_MAX);
	ntp->time_offset = offset * (1LL << NTP_SCALE_SHIFT) / (s64)tk->hz;
}

static void process_adj_status(struct timekeeper *tk, s32 status)
{
	struct ntp_data *ntp = &tk->ntp;

	if (ntp->time_status & TK_STA_PLL && !(status & TK_STA_PLL)) {
		ntp->time_state = TK_TIME_OK;
		ntp->time_status = TK_STA_UNSYNC;
		ntp->ntp_next_leap_sec = TK_NO_LEAP;
		pps_unlocked(&ntp->pps);
	}
	if (!(ntp->time_status & TK_STA_PLL) && status & TK_STA_PLL)
		ntp->time_reftime = tk->xtime_sec;
	ntp->time_status = (ntp->time_status & TK_STA_RONLY) | (status & ~TK_STA_RONLY);
}

static void process_adjtimex_modes(struct timekeeper *tk, const struct tk_timex *timex, s32 *tai)
{
	struct ntp_data *ntp = &tk->ntp;

	if (timex->modes & TK_ADJ_STATUS)
		process_adj_status(tk, timex->status);
	if (timex->modes & TK_ADJ_NANO)
		ntp->time_status |= TK_STA_NANO;
	if (timex->modes & TK_ADJ_MICRO)
		ntp->time_status &= ~TK_STA_NANO;
	if (timex->modes & TK_ADJ_FREQUENCY) {
		ntp->time_freq = within(timex->freq * FREQ_UNIT, -FREQ_MAX, FREQ_MAX);
		pps_set_freq(ntp);
	}
	if (timex->modes & TK_ADJ_MAXERROR)
		ntp->time_maxerror = within(timex->maxerror, 0, PHASE_LIMIT);
	if (timex->modes & TK_ADJ_ESTERROR)
		ntp->time_esterror = within(timex->esterror, 0, PHASE_LIMIT);
	if (timex->modes & TK_ADJ_TIMECONST) {
		/* Without STA_NANO, user space gives a constant that is 4 smaller. */
		s64 constant = within(timex->constant, 0, CONSTANT_MAX);

		if (!(ntp->time_status & TK_STA_NANO))
			constant += 4;
		ntp->time_constant = (s32)within(constant, 0, CONSTANT_MAX);
	}
	if (timex->modes & TK_ADJ_TAI && timex->constant >= 0 && timex->constant <= TAI_MAX)
		*tai = (s32)timex->constant;
	if (timex->modes & TK_ADJ_OFFSET)
		ntp_update_offset(tk, timex->offset);
	if (timex->modes & TK_ADJ_TICK)
		ntp->tick_usec = timex->tick;
	if (timex->modes & (TK_ADJ_TICK | TK_ADJ_FREQUENCY | TK_ADJ_OFFSET))
		ntp_update_frequency(tk);
}

/* The state that adjtimex() returns, with time and TAI offset corrected around a leap second. */
static void tell_state(const struct ntp_data *ntp, struct tk_timex *timex, s64 sec)
{
	const bool error = ntp->time_status & (TK_STA_UNSYNC | STA_CLOCKERR) || pps_at_fault(ntp);

	timex->state = error ? TK_TIME_ERROR : ntp->time_state;
	if (sec < ntp->ntp_next_leap_sec)
		return;
	/* The leap second is due, but no tick has come since. */
	if (ntp->time_state == TK_TIME_INS && ntp->time_status & TK_STA_INS) {
		timex->state = TK_TIME_OOP;
		timex->tai++;
		timex->time_sec--;
	} else if (ntp->time_state == TK_TIME_DEL && ntp->time_status & TK_STA_DEL) {
		timex->state = TK_TIME_WAIT;
		timex->tai--;
		timex->time_sec++;
	} else if (ntp->time_state == TK_TIME_OOP && sec == ntp->ntp_next_leap_sec) {
		timex->state = TK_TIME_WAIT;
	}
}

/* A frequency as user space has it. */
static s64 freq_told(s64 freq)
{
	return shifted((freq >> FREQ_BACK_SHIFT) * FREQ_BACK, NTP_SCALE_SHIFT);
}

void ntp_adjtimex(struct timekeeper *tk, struct tk_timex *timex, s64 sec, u32 nsec, s32 *tai)
{
	struct ntp_data *ntp = &tk->ntp;
	bool nano;

	if (timex->modes & TK_ADJ_ADJTIME) {
		s64 before = ntp->time_adjust;

		if (!(timex->modes & TK_ADJ_READONLY)) {
			ntp->time_adjust = timex->offset;
			ntp->time_adjust_frac = 0;
			ntp_update_frequency(tk);
		}
		timex->offset = before;
	} else {
		if (timex->modes)
			process_adjtimex_modes(tk, timex, tai);
		timex->offset = shifted(ntp->time_offset * (s64)tk->hz, NTP_SCALE_SHIFT);
		if (!(ntp->time_status & TK_STA_NANO))
			timex->offset /= 1000;
	}
	nano = ntp->time_status & TK_STA_NANO;
	timex->freq = freq_told(ntp->time_freq);
	timex->maxerror = ntp->time_maxerror;
	timex->esterror = ntp->time_esterror;
	timex->status = ntp->time_status;
	timex->constant = ntp->time_constant;
	timex->precision = 1;
	timex->tolerance = FREQ_MAX / FREQ_UNIT;
	pps_tell(ntp, timex);
	timex->ppsfreq = freq_told(timex->ppsfreq);
	timex->tick = ntp->tick_usec;
	timex->tai = *tai;
	timex->time_sec = sec;
	timex->time_usec = nano ? nsec : nsec / 1000;
	tell_state(ntp, timex, sec);
}
