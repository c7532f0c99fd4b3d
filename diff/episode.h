/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random scripts: an init and operations that go with it. */
#ifndef TB_DIFF_EPISODE_H
#define TB_DIFF_EPISODE_H

#include "diff/ops.h"

struct theme;

/*
 * Draws the next operation of an episode. *theme is NULL before the first one, which is an init and
 * chooses the theme. The state *random must not be 0. A seed gives the same operations each time.
 */
struct op episode_next(u64 *random, const struct theme **theme);

/* From now on episodes are made of an init, `ticks` and operations of this kind alone; NULL: of
 * all. */
void episode_only(const struct op_kind *kind);

#endif
