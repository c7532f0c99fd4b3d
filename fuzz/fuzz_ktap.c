// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The KTAP writer: the input is a list of calls with their texts and numbers. The output is checked
 * by the few rules that a reader relies on: lines that begin as KTAP's do, numbers that count up, a
 * plan that is their count, and a result that is "not ok" where a line below it is.
 */
#include "fuzz/fuzz.h"
#include "lib/ktap.h"

#define CALLS_MAX 64
#define TEXT_MAX  64

struct text {
	char bytes[1 << 16];
	size_t length;
};

static void append(void *context, const char *bytes, size_t length)
{
	struct text *text = context;

	fuzz_check(length < sizeof(text->bytes) - text->length,
		   "the report is longer than its calls");
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	text->bytes[text->length] = '\0';
}

/* A sentence in the product's form: one line of printable text without '#'. */
static const char *take_text(struct fuzz_input *input, char *text)
{
	size_t length = fuzz_take(input, 1) % TEXT_MAX, i;

	for (i = 0; i < length && fuzz_left(input); i++) {
		text[i] = (char)(' ' + fuzz_take(input, 1) % ('~' - ' ' + 1));
		if (text[i] == '#')
			text[i] = '-';
	}
	text[i] = '\0';
	return text;
}

static void call(struct fuzz_input *input, struct ktap *ktap)
{
	char text[TEXT_MAX], other[TEXT_MAX];
	u32 scale, digits;
	s128 value;

	switch (fuzz_take(input, 1) % 6) {
	case 0:
		ktap_report(ktap, fuzz_take(input, 1) & 1, take_text(input, text));
		break;
	case 1:
		ktap_skip(ktap, take_text(input, text), take_text(input, other));
		break;
	case 2:
		scale = fuzz_take(input, 1) % 19;
		digits = fuzz_take(input, 1) % (scale + 1);
		value = (s128)((u128)fuzz_take(input, 8) << 64 | fuzz_take(input, 8));
		ktap_metric(ktap, "metric", value, scale, digits, take_text(input, text));
		break;
	case 3:
		ktap_param(ktap, "param", take_text(input, text));
		break;
	case 4:
		ktap_note(ktap, "%s %lld %*llx", take_text(input, text), (s64)fuzz_take(input, 8),
			  (int)(fuzz_take(input, 1) % 32), fuzz_take(input, 8));
		break;
	default:
		if (ktap->depth)
			ktap_subtest_end(ktap, "run");
		else
			ktap_subtest_begin(ktap, "run");
	}
}

struct reader {
	u32 number[2], failed[2];
};

static void read_result(struct reader *reader, const char *line, u32 depth, bool ok)
{
	u32 number = (u32)strtoul(line, NULL, 10);

	fuzz_check(number == reader->number[depth] + 1, "the numbers do not count up");
	reader->number[depth] = number;
	reader->failed[depth] += !ok;
}

static void read_line(struct reader *reader, const char *line)
{
	u32 depth = !strncmp(line, "    ", 4);

	line += depth ? 4 : 0;
	if (!strncmp(line, "ok ", 3)) {
		read_result(reader, line + 3, depth, true);
	} else if (!strncmp(line, "not ok ", 7)) {
		read_result(reader, line + 7, depth, false);
	} else if (!strcmp(line, "KTAP version 1")) {
		reader->number[depth] = reader->failed[depth] = 0;
	} else if (!strncmp(line, "1..", 3)) {
		fuzz_check(!depth || strtoul(line + 3, NULL, 10) == reader->number[depth],
			   "the plan is not the count of lines");
	} else {
		fuzz_check(!strncmp(line, "# ", 2), "a line that is no KTAP");
	}
}

static void read_again(struct text *text, const struct ktap *ktap)
{
	struct reader reader = { 0 };
	char *line = text->bytes, *end;

	for (; *line; line = end + 1) {
		end = strchr(line, '\n');
		fuzz_check(end, "the last line does not end");
		*end = '\0';
		read_line(&reader, line);
	}
	fuzz_check(reader.number[0] == ktap->number[0] && reader.failed[0] == ktap->failed[0],
		   "the report counts otherwise than its writer");
}

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size)
{
	static struct text text;
	struct fuzz_input input = { bytes, bytes + size };
	struct output out = { .write = append, .context = &text };
	struct ktap ktap;

	text.length = 0;
	ktap_begin(&ktap, &out, (u32)fuzz_take(&input, 4));
	for (u32 i = 0; i < CALLS_MAX && fuzz_left(&input); i++)
		call(&input, &ktap);
	read_again(&text, &ktap);
	return 0;
}
