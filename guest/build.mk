# SPDX-License-Identifier: GPL-2.0-or-later
# The guest: one image for both ways in.
GUEST_SRC := $(wildcard guest/*.c)
GUEST_OBJ := $(GUEST_SRC:%.c=$(BUILD)/free/%.o) $(GUEST_ONLY_SRC:%.c=$(BUILD)/free/%.o)

LINK_GUEST = $(LD) -nostdlib -static -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments \
	-T linker.ld -o $@ $(filter %.o,$^)

guest: $(BUILD)/tickbench.elf ## build the guest's image
all: $(BUILD)/tickbench.elf

.PHONY: guest
