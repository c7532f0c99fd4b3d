/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words of the command line that are the guest's own, and not a parameter of an experiment. They
 * are for tests of what becomes of a guest that fails: fault=ud|pf|gp|df|de|int an exception, as
 * soon as one can be reported hang=1 no word more, for ever
 */
#ifndef TB_GUEST_PROVOKE_H
#define TB_GUEST_PROVOKE_H

#include "lib/types.h"

struct provocation {
	char fault[8]; /* empty: none */
	bool hang;
};

/* Removes them from the line: blanks replace them. */
void provoke_take(struct provocation *words, char *line);

#endif
