// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The serial port, to which the report is written. It is polled, because it must work before
 * interrupts are on and inside a fault. It is written in bursts of the FIFO's 16 bytes, because
 * each access to the port exits to the hypervisor.
 */
#include "arch/x86/serial.h"
#include "arch/x86/cpu.h"

#define COM1 0x3f8

#define DATA	      (COM1 + 0) /* divisor's low byte while LCR_DLAB is set */
#define INTERRUPTS    (COM1 + 1) /* divisor's high byte while LCR_DLAB is set */
#define FIFO	      (COM1 + 2)
#define LINE_CONTROL  (COM1 + 3)
#define MODEM_CONTROL (COM1 + 4)
#define LINE_STATUS   (COM1 + 5)
#define SCRATCH	      (COM1 + 7)

#define LCR_DLAB	0x80
#define LCR_8N1		0x03
#define FIFO_ON_CLEARED 0x07
#define MCR_DTR_RTS	0x03
#define LSR_EMPTY	0x20
#define FIFO_SIZE	16

/* A real port empties its FIFO in 1.4 ms; one behind a slow reader may take longer. An access takes
 * about 1 us or more, so this is 2 s at least. */
#define POLLS 2000000

static bool present;

bool serial_init(void)
{
	outb(SCRATCH, 0x5a);
	if (inb(SCRATCH) != 0x5a)
		return false;
	outb(INTERRUPTS, 0);
	outb(LINE_CONTROL, LCR_DLAB);
	outb(DATA, 1); /* 115200 / 1 */
	outb(INTERRUPTS, 0);
	outb(LINE_CONTROL, LCR_8N1);
	outb(FIFO, FIFO_ON_CLEARED);
	outb(MODEM_CONTROL, MCR_DTR_RTS);
	present = true;
	return true;
}

static void send(const char *bytes, size_t length)
{
	u32 polls = POLLS;

	while (!(inb(LINE_STATUS) & LSR_EMPTY)) {
		if (--polls == 0) {
			present = false;
			return;
		}
		cpu_relax();
	}
	outsb(DATA, bytes, length);
}

void serial_write(const char *text, size_t length)
{
	char burst[FIFO_SIZE];
	size_t filled = 0, i;

	for (i = 0; i < length && present; i++) {
		if (text[i] == '\n')
			burst[filled++] = '\r';
		burst[filled++] = text[i];
		/* Room for a newline's two bytes is kept. */
		if (filled >= FIFO_SIZE - 1) {
			send(burst, filled);
			filled = 0;
		}
	}
	if (filled && present)
		send(burst, filled);
}
