/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The records that an experiment names, record=NAME and ticks=NAME: files that the hypervisor hands
 * over as opt/tickbench/NAME (QEMU's -fw_cfg; runner/study/records.py names them).
 */
#ifndef TB_GUEST_RECORDS_H
#define TB_GUEST_RECORDS_H

#include "measure/params.h"

/* Ends the guest with a sentence if the machine has no such file. */
void records_check(const struct scenario_params *params);

/* Before a run: takes them. Ends the guest with a sentence if they cannot be parsed. */
void records_take(const struct scenario_params *params);

#endif
