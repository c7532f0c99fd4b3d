/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small arithmetic. */
#ifndef TB_LIB_MATH_H
#define TB_LIB_MATH_H

#include "lib/types.h"

/* |x|; x above -2^63. */
static inline s64 magnitude(s64 x)
{
	return x < 0 ? -x : x;
}

#endif
