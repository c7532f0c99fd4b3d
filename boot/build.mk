# SPDX-License-Identifier: GPL-2.0-or-later
# The two boot paths: the objects that the kernel links, and the EFI program around its flat image.
BOOT_OBJ := $(BUILD)/free/boot/start.asm.o $(BUILD)/free/boot/pvh.asm.o $(BUILD)/free/boot/pvh.o

EFI_INC ?= /usr/include/efi
EFI_LIB ?= /usr/lib
# Position-independent, and calls into the firmware by its own ABI.
EFI_CFLAGS := -std=gnu11 -O2 -g $(WARN) -I. -isystem $(EFI_INC) -isystem $(EFI_INC)/x86_64 \
	-DGNU_EFI_USE_MS_ABI -ffreestanding -fpic -fshort-wchar -fno-stack-protector \
	-fno-strict-aliasing -fno-asynchronous-unwind-tables -fvisibility=hidden -mno-red-zone \
	-mgeneral-regs-only -fcf-protection=none
EFI_OBJ := $(BUILD)/efi/efi.o $(BUILD)/efi/efi_jump.o

$(BUILD)/efi/%.o: boot/%.c
	@mkdir -p $(@D)
	$(CC) $(EFI_CFLAGS) $(DEPENDS) -c -o $@ $<

$(BUILD)/efi/%.o: boot/%.asm
	@mkdir -p $(@D)
	nasm -f elf64 -Werror -o $@ $<

FLATTEN = objcopy -O binary -R .bss $< $@
# What GNU-EFI's start-up code calls is efi_main up to 3.0.15, later _entry, which a library of its own
# would have. Undefined symbols must not link: the firmware would jump to address 0.
define LINK_EFI
$(LD) -nostdlib -shared -Bsymbolic -z defs -z noexecstack --defsym=_entry=efi_main -T $(EFI_LIB)/elf_x86_64_efi.lds \
	$(EFI_LIB)/crt0-efi-x86_64.o $(filter %.o,$^) -o $(@:.efi=.efi.so) -L $(EFI_LIB) -lgnuefi
objcopy -j .text -j .sdata -j .data -j .rodata -j .dynamic -j .dynsym -j '.rel*' -j .reloc \
	--output-target=efi-app-x86_64 $(@:.efi=.efi.so) $@
endef

efi: $(BUILD)/tickbench.efi ## build the EFI program
all: $(BUILD)/tickbench.efi

.PHONY: efi

# A disk image with one FAT file system and no partition table, which firmware boots from a USB stick.
# IMAGE_COMMAND is what it runs, and \tickbench.cmd on it may be edited later.
IMAGE_COMMAND ?= clock=tsc scenario=clocks,lock -- clock=virtual scenario=all
IMAGE_KIB     ?= 8192

# Written anew only if it changed, so that the image follows.
$(BUILD)/tickbench.cmd: FORCE
	@mkdir -p $(@D)
	@echo '$(IMAGE_COMMAND)' | cmp -s - $@ || echo '$(IMAGE_COMMAND)' >$@

$(BUILD)/tickbench.img: $(BUILD)/tickbench.efi $(BUILD)/tickbench.cmd boot/build.mk
	rm -f $@
	truncate -s $(IMAGE_KIB)K $@
	mformat -i $@ -T $$(($(IMAGE_KIB) * 2)) -h 16 -s 63 -v TICKBENCH ::
	mmd -i $@ ::/EFI ::/EFI/BOOT
	mcopy -i $@ $< ::/EFI/BOOT/BOOTX64.EFI
	mcopy -i $@ $(BUILD)/tickbench.cmd ::/tickbench.cmd

image: $(BUILD)/tickbench.img ## build a disk image that also boots a PC from USB

.PHONY: image FORCE
