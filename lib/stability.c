// SPDX-License-Identifier: GPL-2.0-or-later
/* Statistics over tau in bounded memory: each decade is made of blocks of a tenth of its tau. */
#include "lib/instant.h"
#include "lib/math.h"
#include "lib/stability.h"

#define LIMIT_FS      (1LL << 60)
#define SQUARE_BITS   48
#define MANTISSA_BITS 120 /* of a mean square, before its root is taken */

static void squares_add(struct squares *squares, s128 value)
{
	const u128 size = value < 0 ? -(u128)value : (u128)value;
	u64 term;

	while (size >> squares->shift >> SQUARE_BITS) {
		squares->shift++;
		squares->sum >>= 2;
	}
	term = (u64)(size >> squares->shift);
	squares->sum += (u128)term * term;
	squares->count++;
}

/* sqrt(sum / (n count)) as root * 2^exponent. 0: there is none. */
static u64 squares_root(const struct squares *squares, u64 n, s32 *exponent)
{
	u128 mean, rest;
	s32 bits = 0;

	*exponent = (s32)squares->shift;
	if (!squares->count || !squares->sum)
		return 0;
	mean = squares->sum;
	while (!(mean >> MANTISSA_BITS)) {
		mean <<= 2;
		bits++;
	}
	mean = div_u128(mean, (u128)squares->count * n, &rest);
	while (!(mean >> MANTISSA_BITS)) {
		mean <<= 2;
		bits++;
	}
	*exponent -= bits;
	return root(mean);
}

/*
 * value * 2^exponent * times / by, rounded down; ~0 if that does not fit. value < 2^62, times <
 * 2^60.
 */
static u64 scaled(u64 value, s32 exponent, u64 times, u128 by)
{
	u128 rest, product = div_u128((u128)value * times, by, &rest);

	if (exponent <= -128)
		return 0;
	if (exponent < 0)
		product >>= -exponent;
	else if (product >> 64 || (product << exponent) >> exponent != product)
		return ~0ULL;
	else
		product <<= exponent;
	return product >> 64 ? ~0ULL : (u64)product;
}

void stability_init(struct stability *stability, u64 tau0_cycles, u64 hz)
{
	*stability = (struct stability){ .tau0_cycles = tau0_cycles, .hz = hz };
}

/* Values of a ring of `size`, at a place counted from its beginning. */
#define RING(ring, at) ((ring)[(at) % TB_ARRAY_SIZE(ring)])

/* The windows that end with the first sample of block number `at`. */
static void first_of_block(struct stability_decade *decade, u64 parts, s64 x)
{
	const u64 at = decade->blocks;
	s64 low = x, high = x;

	RING(decade->first, at) = x;
	RING(decade->before, at) = decade->sum;
	if (at >= 2 * parts)
		squares_add(&decade->adev, (s128)x - 2 * (s128)RING(decade->first, at - parts) +
						   RING(decade->first, at - 2 * parts));
	if (at < parts)
		return;
	for (u64 i = 1; i <= parts; i++) {
		if (RING(decade->low, at - i) < low)
			low = RING(decade->low, at - i);
		if (RING(decade->high, at - i) > high)
			high = RING(decade->high, at - i);
	}
	if (high - low > decade->mtie_fs)
		decade->mtie_fs = high - low;
}

/* Adds a block to the one of the next decade. Returns whether that is whole. */
static bool make_next(struct stability_decade *decade, s64 first, s64 low, s64 high, s128 sum)
{
	if (!decade->made) {
		decade->made_first = first;
		decade->made_low = low;
		decade->made_high = high;
		decade->made_sum = 0;
	}
	if (low < decade->made_low)
		decade->made_low = low;
	if (high > decade->made_high)
		decade->made_high = high;
	decade->made_sum += sum;
	if (++decade->made < STABILITY_PARTS)
		return false;
	decade->made = 0;
	return true;
}

static void add_block(struct stability_decade *decade, u64 parts, s64 first, s64 low, s64 high,
		      s128 sum)
{
	u64 at;

	first_of_block(decade, parts, first);
	RING(decade->low, decade->blocks) = low;
	RING(decade->high, decade->blocks) = high;
	decade->sum += sum;
	at = ++decade->blocks;
	/* (P[at] - P[at - 1]) - 2 (P[at - 1] - P[at - 2]) + (P[at - 2] - P[at - 3]), in windows. */
	if (at >= 3 * parts)
		squares_add(&decade->mdev, decade->sum - 3 * RING(decade->before, at - parts) +
						   3 * RING(decade->before, at - 2 * parts) -
						   RING(decade->before, at - 3 * parts));
}

void stability_add(struct stability *stability, s64 error_fs)
{
	s64 first, low, high;
	s128 sum;

	if (error_fs > LIMIT_FS)
		error_fs = LIMIT_FS;
	if (error_fs < -LIMIT_FS)
		error_fs = -LIMIT_FS;
	first = low = high = error_fs;
	sum = error_fs;
	if (++stability->count > stability->longest)
		stability->longest = stability->count;
	/* Of m = 1 and m = 10 a block is a sample. */
	add_block(&stability->decades[0], 1, first, low, high, sum);
	for (u32 k = 1; k < STABILITY_DECADES; k++) {
		struct stability_decade *decade = &stability->decades[k];

		add_block(decade, STABILITY_PARTS, first, low, high, sum);
		if (!make_next(decade, first, low, high, sum))
			break;
		first = decade->made_first;
		low = decade->made_low;
		high = decade->made_high;
		sum = decade->made_sum;
	}
}

void stability_gap(struct stability *stability)
{
	for (u32 k = 0; k < STABILITY_DECADES; k++) {
		struct stability_decade *decade = &stability->decades[k];

		decade->blocks = 0;
		decade->made = 0;
		decade->sum = 0;
	}
	stability->count = 0;
	stability->begun = false;
}

void stability_sample(struct stability *stability, u64 counter, s64 error_fs)
{
	const u64 gap = counter - stability->last_counter;

	if (!stability->begun) {
		stability->begun = true;
		stability->next_counter = counter + stability->tau0_cycles;
		stability_add(stability, error_fs);
	} else {
		while ((s64)(counter - stability->next_counter) >= 0) {
			const u64 into = stability->next_counter - stability->last_counter;
			const s128 change = (s128)error_fs - stability->last_fs;

			stability_add(stability,
				      stability->last_fs +
					      (s64)(gap ? div_s128(change * into, gap) : 0));
			stability->next_counter += stability->tau0_cycles;
		}
	}
	stability->last_counter = counter;
	stability->last_fs = error_fs;
}

bool stability_values(const struct stability *stability, u32 k, struct stability_values *values)
{
	const struct stability_decade *decade = &stability->decades[k];
	const u64 to_zs = 1000000; /* fs */
	s32 exponent;
	u64 m = 1, found;

	if (k >= STABILITY_DECADES)
		return false;
	for (u32 i = 0; i < k; i++)
		m *= 10;
	if (stability->longest / 10 < m)
		return false;
	*values = (struct stability_values){ .m = m, .mtie_fs = decade->mtie_fs };
	/* hz * 10^6 is below 2^53. */
	found = squares_root(&decade->adev, 2, &exponent);
	values->adev_e21 =
		scaled(found, exponent, stability->hz * to_zs, (u128)m * stability->tau0_cycles);
	found = squares_root(&decade->mdev, 2, &exponent);
	values->mdev_e21 = scaled(found, exponent, stability->hz * to_zs,
				  (u128)m * m * stability->tau0_cycles);
	found = squares_root(&decade->mdev, 6, &exponent);
	values->tdev_zs = scaled(found, exponent, to_zs, m);
	return true;
}
