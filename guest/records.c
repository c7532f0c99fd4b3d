// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads an experiment's records through QEMU's firmware configuration device. */
#include "guest/records.h"
#include "arch/x86/fwcfg.h"
#include "guest/console.h"
#include "lib/print.h"
#include "measure/record.h"

#define FOLDER	 "opt/tickbench/"
#define PIECE	 512U
#define NAME_MAX 56

static bool find(const char *name, struct fwcfg_file *file)
{
	char path[sizeof(FOLDER) + sizeof(((struct scenario_params *)0)->record)];

	return str_printf(path, sizeof(path), FOLDER "%s", name) < NAME_MAX &&
	       fwcfg_find(path, file);
}

static void check(const char *word, const char *name)
{
	struct fwcfg_file file;

	if (name[0] && !find(name, &file))
		bail_out("%s=%s: the hypervisor handed over no file " FOLDER
			 "%s: ./tickbench run and ./tickbench sim do",
			 word, name, name);
}

void records_check(const struct scenario_params *params)
{
	check("record", params->record);
	check("ticks", params->ticks);
}

static void take_lines(const char *name, enum record_error (*take)(const char *line))
{
	struct record_reader reader = { .take = take };
	enum record_error error = RECORD_OK;
	struct fwcfg_file file;
	char text[PIECE];

	if (!find(name, &file))
		return; /* records_check() has found it */
	fwcfg_open(&file);
	for (u32 left = file.size; left && !error;) {
		const u32 length = left < PIECE ? left : PIECE;

		fwcfg_read(text, length);
		error = record_read(&reader, text, length);
		left -= length;
	}
	if (!error)
		error = record_read_end(&reader);
	if (error)
		bail_out("%s, line %llu: %s", name, reader.number, record_strerror(error));
}

void records_take(const struct scenario_params *params)
{
	enum record_error error;
	const u32 *late_ns;

	record_clear();
	if (params->record[0]) {
		take_lines(params->record, record_pair);
		error = record_pairs_end();
		if (error)
			bail_out("%s: %s", params->record, record_strerror(error));
	}
	if (params->ticks[0]) {
		take_lines(params->ticks, record_tick);
		if (!record_ticks(&late_ns))
			bail_out("%s: it has no tick", params->ticks);
	}
}
