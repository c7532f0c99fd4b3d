# SPDX-License-Identifier: GPL-2.0-or-later
# Parts of the C code behind pipes, under the sanitizers, for the tests. (The page's is in vmclock/.)
$(BUILD)/lib-tool: $(patsubst %.c,$(BUILD)/san/%.o,tests/lib_tool.c $(filter lib/%.c tk/%.c, \
		$(filter-out $(GUEST_ONLY_SRC) tk/native/%,$(SHARED_SRC))))
	$(CC) $(SAN_CFLAGS) -o $@ $^

# native.c is included by the tool.
$(BUILD)/native-tool: $(patsubst %.c,$(BUILD)/san/%.o,tests/native_tool.c $(filter lib/%.c tk/%.c, \
		$(filter-out $(GUEST_ONLY_SRC) tk/native/native.c,$(SHARED_SRC))))
	$(CC) $(SAN_CFLAGS) -o $@ $^

lib-tests: $(BUILD)/lib-tool $(BUILD)/native-tool

.PHONY: lib-tests

# The vehicles with one thing broken (tests/fault/fault.h): the product's own objects, and two units
# in the place of native.o and between the others.
FAULT_OBJ := $(BUILD)/free/tests/fault/native.o $(BUILD)/free/tests/fault/machine.o \
	$(filter-out %/native/native.o,$(SHARED_OBJ))
FAULT_WRAP := $(addprefix --wrap=,experiments_parse provoke_take ntp_drain_skew vmclock_read scenarios_run \
	virtual_clock_init)
comma := ,

$(BUILD)/tickbench-sim-fault: $(SIM_OBJ) $(FAULT_OBJ)
	$(CC) -no-pie $(addprefix -Wl$(comma),$(FAULT_WRAP)) -o $@ $^

.SECONDEXPANSION:
$(BUILD)/tickbench-fault.elf: linker.ld $$(BOOT_OBJ) $(ARCH_OBJ) $(GUEST_OBJ) $(FAULT_OBJ)
	$(LINK_GUEST) $(FAULT_WRAP)

fault-tests: $(BUILD)/tickbench-sim-fault $(BUILD)/tickbench-fault.elf

.PHONY: fault-tests

KNOWN_chaos := COUNT SEED

chaos: ## kill, stop and truncate at random, COUNT=1000 times from SEED=1
	@./setup.sh run
	@$(MAKE) --no-print-directory -s -j$(shell nproc) all
	@$(PYTHON) tests/chaos.py --build $(BUILD) --count $(or $(COUNT),1000) --seed $(or $(SEED),1)

.PHONY: chaos

# Programs that check by themselves.
$(BUILD)/%-check: $(BUILD)/san/tests/%_check.o $(patsubst %.c,$(BUILD)/san/%.o,$(filter lib/%.c tk/%.c \
		vmclock/%.c,$(filter-out $(GUEST_ONLY_SRC),$(SHARED_SRC))))
	$(CC) $(SAN_CFLAGS) -o $@ $^

stage-check: $(BUILD)/stage-check
reference-check: $(BUILD)/reference-check

.PHONY: stage-check reference-check
