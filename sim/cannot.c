// SPDX-License-Identifier: GPL-2.0-or-later
/* Ends the host process with a sentence on stderr. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/sim.h"

void cannot(const char *format, ...)
{
	va_list args;

	fputs("tickbench-sim: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(STATUS_CANNOT);
}
