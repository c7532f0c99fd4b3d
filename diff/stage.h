/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the lifted core was found to do (tk/stage.h), in words. Both assume pair_begin(). */
#ifndef TB_DIFF_STAGE_H
#define TB_DIFF_STAGE_H

/* --stage: one JSON object on stdout, with the stopped tick tried too. */
void stage_print(void);
/* Says on stderr where source, behaviour and release disagree. */
void stage_warn(void);

#endif
