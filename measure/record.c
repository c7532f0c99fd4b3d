// SPDX-License-Identifier: GPL-2.0-or-later
/* Records of a host: its true time, and its ticks. */
#include "lib/string.h"
#include "lib/parse.h"
#include "measure/record.h"

#define PS_PER_SEC  1000000000000LL
#define PS_DIGITS   12
#define LONGEST_SEC (100 * 86400LL)
#define NUMBER_MAX  40

static struct {
	u32 pairs;
	u64 counter[RECORD_POINTS];
	s64 ps[RECORD_POINTS];	     /* after the first pair */
	s64 phase_fs[RECORD_POINTS]; /* ahead of the straight line */
	s64 first_sec;
	u32 ticks;
	u32 late_ns[RECORD_POINTS];
} record;

static const char *const sentences[RECORD_ERRORS] = {
	[RECORD_OK] = "no error",
	[RECORD_NOT_PAIR] = "not a counter and a time in seconds",
	[RECORD_BACK] = "the counter or the time does not go forward",
	[RECORD_LONG] = "the record is longer than 100 days, or than 65536 lines",
	[RECORD_SHORT] = "the record has fewer than three lines",
	[RECORD_NOT_DELAY] = "not a delay in ns, a whole number below 2^32",
};

const char *record_strerror(enum record_error error)
{
	return error < RECORD_ERRORS ? sentences[error] : "an unknown error";
}

void record_clear(void)
{
	record.pairs = record.ticks = 0;
}

enum record_error record_read_end(struct record_reader *reader)
{
	u32 blanks = 0;

	while (blanks < reader->length &&
	       (reader->line[blanks] == ' ' || reader->line[blanks] == '\t' ||
		reader->line[blanks] == '\r'))
		blanks++;
	reader->line[reader->length] = '\0';
	if (blanks == reader->length || reader->line[0] == '#')
		return RECORD_OK;
	return reader->take(reader->line);
}

enum record_error record_read(struct record_reader *reader, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		enum record_error error;

		if (text[i] != '\n') {
			if (!reader->length)
				reader->number++;
			if (reader->length < sizeof(reader->line) - 1)
				reader->line[reader->length++] = text[i];
			continue;
		}
		if (!reader->length)
			reader->number++;
		error = record_read_end(reader);
		if (error)
			return error;
		reader->length = 0;
	}
	return RECORD_OK;
}

/* The next word of a line; false if there is none, or if it is longer than any number. */
static bool next_word(const char **line, char word[NUMBER_MAX])
{
	u32 length = 0;

	while (**line == ' ' || **line == '\t' || **line == ',')
		(*line)++;
	for (; **line && **line != ' ' && **line != '\t' && **line != ',' && **line != '\n' &&
	       **line != '\r';
	     (*line)++) {
		if (length == NUMBER_MAX - 1)
			return false;
		word[length++] = **line;
	}
	word[length] = '\0';
	return length;
}

/* "123.456" as seconds and ps. */
static bool seconds_of(char *text, s64 *sec, s64 *ps)
{
	char *point = text;
	u64 whole;

	while (*point && *point != '.')
		point++;
	*ps = 0;
	if (*point) {
		char fraction[NUMBER_MAX + 2] = "0.";

		if (!point[1] || point[1] == '-' || point[1] == '+')
			return false;
		/* Digits beyond ps are cut. */
		str_copy(fraction + 2, PS_DIGITS + 1, point + 1);
		if (!str_to_fixed(fraction, PS_DIGITS, ps))
			return false;
		*point = '\0';
	}
	if (!str_to_u64(text, &whole) || whole >> 62)
		return false;
	*sec = (s64)whole;
	return true;
}

enum record_error record_pair(const char *line)
{
	char counter_text[NUMBER_MAX], time_text[NUMBER_MAX];
	const u32 n = record.pairs;
	u64 counter;
	s64 sec, ps;

	if (!next_word(&line, counter_text) || !next_word(&line, time_text) ||
	    !str_to_u64(counter_text, &counter) || !seconds_of(time_text, &sec, &ps))
		return RECORD_NOT_PAIR;
	if (!n)
		record.first_sec = sec;
	sec -= record.first_sec;
	if (sec < 0)
		return RECORD_BACK;
	if (n == RECORD_POINTS || sec > LONGEST_SEC)
		return RECORD_LONG;
	ps += sec * PS_PER_SEC;
	if (n && (counter <= record.counter[n - 1] || ps <= record.ps[n - 1]))
		return RECORD_BACK;
	record.counter[n] = counter;
	record.ps[n] = ps;
	record.pairs++;
	return RECORD_OK;
}

enum record_error record_pairs_end(void)
{
	const u32 last = record.pairs - 1;
	u64 cycles, length;
	s64 first;

	if (record.pairs < 3)
		return RECORD_SHORT;
	first = record.ps[0];
	cycles = record.counter[last] - record.counter[0];
	length = (u64)(record.ps[last] - first);
	for (u32 i = 0; i <= last; i++) {
		/* 2^63 cycles by 2^63 ps, and then by 1000: the remainder keeps the fs. */
		u128 rest, line = div_u128((u128)(record.counter[i] - record.counter[0]) * length,
					   cycles, &rest);

		record.ps[i] -= first;
		record.phase_fs[i] = (record.ps[i] - (s64)line) * 1000 -
				     (s64)div_u128(rest * 1000, cycles, NULL);
	}
	return RECORD_OK;
}

bool record_has_pairs(void)
{
	return record.pairs >= 3;
}

s64 record_phase_fs(u64 ps)
{
	u32 low = 0, high = record.pairs - 1;
	const u64 at = ps % (u64)record.ps[high];
	u64 gap;

	while (high - low > 1) {
		const u32 middle = (low + high) / 2;

		if ((u64)record.ps[middle] <= at)
			low = middle;
		else
			high = middle;
	}
	gap = (u64)(record.ps[high] - record.ps[low]);
	return record.phase_fs[low] +
	       (s64)div_s128((s128)(record.phase_fs[high] - record.phase_fs[low]) *
				     (s64)(at - (u64)record.ps[low]),
			     gap);
}

enum record_error record_tick(const char *line)
{
	char text[NUMBER_MAX];
	u64 ns;

	if (!next_word(&line, text) || !str_to_u64(text, &ns) || ns >> 32)
		return RECORD_NOT_DELAY;
	if (record.ticks == RECORD_POINTS)
		return RECORD_LONG;
	record.late_ns[record.ticks++] = (u32)ns;
	return RECORD_OK;
}

u32 *record_own_ticks(void)
{
	return record.late_ns;
}

u32 record_ticks(const u32 **late_ns)
{
	*late_ns = record.late_ns;
	return record.ticks;
}
