/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the host process. */
#ifndef TB_SIM_SIM_H
#define TB_SIM_SIM_H

#include "lib/print.h"

/*
 * A sink for KTAP that writes the report document (docs/report.md) to `out` instead; `samples` is
 * the file's name or NULL. json_end() closes the document.
 */
const struct output *json_begin(const struct output *out, const char *samples);
void json_end(void);

#endif
