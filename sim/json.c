// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The report as JSON lines: takes KTAP as lib/ktap.c writes it, and prints one object a run on a
 * line of its own as soon as the run has ended. Assumes one level of subtests, and that a line of
 * KTAP is shorter than LINE_MAX.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/sim.h"

#define LINE_MAX    1024
#define INDENTATION "    "

static struct {
	char line[LINE_MAX];
	size_t length;
	u32 runs;
	/* The parts of a run's object that KTAP gives in any order. */
	struct part {
		FILE *file;
		char *text;
		size_t size;
	} params, metrics, claims, notes;
} json;

static void part_open(struct part *part)
{
	part->file = open_memstream(&part->text, &part->size);
	if (!part->file)
		cannot("there is no memory for a run's report");
}

static const char *part_close(struct part *part)
{
	if (fclose(part->file))
		cannot("there is no memory for a run's report");
	return part->text;
}

static void write_string(FILE *to, const char *text)
{
	fputc('"', to);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', to);
		if ((unsigned char)*text < ' ')
			fprintf(to, "\\u%04x", (unsigned char)*text);
		else
			fputc(*text, to);
	}
	fputc('"', to);
}

static void comma(struct part *part)
{
	if (ftell(part->file) > 0)
		fputs(", ", part->file);
}

/* A member of an object: "name": text as a string, or as it stands. */
static void member(struct part *part, const char *name, const char *text, bool quoted)
{
	comma(part);
	write_string(part->file, name);
	fputs(": ", part->file);
	if (quoted)
		write_string(part->file, text);
	else
		fputs(text, part->file);
}

static void reason(FILE *to, const char *name, const char *directive, const char *begin)
{
	fprintf(to, ", \"%s\": ", name);
	if (directive && !strncmp(directive, begin, strlen(begin)))
		write_string(to, directive + strlen(begin));
	else
		fputs("null", to);
}

static void claim(bool ok, char *sentence)
{
	FILE *to = json.claims.file;
	char *directive = strstr(sentence, " # ");

	comma(&json.claims);
	if (directive)
		*directive = '\0';
	fputs("{\"sentence\": ", to);
	write_string(to, sentence);
	fprintf(to, ", \"ok\": %s", ok ? "true" : "false");
	reason(to, "skipped", directive ? directive + 3 : NULL, "SKIP ");
	reason(to, "todo", directive ? directive + 3 : NULL, "TODO ");
	fputc('}', to);
}

/* The text behind "ok N " or "not ok N "; NULL if the line is no result. */
static char *result(char *line, bool *ok)
{
	*ok = !!strncmp(line, "not ", 4);
	if (!*ok)
		line += 4;
	if (strncmp(line, "ok ", 3))
		return NULL;
	line = strchr(line + 3, ' ');
	return line ? line + 1 : NULL;
}

static void inner(char *line)
{
	char *text, *value;
	bool ok;

	if (!strncmp(line, "# Subtest: ", 11)) {
		part_open(&json.params);
		part_open(&json.metrics);
		part_open(&json.claims);
		part_open(&json.notes);
	} else if (!strncmp(line, "# param ", 8) || !strncmp(line, "# metric ", 9)) {
		const bool param = line[2] == 'p';

		text = strchr(line + 2, ' ') + 1;
		value = strchr(text, ' ');
		if (!value)
			return;
		*value++ = '\0';
		if (!param)
			value[strcspn(value, " ")] = '\0'; /* the unit */
		member(param ? &json.params : &json.metrics, text, value, param);
	} else if (!strncmp(line, "# ", 2)) {
		comma(&json.notes);
		write_string(json.notes.file, line + 2);
	} else {
		text = result(line, &ok);
		if (text)
			claim(ok, text);
	}
}

/* The result of a run ends its object. */
static void outer(char *line)
{
	char *name, *directive;
	bool ok;

	name = result(line, &ok);
	if (!name)
		return;
	directive = strstr(name, " # ");
	if (directive)
		*directive = '\0';
	printf("{\"run\": %u, \"scenario\": ", json.runs++);
	write_string(stdout, name);
	printf(", \"ok\": %s, \"params\": {%s}, ",
	       directive ? "null"
	       : ok	 ? "true"
			 : "false",
	       part_close(&json.params));
	printf("\"metrics\": {%s}, ", part_close(&json.metrics));
	printf("\"claims\": [%s], ", part_close(&json.claims));
	printf("\"notes\": [%s]}\n", part_close(&json.notes));
	fflush(stdout);
	free(json.params.text);
	free(json.metrics.text);
	free(json.claims.text);
	free(json.notes.text);
}

void to_json(void *context, const char *text, size_t length)
{
	(void)context;
	for (size_t i = 0; i < length; i++) {
		if (text[i] != '\n') {
			if (json.length < LINE_MAX - 1)
				json.line[json.length++] = text[i];
			continue;
		}
		json.line[json.length] = '\0';
		json.length = 0;
		if (!strncmp(json.line, INDENTATION, sizeof(INDENTATION) - 1))
			inner(json.line + sizeof(INDENTATION) - 1);
		else
			outer(json.line);
	}
}
