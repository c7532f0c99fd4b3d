// SPDX-License-Identifier: GPL-2.0-or-later
/* The probe of a core's stage on the native core, with each set of switches that it tells: a JSON
 * object a line. */
#include <stdio.h>

#include "tk/stage.h"

static void put(const char *name, u32 switches)
{
	bool first = true;

	printf("\"%s\": \"%s", name, switches ? "" : "none");
	for (u32 bit = 1; bit <= TK_REMAINDER_V2; bit <<= 1) {
		if (!(switches & bit))
			continue;
		printf("%s%s", first ? "" : ",", tk_switch_name(bit));
		first = false;
	}
}

int main(void)
{
	static const u32 rates[] = { 100, 250, 1000 };

	for (u32 i = 0; i < TB_ARRAY_SIZE(rates); i++) {
		for (u32 switches = 0; switches <= TK_STAGE_TOLD; switches++) {
			struct tk_stage stage;

			if (switches & ~(u32)TK_STAGE_TOLD ||
			    (switches & TK_REMAINDER && switches & TK_REMAINDER_V2))
				continue;
			tk_stage(&tk_native, rates[i], switches, &stage);
			printf("{");
			put("given", switches);
			printf("@%u\", ", rates[i]);
			put("found", stage.switches);
			printf("\", ");
			put("unknown", stage.unknown);
			printf("\", \"refusal_moves\": %d, \"wide\": %d, \"stop\": %d}\n",
			       stage.refusal_moves, stage.wide,
			       tk_stage_stop(&tk_native, rates[i], switches | TK_DIVZERO));
		}
	}
	return 0;
}
