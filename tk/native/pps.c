// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The native core: the discipline by a pulse per second, as a kernel with CONFIG_NTP_PPS has it
 * (docs/core.md). The raw clock's time between two pulses calibrates the frequency, over intervals
 * that grow while the result is stable. What CLOCK_REALTIME reads at a pulse is the phase.
 */
#include "lib/math.h"
#include "tk/native/native.h"

#define SECONDS_VALID 10     /* without a pulse, until the signal is taken to be lost */
#define SHIFT_LEAST   2	     /* calibration intervals of 4 s */
#define SHIFT_MOST    8	     /* to 256 s */
#define RUN_OF	      4	     /* that many alike before the interval's length changes */
#define FREQ_OFF_NS   500000 /* ns a second: a pulse that is further off is none */
#define WANDER_NS     100000 /* ns a second */
#define SPIKE_SHIFT   4	     /* a phase this far above the jitter is noise */
#define AVERAGE_SHIFT 2	     /* each new value counts a quarter */
#define ERRORS	      (TK_STA_PPSJITTER | TK_STA_PPSWANDER | TK_STA_PPSERROR)

/* A duration as the nearest second, and what it is off from it: from -0.5 s, which is excluded. */
struct beat {
	s64 sec, off_ns;
};

static struct beat beat_of(s64 ns)
{
	/* Rounded down, also below 0; a half is rounded down too. */
	const s64 up = ns + NSEC / 2 - 1;
	struct beat beat = { .sec = up / NSEC - (up % NSEC < 0) };

	beat.off_ns = ns - beat.sec * NSEC;
	return beat;
}

static void restart_intervals(struct pps_data *pps)
{
	pps->shift = SHIFT_LEAST;
	pps->run = 0;
}

void pps_clear(struct pps_data *pps)
{
	restart_intervals(pps);
	pps->phase[0] = pps->phase[1] = 0;
	pps->base_ns = 0;
	pps->freq = 0;
}

void pps_set_freq(struct ntp_data *ntp)
{
	ntp->pps.freq = ntp->time_freq;
}

void pps_unlocked(struct pps_data *pps)
{
	restart_intervals(pps);
}

void pps_second(struct ntp_data *ntp)
{
	if (!ntp->pps.configured)
		return;
	if (ntp->pps.valid) {
		ntp->pps.valid--;
		return;
	}
	ntp->time_status &= ~(TK_STA_PPSSIGNAL | ERRORS);
	pps_clear(&ntp->pps);
}

bool pps_at_fault(const struct ntp_data *ntp)
{
	const bool freq = ntp->time_status & TK_STA_PPSFREQ;
	const bool time = ntp->time_status & TK_STA_PPSTIME;

	if (!ntp->pps.configured)
		return false;
	if ((freq || time) && !(ntp->time_status & TK_STA_PPSSIGNAL))
		return true;
	return (time && ntp->time_status & TK_STA_PPSJITTER) ||
	       (freq && ntp->time_status & (TK_STA_PPSWANDER | TK_STA_PPSERROR));
}

void pps_tell(const struct ntp_data *ntp, struct tk_timex *timex)
{
	const struct pps_data *pps = &ntp->pps;

	if (!pps->configured) {
		timex->ppsfreq = timex->jitter = timex->shift = timex->stabil = 0;
		timex->jitcnt = timex->calcnt = timex->errcnt = timex->stbcnt = 0;
		return;
	}
	timex->ppsfreq = pps->freq;
	timex->jitter = ntp->time_status & TK_STA_NANO ? pps->jitter : pps->jitter / 1000;
	timex->shift = pps->shift;
	timex->stabil = pps->stabil;
	timex->jitcnt = pps->jitcnt;
	timex->calcnt = pps->calcnt;
	timex->errcnt = pps->errcnt;
	timex->stbcnt = pps->stbcnt;
}

/* After RUN_OF intervals that were all stable, or all not, their length doubles or halves. */
static void count_interval(struct pps_data *pps, bool stable)
{
	const s32 step = stable ? 1 : -1;

	pps->run += step;
	if (pps->run * step < RUN_OF)
		return;
	pps->run = RUN_OF * step;
	if (pps->shift != (stable ? SHIFT_MOST : SHIFT_LEAST)) {
		pps->shift += step;
		pps->run = 0;
	}
}

/*
 * An interval has ended: it lasted `beat` by the raw clock. Returns whether time_freq was set.
 */
static bool calibrate(struct ntp_data *ntp, const struct beat *beat)
{
	struct pps_data *pps = &ntp->pps;
	s64 freq, change;

	if (beat->sec > 2LL << pps->shift) {
		ntp->time_status |= TK_STA_PPSERROR;
		pps->errcnt++;
		count_interval(pps, false);
		return false;
	}
	/* |off_ns| is at most 500000 a second, and an interval at most 512 s: below 2^60. */
	freq = -beat->off_ns * (1LL << NTP_SCALE_SHIFT) / beat->sec;
	change = (freq - pps->freq) / (1LL << NTP_SCALE_SHIFT);
	pps->freq = freq;
	if (magnitude(change) > WANDER_NS) {
		ntp->time_status |= TK_STA_PPSWANDER;
		pps->stbcnt++;
	}
	count_interval(pps, magnitude(change) <= WANDER_NS);
	/* ppm * 2^16 of ns a second; an average that is rounded down. */
	pps->stabil += (magnitude(change) * (1LL << 16) / 1000 - pps->stabil) >> AVERAGE_SHIFT;
	if (!(ntp->time_status & TK_STA_PPSFREQ) || ntp->time_status & TK_STA_FREQHOLD)
		return false;
	ntp->time_freq = freq;
	return true;
}

/* The latest two phases are the filter: the difference is the jitter, the later one is taken. */
static void correct_phase(struct ntp_data *ntp, u32 hz, s64 late_ns)
{
	struct pps_data *pps = &ntp->pps;
	s64 jitter;

	pps->phase[1] = pps->phase[0];
	pps->phase[0] = -late_ns;
	jitter = magnitude(pps->phase[0] - pps->phase[1]);
	if (jitter > pps->jitter << SPIKE_SHIFT) {
		ntp->time_status |= TK_STA_PPSJITTER;
		pps->jitcnt++;
	} else if (ntp->time_status & TK_STA_PPSTIME) {
		ntp->time_offset = pps->phase[0] * (1LL << NTP_SCALE_SHIFT) / (s64)hz;
		ntp->time_adjust = ntp->time_adjust_frac = 0;
	}
	pps->jitter += (jitter - pps->jitter) >> AVERAGE_SHIFT;
}

bool hardpps(struct ntp_data *ntp, u32 hz, const struct tk_pulse *pulse)
{
	const s64 raw_ns = pulse->raw_sec * NSEC + pulse->raw_nsec;
	struct pps_data *pps = &ntp->pps;
	bool freq_set = false;
	struct beat beat;

	ntp->time_status &= ~ERRORS;
	ntp->time_status |= TK_STA_PPSSIGNAL;
	pps->valid = SECONDS_VALID;
	/* A pulse in the raw clock's first second counts as none: 0 s means that there is no base.
	 */
	if (pps->base_ns < NSEC) {
		pps->base_ns = raw_ns;
		return false;
	}
	beat = beat_of(raw_ns - pps->base_ns);
	if (beat.sec <= 0 || magnitude(beat.off_ns) > FREQ_OFF_NS * beat.sec) {
		ntp->time_status |= TK_STA_PPSJITTER;
		pps->base_ns = raw_ns;
		return false;
	}
	if (beat.sec >= 1LL << pps->shift) {
		pps->calcnt++;
		pps->base_ns = raw_ns;
		freq_set = calibrate(ntp, &beat);
	}
	correct_phase(ntp, hz, beat_of(pulse->real_nsec).off_ns);
	return freq_set;
}
