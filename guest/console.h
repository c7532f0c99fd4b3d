/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The console: the destinations of the report. */
#ifndef TB_GUEST_CONSOLE_H
#define TB_GUEST_CONSOLE_H

#include "boot/boot.h"
#include "lib/print.h"

extern const struct output console;

/* Call this first. */
void console_init(const struct boot_info *boot);

/* Prints "Bail out! ..." and turns the machine off with EXIT_CANNOT_RUN. */
void bail_out(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
