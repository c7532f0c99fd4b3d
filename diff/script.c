// SPDX-License-Identifier: GPL-2.0-or-later
/* Operations as lines of text, and at random. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "diff/diff.h"

static const struct {
	const char *name;
	int args;
} words[OP_KINDS] = {
	[OP_INIT] = { "init", 4 },
	[OP_TICK] = { "tick", 1 },
	[OP_TICKS] = { "ticks", 4 },
	[OP_PASS] = { "pass", 1 },
	[OP_READ] = { "read", 0 },
	[OP_OFFSET] = { "offset", 1 },
	[OP_TIME_OFFSET] = { "time_offset", 1 },
	[OP_ADJTIME] = { "adjtime", 1 },
	[OP_FREQ] = { "freq", 1 },
	[OP_TICK_USEC] = { "tick_usec", 1 },
	[OP_STATUS] = { "status", 1 },
	[OP_CONSTANT] = { "constant", 1 },
	[OP_TAI] = { "tai", 1 },
	[OP_SETTIME] = { "settime", 2 },
	[OP_INJECT] = { "inject", 2 },
	[OP_MIDNIGHT] = { "midnight", 1 },
	[OP_LEAP] = { "leap", 2 },
	[OP_TIMEX] = { "timex", 2 },
	[OP_EDGE] = { "edge", 3 },
	[OP_COUNTER] = { "counter", 3 },
	[OP_REFERENCE] = { "reference", 3 },
};

bool op_parse(const char *line, struct op *op)
{
	char name[16];
	int used = 0, kind;

	*op = (struct op){ .kind = OP_KINDS };
	if (sscanf(line, " %15s%n", name, &used) != 1 || name[0] == '#')
		return true;
	for (kind = 0; kind < OP_KINDS; kind++)
		if (!strcmp(words[kind].name, name))
			break;
	if (kind == OP_KINDS)
		return false;
	line += used;
	for (int i = 0; i < words[kind].args; i++) {
		char *end;

		op->args[i] = strtoll(line, &end, 0);
		if (end == line)
			return false;
		line = end;
	}
	op->kind = (enum op_kind)kind;
	return line[strspn(line, " \t\r\n")] == '\0';
}

void op_print(FILE *to, const struct op *op)
{
	fputs(words[op->kind].name, to);
	for (int i = 0; i < words[op->kind].args; i++)
		fprintf(to, " %lld", op->args[i]);
	fputc('\n', to);
}

/* xorshift64* */
static u64 next(u64 *random)
{
	*random ^= *random >> 12;
	*random ^= *random << 25;
	*random ^= *random >> 27;
	return *random * 0x2545f4914f6cdd1dULL;
}

static long long between(u64 *random, long long low, long long high)
{
	return low + (long long)(next(random) % (u64)(high - low + 1));
}

/* Either sign, small as likely as large. */
static long long spread(u64 *random, long long most)
{
	long long value = between(random, 0, most);

	for (u64 halve = next(random) % 40; halve && value; halve--)
		value >>= 1;
	return next(random) & 1 ? value : -value;
}

static long long random_hz(u64 *random)
{
	static const long long usual[] = { 2596146000, 1000000000, 3579545,  14318180, 32768,
					   2400000000, 24000000,   25000000, 19200000, 4999999999 };

	if (next(random) % 3 == 0)
		return usual[next(random) % TB_ARRAY_SIZE(usual)];
	/* Spread over the decades; a kernel ticks at up to 1000 Hz, so a counter below is none. */
	return between(random, 1000, 5000000000LL >> (next(random) % 20));
}

static struct op op_make(enum op_kind kind, long long a, long long b, long long c, long long d)
{
	return (struct op){ kind, { a, b, c, d } };
}

/* What an episode is about: a letter for each kind of operation, as often as it is likely. */
static const char *const themes[] = {
	"ooaaafkstcjRrppTTzz", /* everything */
	"mmmsssssttgggelll",   /* midnights and leap seconds */
	"xxxxkkkaaag",	       /* slews, small and large, with and against each other */
	"ffuuccRRRpge",	       /* rates and counters */
};

/* Mostly short, so that many things happen; sometimes long enough for slews to end. */
static struct op random_ticks(u64 *random)
{
	long long count = 1 + (20000 >> next(random) % 12) * (long long)(next(random) % 4);
	long long late = next(random) % 2 ? between(random, 0, 3000) : 0;
	long long skip = 0;

	if (next(random) % 3 == 0)
		skip = 2000 >> next(random) % 12;
	return op_make(OP_TICKS, count, late, skip, (long long)(next(random) >> 1));
}

struct op op_random(u64 *random, const char **theme)
{
	static const long long bits[] = { 64, 64, 64, 56, 48, 32 };
	long long width = bits[next(random) % TB_ARRAY_SIZE(bits)];

	if (!*theme) {
		*theme = themes[next(random) % TB_ARRAY_SIZE(themes)];
		return op_make(OP_INIT, random_hz(random), width,
			       between(random, 1000000, 1LL << 32), between(random, 0, 999999999));
	}
	if (next(random) % 2)
		return random_ticks(random);
	switch ((*theme)[next(random) % strlen(*theme)]) {
	case 'o':
		return op_make(OP_OFFSET, spread(random, 600000000), 0, 0, 0);
	case 'x':
		return op_make(OP_TIME_OFFSET, spread(random, 500000000), 0, 0, 0);
	case 'a':
		return op_make(OP_ADJTIME, spread(random, 2000000), 0, 0, 0);
	case 'f':
		return op_make(OP_FREQ, spread(random, 520LL << 16), 0, 0, 0);
	case 'u':
		return op_make(OP_TICK_USEC, between(random, 8990, 11010), 0, 0, 0);
	case 's': /* any bits, or just those of a leap second */
		return op_make(OP_STATUS,
			       (long long)(next(random) & (next(random) % 2 ? 0xff : 0x30)), 0, 0,
			       0);
	case 'k':
		return op_make(OP_CONSTANT, next(random) % 2 ? between(random, 0, 10) : 10, 0, 0,
			       0);
	case 'g':
		return op_make(OP_TAI, between(random, -2, 100), 0, 0, 0);
	case 't':
		return op_make(OP_SETTIME, spread(random, 500000), between(random, 0, 999999999), 0,
			       0);
	case 'j':
		return op_make(OP_INJECT, spread(random, 500000), between(random, 0, 999999999), 0,
			       0);
	case 'm':
		return op_make(OP_MIDNIGHT, between(random, 1, 4), 0, 0, 0);
	case 'l':
		return op_make(OP_LEAP, (long long)(next(random) & 0x70), between(random, 1, 10), 0,
			       0);
	case 'z': /* offset, errors, constant, micro or nano */
		return op_make(OP_TIMEX, (long long)(next(random) & 0x302d),
			       spread(random, 20000000), 0, 0);
	case 'e':
		return op_make(OP_EDGE, between(random, 0, 1000), spread(random, 500LL << 16),
			       between(random, 0, 999), 0);
	case 'c':
		return op_make(OP_COUNTER, random_hz(random), width, between(random, 0, 1LL << 40),
			       0);
	case 'R':
		return op_make(OP_REFERENCE, spread(random, 1000000000), spread(random, 5000000),
			       between(random, 0, 2000000), 0);
	case 'p':
		return op_make(OP_PASS, between(random, 0, 100000000), 0, 0, 0);
	case 'T':
		return op_make(OP_TICK, between(random, 0, 10000000000LL), 0, 0, 0);
	default:
		return op_make(OP_READ, 0, 0, 0, 0);
	}
}
