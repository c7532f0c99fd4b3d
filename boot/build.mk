# SPDX-License-Identifier: GPL-2.0-or-later
# The two ways in. What the kernel itself links, and the EFI program around its flat image.
BOOT_OBJ := $(BUILD)/free/boot/start.asm.o $(BUILD)/free/boot/pvh.asm.o $(BUILD)/free/boot/pvh.o

EFI_INC ?= /usr/include/efi
EFI_LIB ?= /usr/lib
# Position-independent, and calls into the firmware by its own ABI.
EFI_CFLAGS := -std=gnu11 -O2 -g $(WARN) -I. -isystem $(EFI_INC) -isystem $(EFI_INC)/x86_64 \
	-DGNU_EFI_USE_MS_ABI -ffreestanding -fpic -fshort-wchar -fno-stack-protector \
	-fno-strict-aliasing -fno-asynchronous-unwind-tables -fvisibility=hidden -mno-red-zone \
	-mgeneral-regs-only -fcf-protection=none -MMD -MP
EFI_OBJ := $(BUILD)/efi/efi.o $(BUILD)/efi/efi_jump.o $(BUILD)/efi/efi_image.o

$(BUILD)/efi/%.o: boot/%.c
	@mkdir -p $(@D)
	$(CC) $(EFI_CFLAGS) -c -o $@ $<

$(BUILD)/efi/%.o: boot/%.asm
	@mkdir -p $(@D)
	nasm -f elf64 -Werror -DKERNEL='"$(BUILD)/tickbench.bin"' -o $@ $<

$(BUILD)/efi/efi_image.o: $(BUILD)/tickbench.bin

$(BUILD)/tickbench.bin: $(BUILD)/tickbench.elf
	objcopy -O binary -R .bss $< $@

$(BUILD)/tickbench.efi: $(EFI_OBJ)
	$(LD) -nostdlib -shared -Bsymbolic -z noexecstack -T $(EFI_LIB)/elf_x86_64_efi.lds \
		$(EFI_LIB)/crt0-efi-x86_64.o $(EFI_OBJ) -o $(@:.efi=.efi.so) \
		-L $(EFI_LIB) -lgnuefi
	objcopy -j .text -j .sdata -j .data -j .rodata -j .dynamic -j .dynsym -j '.rel*' -j .reloc \
		--output-target=efi-app-x86_64 $(@:.efi=.efi.so) $@

efi: $(BUILD)/tickbench.efi ## build the EFI program
all: $(BUILD)/tickbench.efi

.PHONY: efi
