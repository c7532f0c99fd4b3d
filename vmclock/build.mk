# SPDX-License-Identifier: GPL-2.0-or-later
# The publisher, and the ACPI table that tells a guest where its page lies.
VCLK_BASE ?= 0x200000000
TBMB_BASE ?= 0x200200000

VMCLOCK_HOST_SRC := $(wildcard vmclock/host/*.c)
VMCLOCK_HOST_OBJ := $(VMCLOCK_HOST_SRC:%.c=$(BUILD)/host/%.o)
# What it shares with the guest and the host process, as objects of the same sources.
VMCLOCK_SHARED_SRC := $(wildcard vmclock/*.c) $(addprefix lib/,instant.c ktap.c line.c parse.c print.c)
VMCLOCK_SHARED_OBJ := $(VMCLOCK_SHARED_SRC:%.c=$(BUILD)/free/%.o)

all: $(BUILD)/vmclock-host $(BUILD)/vmclock.aml $(BUILD)/notify.aml

$(BUILD)/vmclock-host: $(VMCLOCK_HOST_OBJ) $(VMCLOCK_SHARED_OBJ)
	$(CC) -no-pie -o $@ $^ -lm

# iasl wants numbers there. The last byte of each: both are 4 KiB long, and aligned to it.
$(BUILD)/vmclock.aml: vmclock/vmclock.asl vmclock/build.mk
	@mkdir -p $(@D)
	sed -e 's/VCLK_BASE/$(VCLK_BASE)/; s/VCLK_LAST/$(VCLK_BASE:%000=%FFF)/' \
		-e 's/TBMB_BASE/$(TBMB_BASE)/; s/TBMB_LAST/$(TBMB_BASE:%000=%FFF)/' $< >$(@:.aml=.asl)
	iasl -va -p $(@:.aml=) $(@:.aml=.asl) >$@.log || { cat $@.log; exit 1; }

$(BUILD)/notify.aml: vmclock/notify.asl
	@mkdir -p $(@D)
	iasl -va -p $(@:.aml=) $< >$@.log || { cat $@.log; exit 1; }

# For the tests, under the sanitizers: the publisher itself, and its parts behind a pipe.
VMCLOCK_SAN_OBJ := $(patsubst %.c,$(BUILD)/san/%.o,$(VMCLOCK_HOST_SRC) $(VMCLOCK_SHARED_SRC))

$(BUILD)/vmclock-host-san: $(VMCLOCK_SAN_OBJ)
	$(CC) $(SAN_CFLAGS) -o $@ $^ -lm

$(BUILD)/page-tool: $(BUILD)/san/tests/page_tool.o $(filter-out %/main.o,$(VMCLOCK_SAN_OBJ))
	$(CC) $(SAN_CFLAGS) -o $@ $^ -lm

$(BUILD)/clock-shim.so: tests/clock_shim.c
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(DEPENDS) -fPIC -shared -o $@ $< -ldl

page-tests: $(BUILD)/clock-shim.so $(BUILD)/vmclock-host $(BUILD)/vmclock-host-san $(BUILD)/page-tool $(BUILD)/vmclock.aml

.PHONY: page-tests
