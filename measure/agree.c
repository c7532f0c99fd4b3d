// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The exchanges of agree.h. Each CPU writes one of the two words, and waits for the other's.
 *
 *   first    t0 = now; ping = n ........................ pong == n; t2 = now
 *   second   ................. ping == n; t1 = now; pong = n
 *
 * If the second counter is ahead by d, then t0 <= t1 - d <= t2: d is from t1 - t2 to t1 - t0.
 */
#include "measure/agree.h"

#define EXCHANGES 1000

static struct {
	const struct clock *clock;
	u32 ping, pong;
	u64 stamp; /* the second CPU's counter, before pong was written */
} words;

static u64 now(void)
{
	return words.clock->now(words.clock->context);
}

/* A spinning CPU lets an emulator go on with the other one. */
static void await(u32 *word, u32 number)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != number)
		__builtin_ia32_pause();
}

static void answer(void *context)
{
	(void)context;
	for (u32 i = 1; i <= EXCHANGES; i++) {
		await(&words.ping, i);
		words.stamp = now();
		__atomic_store_n(&words.pong, i, __ATOMIC_RELEASE);
	}
}

static void nothing(void *context)
{
	(void)context;
}

const char *run_agreement(struct run *run, struct agreement *agreement)
{
	const char *none;

	*agreement = (struct agreement){ .low = 0, .high = 0 };
	words.clock = run->clock;
	words.ping = words.pong = 0;
	none = run->second->start(run->clock->is_virtual ? nothing : answer, NULL);
	if (none)
		return none;
	for (u32 i = 1; i <= EXCHANGES && !run->clock->is_virtual; i++) {
		u64 sent = now(), returned;

		__atomic_store_n(&words.ping, i, __ATOMIC_RELEASE);
		await(&words.pong, i);
		returned = now();
		if (i == 1 || (s64)(words.stamp - returned) > agreement->low)
			agreement->low = (s64)(words.stamp - returned);
		if (i == 1 || (s64)(words.stamp - sent) < agreement->high)
			agreement->high = (s64)(words.stamp - sent);
	}
	run->second->join();
	return NULL;
}
