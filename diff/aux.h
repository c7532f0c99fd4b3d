/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Auxiliary clocks. Rows of the table in ops.c; struct op_kind says what run and draw do. Nothing
 * is done where a core has no such clocks.
 */
#ifndef TB_DIFF_AUX_H
#define TB_DIFF_AUX_H

#include "diff/compare.h"

/* aux ID ENABLE */
void run_aux(const long long *args, struct difference *difference);
void draw_aux(u64 *random, long long bits, long long *args);

/* aux_set ID SEC NSEC */
void run_aux_set(const long long *args, struct difference *difference);
void draw_aux_set(u64 *random, long long bits, long long *args);

/* aux_step ID NS: ADJ_SETOFFSET to NS, which is refused if it is below 0. */
void run_aux_step(const long long *args, struct difference *difference);
void draw_aux_step(u64 *random, long long bits, long long *args);

/* aux_adjtimex ID, and the arguments of adjtimex */
void run_aux_adjtimex(const long long *args, struct difference *difference);
void draw_aux_adjtimex(u64 *random, long long bits, long long *args);

#endif
