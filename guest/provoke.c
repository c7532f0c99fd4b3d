// SPDX-License-Identifier: GPL-2.0-or-later
/* Removes the guest's own words from the command line. */
#include "guest/provoke.h"
#include "lib/string.h"

/*
 * If the word of `length` at `text` is name=value: copies its value to `value` and blanks the word.
 */
static bool take(char *text, size_t length, const char *name, char *value, size_t size)
{
	size_t lead = strlen(name);

	if (length < lead || strncmp(text, name, lead) != 0)
		return false;
	length -= lead;
	str_copy(value, length + 1 < size ? length + 1 : size, text + lead);
	memset(text, ' ', lead + length);
	return true;
}

void provoke_take(struct provocation *words, char *line)
{
	char value[8];
	size_t length;

	memset(words, 0, sizeof(*words));
	for (; *line; line += length) {
		for (length = 0; line[length] && line[length] != ' '; length++)
			;
		if (take(line, length, "hang=", value, sizeof(value)))
			words->hang = strcmp(value, "1") == 0;
		else
			take(line, length, "fault=", words->fault, sizeof(words->fault));
		if (!length)
			length = 1;
	}
}
