/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The test build: the product's own objects with one thing broken, named by fault=NAME. No product
 * source knows of it: native.c here takes the native core's place, and machine.c stands between the
 * others by the linker's --wrap. tests/test_faults.py has the table of which claim each one fails.
 */
#ifndef TB_TESTS_FAULT_H
#define TB_TESTS_FAULT_H

#include "lib/types.h"

/* Whether the run's fault is `name`. */
bool fault_is(const char *name);

/* Every fault there is; NULL at the end. */
extern const char *const fault_names[];

#endif
