# SPDX-License-Identifier: GPL-2.0-or-later
# Around a lifted core. runner/lift/lift.py leaves in $(BUILD)/lift/TREE/VARIANT/ the units that
# are compiled with the kernel's flags, and headers that say what they are; the rest is made here.
$(BUILD)/lift/%/core.o: tk/linux/core.c $(BUILD)/lift/%/lift_identity.h $(BUILD)/lift/%/lift_has.h
	$(CC) $(FREE_CFLAGS) $(DEPENDS) -I$(@D) -c -o $@ $<

# One object that defines tk_linux and nothing else.
# The shim comes first: of two weak symbols, its own and the kernel's, the linker takes the first.
$(BUILD)/lift/%/linux.o: tk/linux/lift.ld $(BUILD)/free/tk/linux/shim.o \
		$(BUILD)/lift/%/wrap_timekeeping.o $(BUILD)/lift/%/wrap_ntp.o $(BUILD)/lift/%/wrap_vdso.o \
		$(BUILD)/lift/%/wrap_vmclock.o $(BUILD)/lift/%/core.o
	$(LD) -r --wrap=second_overflow --wrap=update_vsyscall --wrap=vdso_time_update_aux -T $< -o $@.all $(filter %.o,$^)
	objcopy --keep-global-symbol=tk_linux $@.all $@
	@rm -f $@.all

# Intermediate files that make must keep: without them a second run would make them and the programs again.
.PRECIOUS: $(addprefix $(BUILD)/lift/%/,core.o linux.o wrap_timekeeping.o wrap_ntp.o wrap_vdso.o \
	wrap_vmclock.o tickbench.elf tickbench.bin efi_image.o)
.SECONDARY: $(BUILD)/free/tk/linux/shim.o
