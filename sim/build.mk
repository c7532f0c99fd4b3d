# SPDX-License-Identifier: GPL-2.0-or-later
# The host process: the shared objects and those of sim/. A second build has the sanitizers, for the tests.
SIM_SRC := $(wildcard sim/*.c)
SIM_OBJ := $(patsubst %.c,$(BUILD)/host/%.o,$(SIM_SRC))
SIM_SAN_OBJ := $(patsubst %.c,$(BUILD)/san/%.o,$(SIM_SRC) $(filter-out $(GUEST_ONLY_SRC),$(SHARED_SRC)))

all: $(BUILD)/tickbench-sim $(BUILD)/scenarios.json

$(BUILD)/tickbench-sim-san: $(SIM_SAN_OBJ)
	$(CC) $(SAN_CFLAGS) -o $@ $^

# The list of scenarios that the runner reads.
$(BUILD)/scenarios.json: $(BUILD)/tickbench-sim
	$< --list >$@
