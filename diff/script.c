// SPDX-License-Identifier: GPL-2.0-or-later
/* Operations as lines of text. */
#include <stdlib.h>
#include <string.h>

#include "diff/script.h"

bool op_parse(const char *line, struct op *op)
{
	char name[16];
	int used = 0;
	const struct op_kind *kind;

	*op = (struct op){ 0 };
	if (sscanf(line, " %15s%n", name, &used) != 1 || name[0] == '#')
		return true;
	kind = op_find(name);
	if (!kind)
		return false;
	line += used;
	for (int i = 0; i < kind->args; i++) {
		char *end;

		op->args[i] = strtoll(line, &end, 0);
		if (end == line)
			return false;
		line = end;
	}
	op->kind = kind;
	return line[strspn(line, " \t\r\n")] == '\0';
}

void op_print(FILE *to, const struct op *op)
{
	fputs(op->kind->name, to);
	for (int i = 0; i < op->kind->args; i++)
		fprintf(to, " %lld", op->args[i]);
	fputc('\n', to);
}
