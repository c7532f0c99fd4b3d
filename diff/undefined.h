/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a core that was compiled with -fsanitize=undefined calls where its behaviour is undefined:
 * counts, by place. The core goes on.
 */
#ifndef TB_DIFF_UNDEFINED_H
#define TB_DIFF_UNDEFINED_H

#include <stdio.h>

/* The places as a JSON list: what, file, line, column, count. */
void undefined_print(FILE *to);

#endif
