// SPDX-License-Identifier: GPL-2.0-or-later
// The page's notification, for a QEMU without a device of its own for that: a Generic Event Device whose
// interrupt is that of a 16550 at 0x2a0. The publisher sends a byte to it at each change of the page.
// _EVT takes the bytes, so that the line falls. TBAK names the port to a guest that evaluates nothing.
DefinitionBlock ("", "SSDT", 2, "TKBNCH", "NOTIFY", 1)
{
	External (\_SB.VCLK, DeviceObj)

	Scope (\_SB)
	{
		Device (VGED)
		{
			Name (_HID, "ACPI0013")
			Name (_UID, "TKBNCH")
			Name (TBAK, 0x2a0)
			Name (_CRS, ResourceTemplate () {
				Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { 5 }
			})
			OperationRegion (UART, SystemIO, 0x2a0, 8)
			Field (UART, ByteAcc, NoLock, Preserve)
			{
				DATA, 8, IENA, 8, FIFO, 8, LCTL, 8, MCTL, 8, LSTA, 8
			}
			Method (_INI, 0, Serialized)
			{
				FIFO = 0
				IENA = 1
			}
			Method (_EVT, 1, Serialized)
			{
				Local1 = 256
				While ((LSTA & 1) && Local1--)
				{
					Local0 = DATA
				}
				Notify (\_SB.VCLK, 0x80)
			}
		}
	}
}
