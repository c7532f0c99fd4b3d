/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A script: one operation a line, so that a difference can be replayed, cut down and mailed.
 */
#ifndef TB_DIFF_SCRIPT_H
#define TB_DIFF_SCRIPT_H

#include <stdio.h>

#include "diff/ops.h"

/* False: the line is no operation. A comment (#) or an empty line gives an op without a kind. */
bool op_parse(const char *line, struct op *op);
void op_print(FILE *to, const struct op *op);

#endif
