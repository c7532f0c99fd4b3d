// SPDX-License-Identifier: GPL-2.0-or-later
/* The words for a core's errors and switches. */
#include "lib/string.h"
#include "tk/tk.h"

static const char *const sentences[TK_ERRORS] = {
	[TK_OK] = "no error",
	[TK_EINVAL] = "an argument is outside its range",
	[TK_EFREQUENCY] = "the counter's frequency must be 1 kHz to 5 GHz, and HZ from 1 to it",
	[TK_ENOTSUPP] = "this core cannot do that",
	[TK_ESWITCH] = "a switch that this needs is off, or unknown",
	[TK_EHZ] = "this core was built for another HZ",
	[TK_ERATE] = "the reference's rate is more than 10 % off the counter's nominal one",
	[TK_ENODEV] = "there is no such auxiliary clock, or it is not enabled",
	[TK_EOTHER] = "the kernel refused with an error that this call does not document",
};

static const char *const switch_names[] = { "remainder", "clawback", "tail", "divzero",
					    "reference", "feed",     "skew", "remainder-v2" };

const char *tk_strerror(enum tk_error error)
{
	return error < TK_ERRORS ? sentences[error] : "an unknown error";
}

const char *tk_switch_name(u32 one)
{
	for (u32 i = 0; i < TB_ARRAY_SIZE(switch_names); i++)
		if (one == 1U << i)
			return switch_names[i];
	return NULL;
}

enum tk_error tk_switches_parse(const char *text, u32 *switches)
{
	u32 found = 0;

	if (!strcmp(text, "all") || !strcmp(text, "none")) {
		*switches = text[0] == 'a' ? TK_ALL : 0;
		return TK_OK;
	}
	if (!strcmp(text, "mailed")) {
		*switches = TK_MAILED;
		return TK_OK;
	}
	for (;;) {
		size_t length = 0;
		u32 i;

		while (text[length] && text[length] != ',')
			length++;
		for (i = 0; i < TB_ARRAY_SIZE(switch_names); i++)
			if (strlen(switch_names[i]) == length &&
			    !strncmp(text, switch_names[i], length))
				break;
		if (i == TB_ARRAY_SIZE(switch_names))
			return TK_ESWITCH;
		found |= 1U << i;
		if (!text[length])
			break;
		text += length + 1;
	}
	if (found & TK_REMAINDER && found & TK_REMAINDER_V2)
		return TK_ESWITCH;
	*switches = found;
	return TK_OK;
}
