# SPDX-License-Identifier: GPL-2.0-or-later
# What a user runs: the guest, the host process, the tests. Variables map to run-qemu.sh's options.

PARAMS := CORE SWITCHES CLOCK TICK HZ TICKLESS SCENARIO DURATION COUNTER_HZ COUNTER_BITS RATE_PPM \
	OFFSET_NS LATE_NS REGISTERED EXPECT SEED STEP_NS READINGS DISRUPTIONS \
	POLICY
RUNNER := ACCEL BOOT QEMU TIMEOUT ICOUNT PERIODIC RAW LINUX ARGS
# What each goal takes, beside what all of them do.
KNOWN_run   := $(PARAMS) $(RUNNER)
KNOWN_sim   := $(PARAMS) PERIODIC RAW LINUX ARGS
KNOWN_test  := TESTS JUNIT LINUX WORKERS
KNOWN_image := IMAGE_COMMAND IMAGE_KIB
KNOWN_check := LINUX TICKS SEED HZ PERIODIC ARGS
KNOWN_soak  := LINUX TICKS SEED HZ YEARS
KNOWN_equal := A B TICKS SEED HZ PERIODIC ARGS
KNOWN_compare := $(filter-out CORE,$(PARAMS)) CORES ROUNDS HTML ACCEL QEMU PERIODIC ARGS
KNOWN_ladder := LINUX MARKDOWN
KNOWN_bench := LINUX ROWS
KNOWN_series := BASE PATCHES ALONE HZ ARGS
KNOWN_matrix := MATRIX CORES SSHLOGIN ARGS
KNOWN_discipline := CORE POLICIES NOISE VARY ARGS
KNOWN_bisect := TREE BAD GOOD CLAIM SAME_AS HZ ARGS
KNOWN_kunit := LINUX HZ SCENARIO
KNOWN_coverage := LINUX MARKDOWN
KNOWN_mutants := LINUX COUNT SEED FUNCTION MARKDOWN
CHECKED := $(filter run sim check test image compare series soak equal ladder matrix discipline bisect mutants coverage kunit bench fuzz chaos lint,$(MAKECMDGOALS))
KNOWN := $(sort $(foreach g,$(CHECKED),$(KNOWN_$g))) BUILD CC PYTHON EFI_INC EFI_LIB VCLK_BASE TBMB_BASE
GIVEN := $(foreach v,$(filter-out MAKEOVERRIDES MAKEFLAGS -*-,$(.VARIABLES)),$(if $(filter command,$(origin $v)),$v))

# make takes any name: a misspelt one must not be without effect.
ifneq ($(CHECKED),)
UNKNOWN := $(filter-out $(KNOWN),$(GIVEN))
ifneq ($(UNKNOWN),)
$(error make $(CHECKED): unknown: $(UNKNOWN). There are: $(KNOWN))
endif
endif

# make would expand a $ in a value: LINUX='$(x)' would be nothing, and the native core be measured.
EXPANDED := $(strip $(foreach v,$(filter-out ARGS TESTS,$(GIVEN)),$(if $(findstring $$,$(value $v)),$v)))
ifneq ($(CHECKED),)
ifneq ($(EXPANDED),)
$(error make $(CHECKED): the value of $(EXPANDED) has a $$, which make would expand: give it to ./tickbench)
endif
endif

lower = $(shell echo '$1' | tr A-Z a-z)
quote = '$(subst ','\'',$1)'
option = $(if $($1),--$(call lower,$1) $(call quote,$($1)))
flag = $(if $(filter-out 0 no,$($1)),--$(call lower,$1))
core = $(if $(LINUX),--core $(call quote,linux:$(LINUX)))
words = $(foreach v,$(PARAMS),$(if $(filter command,$(origin $v)),$(call quote,$(call lower,$v)=$($v))))

all: $(BUILD)/probe.elf

$(BUILD)/probe.elf: runner/guest/probe.asm
	@mkdir -p $(@D)
	nasm -f bin -o $@ $<

# First of all: may we write where we build, and is there what we need?
define ready
@mkdir -p $(BUILD) 2>/dev/null && [ -w $(BUILD) ] || { echo "tickbench: cannot write to the folder \
$(BUILD): name another with BUILD=FOLDER" >&2; exit 2; }
@./setup.sh $1
@$(MAKE) --no-print-directory -s -j$(shell nproc) all
endef

run: ## boot the guest, measure, print the table (SCENARIO= CLOCK= CORE= SWITCHES= HZ= DURATION= ...)
	$(call ready,run $(if $(LINUX),lift))
	@$(TICKBENCH) run --build $(BUILD) $(call option,ACCEL) $(call option,BOOT) $(call option,QEMU) \
		$(call option,TIMEOUT) $(call flag,ICOUNT) $(call flag,PERIODIC) $(call flag,RAW) $(core) $(words) $(ARGS)

sim: ## the same in a host process, on the virtual counter (SCENARIO= CORE= SWITCHES= HZ= DURATION= ...)
	$(call ready,run $(if $(LINUX),lift))
	@$(TICKBENCH) sim --build $(BUILD) $(call flag,PERIODIC) $(call flag,RAW) $(core) $(words) $(ARGS)

# A worker for each CPU: more would be quicker, but tests of guests and publishers need theirs.
WORKERS ?= $(shell nproc)

test: ## all tests (TESTS='tests/test_ktap.py -k garbage' for some, LINUX=TREE with it, JUNIT=FILE for XML, WORKERS=2)
	$(call ready,test lift)
	@BUILD=$(abspath $(BUILD)) $(PYTHON) -m pytest -n $(WORKERS) --dist loadgroup $(if $(JUNIT),--junit-xml=$(JUNIT)) $(or $(TESTS),tests)

.PHONY: run sim test
