# SPDX-License-Identifier: GPL-2.0-or-later
# How the programs that hold a core are linked: the host process, the guest's ELF, its flat image and the
# UEFI program around that. $(1) is the folder. $(2) is the object of a lifted core; the native variant has
# none. Read after the rooms' build.mk, which name the objects.
define LINK_VARIANT
# Not position independent: the shared objects are the guest's.
$(1)/tickbench-sim: $(2) $(SIM_OBJ) $(SHARED_OBJ)
	$$(CC) -no-pie -z noexecstack -o $$@ $$^

$(1)/tickbench.elf: linker.ld $(2) $(BOOT_OBJ) $(ARCH_OBJ) $(GUEST_OBJ) $(SHARED_OBJ)
	$$(LINK_GUEST)

$(1)/tickbench.bin: $(1)/tickbench.elf
	$$(FLATTEN)

$(1)/efi_image.o: boot/efi_image.asm $(1)/tickbench.bin
	nasm -f elf64 -Werror -DKERNEL='"$$(@D)/tickbench.bin"' -o $$@ $$<

$(1)/tickbench.efi: $(EFI_OBJ) $(1)/efi_image.o
	$$(LINK_EFI)
endef

$(eval $(call LINK_VARIANT,$(BUILD),))
$(eval $(call LINK_VARIANT,$(BUILD)/lift/%,$(BUILD)/lift/%/linux.o))
