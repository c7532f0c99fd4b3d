// SPDX-License-Identifier: GPL-2.0-or-later
/* Writes the report to the serial port and, if the boot path found one, to the screen. */
#include "guest/console.h"
#include "arch/x86/power.h"
#include "arch/x86/screen.h"
#include "arch/x86/serial.h"

static void console_write(void *context, const char *text, size_t length)
{
	(void)context;
	serial_write(text, length);
	screen_write(text, length);
}

const struct output console = { .write = console_write };

void console_init(const struct boot_info *boot)
{
	const struct boot_screen *screen = &boot->screen;

	serial_init();
	screen_init(screen->base, screen->width, screen->height, screen->stride);
}

void bail_out(const char *format, ...)
{
	va_list args;

	out_printf(&console, "Bail out! ");
	va_start(args, format);
	out_vprintf(&console, format, args);
	va_end(args);
	out_printf(&console, "\n");
	power_off(EXIT_CANNOT_RUN);
}
