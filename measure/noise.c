// SPDX-License-Identifier: GPL-2.0-or-later
/* The random parts of a true time, in integers. */
#include "lib/random.h"
#include "measure/noise.h"
#include "measure/record.h"

#define E18	    1000000000000000000ULL
#define NORMAL_UNIT (1LL << 16)
#define Z_UNIT	    (1LL << 30)
#define CELL_ROOT   4 /* of NOISE_CELLS: a walk of so much in a cell is one of 1 in a second */
#define PS_PER_SEC  1000000000000ULL

#define CELL_PS (PS_PER_SEC / NOISE_CELLS)

/* Sources of variance v, one an octave, have S(f) = v / (ln 2 f), and an Allan variance of 2v. */
#define HALF_ROOT_E5 70711

enum stream {
	WHITE,
	FLICKER,
	WALK
};

s64 noise_normal(u64 *random)
{
	s64 sum = 0;

	for (u32 i = 0; i < 3; i++) {
		const u64 bits = random_next(random);

		sum += (s64)((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) +
			     (bits >> 48));
	}
	return sum - 12 * 65535 / 2;
}

/* value * normal: below 2^60 * 2^19. */
static s64 times_normal(s64 value, u64 *random)
{
	return (s64)div_s128((s128)value * noise_normal(random), NORMAL_UNIT);
}

static s64 flicker_e18(struct noise *noise)
{
	const s64 each_e18 = noise->params.flicker_e15 * HALF_ROOT_E5 / 100;
	s64 sum = 0;

	if (!each_e18)
		return 0;
	for (u32 i = 0; i < NOISE_FLICKERS; i++) {
		if (!(noise->cells & ((1ULL << i) - 1)))
			noise->flicker_e18[i] = times_normal(each_e18, &noise->random[FLICKER]);
		sum += noise->flicker_e18[i];
	}
	return sum;
}

static s64 walk_e18(struct noise *noise)
{
	const s64 each_e18 = noise->params.walk_e15 * 1000 / CELL_ROOT;

	if (each_e18)
		noise->walk_e18 += times_normal(each_e18, &noise->random[WALK]);
	return noise->walk_e18;
}

/*
 * z goes from -1 to 1 in half a period and back in the other, from 0 at first, and z (3 - z^2) / 2
 * is what a sine does meanwhile.
 */
static s64 wander_e18(const struct noise *noise)
{
	const s64 half = (s64)noise->params.wander_s * NOISE_CELLS; /* a period, in half cells */
	const s64 at = (s64)((2 * noise->cells + (u64)half / 2) % (2 * (u64)half));
	const s64 up = at < half ? at : 2 * half - at;
	const s64 z = up * 2 * Z_UNIT / half - Z_UNIT;
	const s64 sine = z * (3 * Z_UNIT - z * z / Z_UNIT) / (2 * Z_UNIT);

	return (s64)((s128)noise->params.wander_e15 * 1000 * sine >> 30);
}

static void next_cell(struct noise *noise)
{
	struct noise_cell *now = &noise->now;
	s64 frequency_e18, recorded_fs;

	noise->before = *now;
	now->counter += noise->cell_cycles;
	now->phase += now->change;
	frequency_e18 = flicker_e18(noise) + walk_e18(noise) + wander_e18(noise) + noise->step_e18;
	noise->cells++;
	recorded_fs = record_has_pairs() ? record_phase_fs(noise->cells * CELL_PS) -
						   record_phase_fs((noise->cells - 1) * CELL_PS)
					 : 0;
	/* A cell is a second / 16: 2^60 units of 2^-64 s. Below 2^63 * 2^60. */
	now->change = div_s128((s128)frequency_e18 * (1LL << 60), E18) +
		      div_s128((s128)recorded_fs * ((s128)1 << 64), TB_FSEC_PER_SEC);
}

void noise_init(struct noise *noise, const struct noise_params *params, u64 seed, u64 hz,
		u64 counter)
{
	u64 seeds = seed;

	*noise = (struct noise){ .params = *params, .cell_cycles = hz / NOISE_CELLS };
	for (u32 i = 0; i < TB_ARRAY_SIZE(noise->random); i++)
		noise->random[i] = random_next(&seeds);
	noise->now.counter = counter - noise->cell_cycles;
	next_cell(noise);
	noise->before = noise->now;
}

instant noise_phase(struct noise *noise, u64 counter)
{
	const struct noise_cell *cell = &noise->now;

	while ((s64)(counter - noise->now.counter) >= (s64)noise->cell_cycles)
		next_cell(noise);
	if ((s64)(counter - cell->counter) < 0)
		cell = &noise->before;
	/* A change below 2^63 times the cycles of a cell, below 2^30. */
	return cell->phase +
	       div_s128(cell->change * (s64)(counter - cell->counter), noise->cell_cycles);
}

instant noise_white(struct noise *noise)
{
	const s64 ps = noise->params.white_ps;

	if (!ps)
		return 0;
	/* 2^30 ps * 2^19 * 2^64 / 2^16, below 2^98. */
	return div_s128((s128)ps * noise_normal(&noise->random[WHITE]) * ((s128)1 << 48),
			PS_PER_SEC);
}

void noise_step_frequency(struct noise *noise, s64 by_e15)
{
	noise->step_e18 += by_e15 * 1000;
}

void noise_step_phase(struct noise *noise, instant by)
{
	noise->before.phase += by;
	noise->now.phase += by;
}
