/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pulse per second. Rows of the table in ops.c; struct op_kind says what run and draw do. */
#ifndef TB_DIFF_PPS_H
#define TB_DIFF_PPS_H

#include "diff/compare.h"

/*
 * pps N EVERY_NS NOISE_NS LATE_NS SEED: N pulses, each EVERY_NS after the one before by the raw
 * clock and at LATE_NS after a second, both with a noise of up to NOISE_NS; a tick and an adjtimex
 * that only reads follow each. Nothing where either core takes no pulses.
 */
void run_pps(const long long *args, struct difference *difference);
void draw_pps(u64 *random, long long bits, long long *args);
/* pps_status BITS: STA_PLL, and these of the bits that say what pulses are used for. */
void run_pps_status(const long long *args, struct difference *difference);
void draw_pps_status(u64 *random, long long bits, long long *args);

#endif
