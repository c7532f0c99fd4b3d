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

# The comparison of two cores. Each is one object of which only the operations are global: tk_a in the one,
# tk_b in the other, so that two cores, each with its own data, can be in one process.
define CORE_OF_PAIR
$(BUILD)/lift/%/core_$(1).o: $(BUILD)/lift/%/linux.o
	objcopy --redefine-sym tk_linux=tk_$(1) $$< $$@.$$$$$$$$ && mv $$@.$$$$$$$$ $$@

$(BUILD)/native/core_$(1).o: $(filter $(BUILD)/free/tk/native/%,$(SHARED_OBJ))
	@mkdir -p $$(@D)
	$$(LD) -r -o $$@.all $$^
	objcopy --keep-global-symbol=tk_native $$@.all $$@.one
	objcopy --redefine-sym tk_native=tk_$(1) $$@.one $$@
	@rm -f $$@.all $$@.one
endef
$(eval $(call CORE_OF_PAIR,a))
$(eval $(call CORE_OF_PAIR,b))

all: $(BUILD)/native/core_a.o $(BUILD)/native/core_b.o

PAIR_REST := $(DIFF_OBJ) $(filter-out $(BUILD)/free/tk/native/%,$(filter $(foreach room,lib tk vmclock, \
	$(BUILD)/free/$(room)/%),$(SHARED_OBJ)))
LINK_PAIR = $(CC) -no-pie -z noexecstack -o $@ $^

$(BUILD)/lift/%/tickbench-diff: $(BUILD)/native/core_a.o $(BUILD)/lift/%/core_b.o $(PAIR_REST)
	$(LINK_PAIR)

# PAIR is the folder of a program, PAIR_A and PAIR_B are those of its cores.
ifdef PAIR
$(PAIR)/tickbench-diff: $(PAIR_A)/core_a.o $(PAIR_B)/core_b.o $(PAIR_REST)
	@mkdir -p $(@D)
	$(LINK_PAIR)
endif

.SECONDARY: $(BUILD)/native/core_a.o $(BUILD)/native/core_b.o
.PRECIOUS: $(BUILD)/lift/%/core_a.o $(BUILD)/lift/%/core_b.o
