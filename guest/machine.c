// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finds the machine's parts. Assumes one CPU with interrupts off, and that descriptors_init() was
 * called, since reading firmware's tables may fault.
 */
#include "guest/machine.h"
#include "arch/x86/acpi.h"
#include "arch/x86/keyboard.h"
#include "arch/x86/pic.h"
#include "arch/x86/screen.h"
#include "arch/x86/tsc.h"
#include "guest/console.h"
#include "lib/instant.h"
#include "vmclock/vmclock.h"

#define SCREEN_SECONDS 60

static void say_page(struct ktap *ktap, const char *name, const struct guest_page *page)
{
	if (page->address)
		ktap_note(ktap, "%s: at 0x%llx, %llu bytes", name, page->physical, page->size);
	else if (page->physical)
		ktap_note(ktap, "%s: none, since its device says 0x%llx: %s", name, page->physical,
			  page->why);
	else
		ktap_note(ktap, "%s: none: %s", name, page->why);
}

/* Reports the page's status and markers, also if the page has no line to follow. */
static void say_line(struct ktap *ktap, const struct guest_page *page)
{
	struct vmclock_line line;
	enum vmclock_error error;

	if (!page->address)
		return;
	error = vmclock_read(page->address, page->size, 0, &line);
	ktap_note(ktap, "vmclock says: %s", vmclock_strerror(error));
	if (!error || error == VMCLOCK_NO_COUNTER)
		ktap_note(ktap, "vmclock markers: disruption %llu, generation %llu",
			  line.disruption_marker, line.vm_generation_counter);
}

static void say_machine(const struct machine *machine, struct ktap *ktap,
			const struct boot_info *boot, enum acpi_error acpi)
{
	const struct cpu_features *cpu = &machine->cpu;

	ktap_note(ktap, "tickbench, booted by %s", boot->way == BOOT_UEFI ? "UEFI" : "PVH");
	ktap_note(ktap, "cpu: %s %s", cpu->vendor, cpu->brand);
	ktap_note(ktap, "hypervisor: %s", cpu->hypervisor[0] ? cpu->hypervisor : "none");
	ktap_note(ktap, "tsc: %s, %s",
		  cpu->invariant_tsc ? "invariant" : "not said to be invariant",
		  cpu->tsc_deadline ? "with a deadline timer" : "without a deadline timer");
	if (acpi)
		ktap_note(ktap, "acpi: %s", acpi_strerror(acpi));
	ktap_note(ktap, "reference clock: %s", machine->clock.name ? machine->clock.name : "none");
	say_page(ktap, "vmclock", &machine->page);
	say_line(ktap, &machine->page);
	if (machine->markers.address)
		say_page(ktap, "vmclock of markers alone", &machine->markers);
	say_page(ktap, "mailbox", &machine->mailbox);
	if (machine->bell.there)
		ktap_note(ktap, "notifications: interrupt %u, %s, port 0x%x",
			  machine->bell.interrupt.gsi,
			  machine->bell.interrupt.level ? "level" : "edge",
			  machine->bell.interrupt.ack_port);
}

void machine_find(struct machine *machine, struct ktap *ktap, const struct boot_info *boot)
{
	enum acpi_error acpi = acpi_init(boot->rsdp);

	cpu_identify(&machine->cpu);
	pic_silence();
	refclock_init(&machine->clock);
	guest_page_find_vmclock(&machine->page, &machine->markers);
	guest_page_find(&machine->mailbox, MAILBOX_ACPI_ID);
	bell_find(&machine->bell);
	say_machine(machine, ktap, boot, acpi);
}

void machine_turn_off(const struct machine *machine)
{
	struct tsc_span span;
	u32 seconds;

	if (screen_present()) {
		out_printf(&console, "# power goes off in %u s, or at a key\n", SCREEN_SECONDS);
		for (seconds = 0; seconds < SCREEN_SECONDS && machine->clock.name; seconds++) {
			if (keyboard_pressed() ||
			    !tsc_measure(&span, &machine->clock, TB_FSEC_PER_SEC))
				break;
		}
	}
	acpi_soft_off();
	out_printf(&console,
		   "# this machine does not turn itself off: power it off, or reset it\n");
	/* Nobody looks at a virtual machine's screen, and its hypervisor may end by this. */
	if (machine->cpu.hypervisor[0])
		keyboard_reset();
}

u64 machine_stopwatch_ns(const struct machine *machine)
{
	if (!machine->clock.name)
		return 0;
	return (u64)div_u128((u128)refclock_read() * machine->clock.period_fs, TB_FSEC_PER_NSEC,
			     NULL);
}
