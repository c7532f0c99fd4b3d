// SPDX-License-Identifier: GPL-2.0-or-later
// The ACPI table by which a guest finds the page and the mailbox. build.mk puts the
// addresses in, which must be those at which QEMU maps the files.
DefinitionBlock ("", "SSDT", 2, "TKBNCH", "VMCLOCK", 1)
{
	Scope (\_SB)
	{
		Device (VCLK)
		{
			Name (_HID, "AMZNC10C")
			Name (_CID, "VMCLOCK")
			Name (_DDN, "VMCLOCK")
			Name (_CRS, ResourceTemplate () {
				QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable,
					ReadOnly, 0, VCLK_BASE, VCLK_LAST, 0, 0x1000)
			})
		}

		Device (TBMB)
		{
			Name (_HID, "TBMB0001")
			Name (_DDN, "tickbench mailbox")
			Name (_CRS, ResourceTemplate () {
				QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable,
					ReadWrite, 0, TBMB_BASE, TBMB_LAST, 0, 0x1000)
			})
		}
	}
}
