// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finds the interrupt and takes it. Where it is that of a 16550 (as on a QEMU without a device of
 * its own for this), the byte that rang is read, so that the line falls and the next one is an
 * edge.
 */
#include "guest/bell.h"
#include "arch/x86/acpi.h"
#include "arch/x86/cpu.h"
#include "arch/x86/descriptors.h"
#include "arch/x86/lapic.h"
#include "arch/x86/pic.h"

#define GED_ACPI_ID "ACPI0013"

#define UART_DATA	0
#define UART_INTERRUPTS 1
#define UART_FIFO	2
#define UART_STATUS	5
#define UART_READY	1
#define BYTES_MAX	256 /* of one interrupt; more come with the next one */

static void (*on_ring)(void);
static u16 ack_port;

static void drain(void)
{
	for (u32 i = 0; i < BYTES_MAX && inb(ack_port + UART_STATUS) & UART_READY; i++)
		inb(ack_port + UART_DATA);
}

static void rang(void)
{
	if (ack_port)
		drain();
	if (on_ring)
		on_ring();
	lapic_end_of_interrupt();
}

void bell_find(struct bell *bell)
{
	enum aml_error error = acpi_find_interrupt(GED_ACPI_ID, &bell->interrupt);

	bell->there = !error;
	bell->why = error ? aml_strerror(error) : "a Generic Event Device has an interrupt";
}

bool bell_listen(const struct bell *bell, void (*function)(void))
{
	const struct io_apic_route route = {
		.gsi = bell->interrupt.gsi,
		.vector = VECTOR_NOTIFICATION,
		.to = lapic_id(),
		.level = bell->interrupt.level,
		.low = bell->interrupt.low,
		.masked = !function,
	};

	on_ring = function;
	ack_port = bell->interrupt.ack_port;
	interrupt_handler_set(VECTOR_NOTIFICATION, rang);
	if (ack_port) {
		outb(ack_port + UART_FIFO, 0);
		outb(ack_port + UART_INTERRUPTS, function ? 1 : 0);
	}
	if (!pic_route(&route))
		return false;
	/* A byte that came before would hold the line, and no edge would follow. */
	if (ack_port)
		drain();
	return true;
}
