// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes a run's samples as one record: a header of 64 bytes, then an array of struct sample. Where
 * there is no debug console, the report's own port carries fewer of them, as notes in hexadecimal.
 */
#include "guest/samples.h"
#include "arch/x86/debugcon.h"
#include "arch/x86/serial.h"
#include "lib/string.h"

/* At 115200 baud, so many take six seconds. */
#define SERIAL_SAMPLES 2048
#define NOTE_BYTES     48

/* Bytes of a record that are not in a note yet. */
static struct {
	char digits[2 * NOTE_BYTES + 1];
	u32 used;
} note;

static void note_end(void)
{
	static const char lead[] = "# samples ";

	if (!note.used)
		return;
	/* Not to a screen, where nobody can read them. */
	serial_write(lead, sizeof(lead) - 1);
	note.digits[note.used++] = '\n';
	serial_write(note.digits, note.used);
	note.used = 0;
}

static void note_write(const void *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	const u8 *at = bytes;

	while (length--) {
		note.digits[note.used++] = digits[*at >> 4];
		note.digits[note.used++] = digits[*at++ & 15];
		if (note.used == 2 * NOTE_BYTES)
			note_end();
	}
}

/* Every 2^n-th sample, and no traces. */
static void ship_over_serial(const struct stats *stats, struct sample_header header)
{
	u32 step = 1;

	while (header.count / step > SERIAL_SAMPLES) {
		step *= 2;
		header.decimation++;
	}
	header.count = (header.count + step - 1) / step;
	note_write(&header, sizeof(header));
	for (u32 i = 0; i < stats->kept; i += step)
		note_write(&stats->samples[i], sizeof(stats->samples[i]));
	note_end();
}

static void ship_traces(const struct run *run, const char *scenario, u32 number)
{
	struct sample_header header;
	u32 count, decimation;
	const struct trace_point *traces = run_traces(run, &count, &decimation);

	if (!traces)
		return;
	header = run_trace_header(run, scenario, number);
	debugcon_write(&header, sizeof(header));
	debugcon_write(traces, count * sizeof(traces[0]));
}

static void ship_ticks(const struct run *run, const char *scenario, u32 number)
{
	const struct ticker *ticker = &run->ticker;
	struct sample_header header = run_sample_header(run, scenario, number);

	if (!ticker->delays_kept)
		return;
	memcpy(header.magic, TICKS_MAGIC, sizeof(header.magic));
	header.count = ticker->delays_kept;
	header.decimation = 0;
	debugcon_write(&header, sizeof(header));
	debugcon_write(ticker->delays, ticker->delays_kept * sizeof(ticker->delays[0]));
}

void samples_ship(void *context, const struct run *run, const char *scenario, u32 number)
{
	const struct stats *stats = run->stats;
	const struct sample_header header = run_sample_header(run, scenario, number);

	(void)context;
	if (!debugcon_present()) {
		ship_over_serial(stats, header);
		return;
	}
	debugcon_write(&header, sizeof(header));
	debugcon_write(stats->samples, stats->kept * sizeof(stats->samples[0]));
	ship_traces(run, scenario, number);
	ship_ticks(run, scenario, number);
}
