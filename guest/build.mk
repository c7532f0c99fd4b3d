# SPDX-License-Identifier: GPL-2.0-or-later
# The guest: one image for both ways in. LIFT_GUEST_OBJ is a lifted core's, where there is one; it
# and BOOT_OBJ are set by files that are read after this one, hence the second expansion.
GUEST_SRC := $(wildcard guest/*.c)
GUEST_OBJ := $(GUEST_SRC:%.c=$(BUILD)/free/%.o) $(GUEST_ONLY_SRC:%.c=$(BUILD)/free/%.o)

.SECONDEXPANSION:
$(BUILD)/tickbench.elf: linker.ld $$(BOOT_OBJ) $(ARCH_OBJ) $(GUEST_OBJ) $(SHARED_OBJ) $$(LIFT_GUEST_OBJ)
	$(LD) -nostdlib -static -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments \
		-T linker.ld -o $@ $(filter %.o,$^)

guest: $(BUILD)/tickbench.elf ## build the guest's image
all: $(BUILD)/tickbench.elf

.PHONY: guest
