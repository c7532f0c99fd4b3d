# SPDX-License-Identifier: GPL-2.0-or-later
# The two ways in. What the kernel itself links is here; the EFI program around it is below.
BOOT_OBJ := $(BUILD)/free/boot/start.asm.o $(BUILD)/free/boot/pvh.asm.o $(BUILD)/free/boot/pvh.o
