# SPDX-License-Identifier: GPL-2.0-or-later
# The comparison of the native core with a lifted one: a program for each lifted tree.
DIFF_OBJ := $(patsubst %.c,$(BUILD)/host/%.o,$(wildcard diff/*.c))

$(BUILD)/lift/%/tickbench-diff: $(BUILD)/lift/%/linux.o $(DIFF_OBJ) $(SHARED_OBJ)
	$(CC) -no-pie -z noexecstack -o $@ $(filter %.o,$^)

# Kept for the next lifted tree.
.SECONDARY: $(DIFF_OBJ)
