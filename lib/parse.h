/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers and words out of text. */
#ifndef TB_LIB_PARSE_H
#define TB_LIB_PARSE_H

#include "lib/types.h"

/* Copies with termination; true if it fitted. */
bool str_copy(char *to, size_t size, const char *from);

/* Unsigned decimal or 0x hexadecimal with nothing behind it; false if it is not that or overflows.
 */
bool str_to_u64(const char *text, u64 *value);

/* Signed decimal with up to `scale` decimals, as value * 10^scale ("-1.5", scale 3: -1500). */
bool str_to_fixed(const char *text, u32 scale, s64 *value);

#endif
