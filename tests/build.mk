# SPDX-License-Identifier: GPL-2.0-or-later
# The programs that only tests use. A *-tool answers commands over a pipe, a *-check checks by itself; both are
# built with the sanitizers. The page's tool is in vmclock/build.mk.
$(BUILD)/lib-tool: $(patsubst %.c,$(BUILD)/san/%.o,tests/lib_tool.c $(filter lib/%.c tk/%.c, \
		$(filter-out $(GUEST_ONLY_SRC) tk/native/%,$(SHARED_SRC))))
	$(CC) $(SAN_CFLAGS) -o $@ $^

# The tool includes native.c.
$(BUILD)/native-tool: $(patsubst %.c,$(BUILD)/san/%.o,tests/native_tool.c $(filter lib/%.c tk/%.c, \
		$(filter-out $(GUEST_ONLY_SRC) tk/native/native.c,$(SHARED_SRC))))
	$(CC) $(SAN_CFLAGS) -o $@ $^

lib-tests: $(BUILD)/lib-tool $(BUILD)/native-tool

# The page's code behind a pipe, and both tools around the product's own objects, which `tickbench mutants --own`
# breaks.
VMCLOCK_TOOL_SRC := $(filter vmclock/%.c lib/%.c,$(filter-out $(GUEST_ONLY_SRC),$(SHARED_SRC)))

$(BUILD)/vmclock-tool: $(patsubst %.c,$(BUILD)/san/%.o,tests/vmclock_tool.c $(VMCLOCK_TOOL_SRC))
	$(CC) $(SAN_CFLAGS) -pthread -o $@ $^

$(BUILD)/own/vmclock-tool: $(BUILD)/host/tests/vmclock_tool.o $(VMCLOCK_TOOL_SRC:%.c=$(BUILD)/free/%.o)
	@mkdir -p $(@D)
	$(CC) -no-pie -z noexecstack -pthread -o $@ $^

$(BUILD)/own/lib-tool: $(BUILD)/host/tests/lib_tool.o $(patsubst %.c,$(BUILD)/free/%.o,$(filter lib/%.c tk/%.c, \
		$(filter-out $(GUEST_ONLY_SRC) tk/native/%,$(SHARED_SRC))))
	@mkdir -p $(@D)
	$(CC) -no-pie -z noexecstack -o $@ $^

$(BUILD)/own/%-check: $(BUILD)/host/tests/%_check.o $(patsubst %.c,$(BUILD)/free/%.o,$(filter lib/%.c tk/%.c \
		vmclock/%.c,$(filter-out $(GUEST_ONLY_SRC),$(SHARED_SRC))))
	@mkdir -p $(@D)
	$(CC) -no-pie -z noexecstack -o $@ $^

# make would remove them after a link, and a second link needs them.
.SECONDARY: $(BUILD)/host/tests/stage_check.o $(BUILD)/host/tests/reference_check.o

own-tools: $(BUILD)/vmclock-tool $(BUILD)/lib-tool

.PHONY: lib-tests own-tools

# Guest and host process with one thing broken (tests/fault/fault.h). They are the product's own objects, with
# tests/fault/native.o in place of native.o, and with machine.o between the others by the linker's --wrap.
FAULT_OBJ := $(BUILD)/free/tests/fault/native.o $(BUILD)/free/tests/fault/machine.o \
	$(filter-out %/native/native.o,$(SHARED_OBJ))
FAULT_WRAP := $(addprefix --wrap=,experiments_parse provoke_take ntp_drain_skew vmclock_read vmclock_raw \
	vmclock_page_update vmclock_outlived bell_listen scenarios_run markers_void disruption_look \
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

# The programs that check by themselves.
$(BUILD)/%-check: $(BUILD)/san/tests/%_check.o $(patsubst %.c,$(BUILD)/san/%.o,$(filter lib/%.c tk/%.c \
		vmclock/%.c,$(filter-out $(GUEST_ONLY_SRC),$(SHARED_SRC))))
	$(CC) $(SAN_CFLAGS) -o $@ $^

stage-check: $(BUILD)/stage-check
reference-check: $(BUILD)/reference-check

.PHONY: stage-check reference-check
