# SPDX-License-Identifier: GPL-2.0-or-later
# The machine room: objects that only the guest links.
ARCH_SRC := $(wildcard arch/x86/*.c)
ARCH_ASM := $(wildcard arch/x86/*.asm)
ARCH_OBJ := $(ARCH_SRC:%.c=$(BUILD)/free/%.o) $(ARCH_ASM:%.asm=$(BUILD)/free/%.asm.o)

$(BUILD)/free/%.asm.o: %.asm
	@mkdir -p $(@D)
	nasm -f elf64 -g -F dwarf -Werror -MD $(@:.o=.d) -MP -I $(CURDIR)/ -I $(BUILD)/ -o $@ $<

$(BUILD)/free/arch/x86/font.asm.o: $(BUILD)/font.bin

$(BUILD)/font.bin: arch/x86/font.py
	@mkdir -p $(@D)
	$(PYTHON) -I $< $@
