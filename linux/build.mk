# SPDX-License-Identifier: GPL-2.0-or-later
# The program that measures in a booted Linux. Static: its guest has no libraries.
LINUX_SRC := $(wildcard linux/*.c)
LINUX_OBJ := $(LINUX_SRC:%.c=$(BUILD)/host/%.o)

all: $(BUILD)/linux-clock

$(BUILD)/linux-clock: $(LINUX_OBJ) $(filter $(BUILD)/free/lib/% $(BUILD)/free/vmclock/%,$(SHARED_OBJ))
	$(CC) -static -no-pie -z noexecstack -o $@ $^

# For the tests: its judgement, on clocks whose error is given.
$(BUILD)/linux-tool: $(BUILD)/host/tests/linux_tool.o $(BUILD)/host/linux/measure.o \
		$(filter $(BUILD)/free/lib/% $(BUILD)/free/vmclock/%,$(SHARED_OBJ))
	$(CC) -no-pie -z noexecstack -o $@ $^
