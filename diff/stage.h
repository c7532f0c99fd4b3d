/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the lifted cores were found to do (tk/stage.h), in words. All assume pair_begin(). */
#ifndef TB_DIFF_STAGE_H
#define TB_DIFF_STAGE_H

#include "lib/types.h"

/* --stage: a JSON object on stdout for each lifted core, with the stopped tick tried too. */
void stage_print(void);
/* Says on stderr where source, behaviour and release of a lifted core disagree. */
void stage_warn(void);

#define STAGE_NAMES 128
/* The names of these switches, joined by commas; "none" if there is none. Returns `text`. */
const char *stage_names(u32 switches, char text[STAGE_NAMES]);

#endif
