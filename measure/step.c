// SPDX-License-Identifier: GPL-2.0-or-later
/* What one step of mult is worth over a tick: the limit of any dithering. Reports and claims use
 * it. */
#include "measure/measure.h"

s64 run_step_fs(const struct run *run)
{
	struct tk_state state;

	run->tk->state(&state);
	return (s64)(((u128)state.cycle_interval * TB_FSEC_PER_NSEC) >> state.shift);
}
