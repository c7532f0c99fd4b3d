// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KTAP in, report document out: a line at a time, so that the scenarios need to know one form of
 * output only. Understands what lib/ktap.c prints, nothing else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/parse.h"
#include "sim/sim.h"

#define LINE_MAX_LENGTH 512
#define ENTRIES_MAX	96

struct entry {
	char name[64];
	char value[LINE_MAX_LENGTH];
};

struct list {
	struct entry entries[ENTRIES_MAX];
	u32 count;
};

static struct {
	struct output sink;
	const struct output *out;
	const char *samples;
	char line[LINE_MAX_LENGTH];
	size_t length;
	bool in_run, first, ok, all_skipped;
	struct list params, metrics, claims, notes;
	char skip_reason[LINE_MAX_LENGTH];
	struct timespec started;
} json;

static void add(struct list *list, const char *name, const char *value)
{
	struct entry *entry = &list->entries[list->count];

	if (list->count == ENTRIES_MAX)
		return;
	str_copy(entry->name, sizeof(entry->name), name);
	str_copy(entry->value, sizeof(entry->value), value);
	list->count++;
}

static const char *param(const char *name)
{
	for (u32 i = 0; i < json.params.count; i++)
		if (!strcmp(json.params.entries[i].name, name))
			return json.params.entries[i].value;
	return NULL;
}

static void put_text(const char *text)
{
	if (!text) {
		out_printf(json.out, "null");
		return;
	}
	out_printf(json.out, "\"");
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			out_printf(json.out, "\\%c", *text);
		else if ((unsigned char)*text < 0x20)
			out_printf(json.out, "\\u%04x", *text);
		else
			out_printf(json.out, "%c", *text);
	}
	out_printf(json.out, "\"");
}

static void put_field(const char *name, const char *value)
{
	out_printf(json.out, "    \"%s\": ", name);
	put_text(value);
	out_printf(json.out, ",\n");
}

static void put_number(const char *name, const char *value)
{
	out_printf(json.out, "    \"%s\": %s,\n", name, value ? value : "null");
}

static void put_kernel(void)
{
	static const char *const names[][2] = { { "tree", "tree" },
						{ "release", "kernel" },
						{ "revision", "revision" },
						{ "timekeeping_sha256", "timekeeping_sha256" },
						{ "ntp_sha256", "ntp_sha256" } };

	if (strcmp(param("core") ? param("core") : "", "linux")) {
		out_printf(json.out, "    \"kernel\": null,\n");
		return;
	}
	out_printf(json.out, "    \"kernel\": {");
	for (u32 i = 0; i < TB_ARRAY_SIZE(names); i++) {
		out_printf(json.out, "%s\"%s\": ", i ? ", " : "", names[i][0]);
		put_text(param(names[i][1]));
	}
	out_printf(json.out, "},\n");
}

/* Values as text, or bare where they are numbers. */
static void put_map(const char *name, const struct list *list, bool bare)
{
	out_printf(json.out, "    \"%s\": {", name);
	for (u32 i = 0; i < list->count; i++) {
		out_printf(json.out, "%s\n      \"%s\": ", i ? "," : "", list->entries[i].name);
		if (bare)
			out_printf(json.out, "%s", list->entries[i].value);
		else
			put_text(list->entries[i].value);
	}
	out_printf(json.out, "\n    },\n");
}

static void put_claims(void)
{
	out_printf(json.out, "    \"claims\": [");
	for (u32 i = 0; i < json.claims.count; i++) {
		const struct entry *claim = &json.claims.entries[i];
		char *skip = strstr(claim->value, " # SKIP ");

		if (skip)
			*skip = '\0';
		out_printf(json.out, "%s\n      {\"sentence\": ", i ? "," : "");
		put_text(claim->value);
		out_printf(json.out, ", \"ok\": %s, \"skipped\": ", claim->name);
		put_text(skip ? skip + 8 : NULL);
		out_printf(json.out, "}");
	}
	out_printf(json.out, "\n    ],\n    \"notes\": [");
	for (u32 i = 0; i < json.notes.count; i++) {
		out_printf(json.out, i ? ", " : "");
		put_text(json.notes.entries[i].value);
	}
	out_printf(json.out, "],\n");
}

static void run_begin(void)
{
	json.in_run = true;
	json.ok = true;
	json.all_skipped = true;
	json.skip_reason[0] = '\0';
	json.params.count = json.metrics.count = json.claims.count = json.notes.count = 0;
	clock_gettime(CLOCK_MONOTONIC, &json.started);
}

static void run_end(void)
{
	struct timespec now;
	char seconds[32];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(seconds, sizeof(seconds), "%.3f",
		 (double)(now.tv_sec - json.started.tv_sec) +
			 (double)(now.tv_nsec - json.started.tv_nsec) * 1e-9);
	out_printf(json.out, "%s\n  {\n", json.first ? "" : ",");
	json.first = false;
	put_field("core", param("core"));
	put_kernel();
	put_field("switches", param("switches"));
	put_field("vehicle", "sim");
	put_field("accel", NULL);
	put_field("boot", NULL);
	put_field("qemu", NULL);
	put_field("clock", param("clock"));
	put_number("counter_hz", param("counter_hz"));
	put_field("counter_source", param("counter_source"));
	put_number("hz", param("hz"));
	put_field("tick", param("tick"));
	put_field("scenario", param("scenario"));
	put_map("params", &json.params, false);
	put_map("metrics", &json.metrics, true);
	put_claims();
	if (json.all_skipped)
		put_number("ok", NULL);
	else
		put_number("ok", json.ok ? "true" : "false");
	put_field("skipped", json.all_skipped ? json.skip_reason : NULL);
	put_field("samples", json.samples);
	out_printf(json.out, "    \"seconds\": %s\n  }", seconds);
	json.in_run = false;
}

static void claim(const char *line, bool ok)
{
	const char *sentence = line;
	const char *skip;

	/* Past the number. */
	while (*sentence >= '0' && *sentence <= '9')
		sentence++;
	if (*sentence == ' ')
		sentence++;
	add(&json.claims, ok ? "true" : "false", sentence);
	skip = strstr(sentence, " # SKIP ");
	json.ok &= ok;
	if (skip)
		str_copy(json.skip_reason, sizeof(json.skip_reason), skip + 8);
	else
		json.all_skipped = false;
}

static void named(struct list *list, char *rest)
{
	char *space = strchr(rest, ' ');

	if (space)
		*space++ = '\0';
	add(list, rest, space ? space : "");
}

static void take_line(char *line)
{
	if (!strncmp(line, "    # Subtest: ", 15)) {
		run_begin();
	} else if (!json.in_run) {
		return;
	} else if (strncmp(line, "    ", 4)) {
		run_end(); /* the outer level's line for the run */
	} else if (!strncmp(line + 4, "# param ", 8)) {
		named(&json.params, line + 12);
	} else if (!strncmp(line + 4, "# metric ", 9)) {
		char *unit = strrchr(line, ' ');

		*unit = '\0';
		named(&json.metrics, line + 13);
	} else if (!strncmp(line + 4, "# ", 2)) {
		add(&json.notes, "", line + 6);
	} else if (!strncmp(line + 4, "ok ", 3)) {
		claim(line + 7, true);
	} else if (!strncmp(line + 4, "not ok ", 7)) {
		claim(line + 11, false);
	}
}

static void json_write(void *context, const char *text, size_t length)
{
	(void)context;
	for (size_t i = 0; i < length; i++) {
		if (text[i] != '\n') {
			if (json.length + 1 < sizeof(json.line))
				json.line[json.length++] = text[i];
			continue;
		}
		json.line[json.length] = '\0';
		take_line(json.line);
		json.length = 0;
	}
}

const struct output *json_begin(const struct output *out, const char *samples)
{
	json.out = out;
	json.samples = samples;
	json.first = true;
	json.sink = (struct output){ json_write, NULL };
	out_printf(out, "{\"schema\": 1, \"runs\": [");
	return &json.sink;
}

void json_end(void)
{
	out_printf(json.out, "\n]}\n");
}
