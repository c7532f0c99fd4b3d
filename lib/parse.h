/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parses numbers and words. */
#ifndef TB_LIB_PARSE_H
#define TB_LIB_PARSE_H

#include "lib/types.h"

/* Copies text and terminates it with NUL; true if all of it fitted. */
bool str_copy(char *to, size_t size, const char *from);

/*
 * Parses an unsigned decimal or 0x hexadecimal number with nothing after it; false if the text is
 * anything else, or overflows.
 */
bool str_to_u64(const char *text, u64 *value);

/*
 * Parses a signed decimal with up to `scale` decimals, as value * 10^scale ("-1.5", scale 3:
 * -1500).
 */
bool str_to_fixed(const char *text, u32 scale, s64 *value);

#endif
