# SPDX-License-Identifier: GPL-2.0-or-later
# libFuzzer targets, each under ASan and UBSan: needs clang with its runtime libraries (setup.sh test).
FUZZ_CLANG    ?= clang
FUZZ_SECONDS  := $(or $(SECONDS),60)
FUZZ_TARGETS  := $(patsubst fuzz/fuzz_%.c,%,$(wildcard fuzz/fuzz_*.c))
KNOWN_fuzz    := SECONDS TARGETS FUZZ_CLANG
FUZZ_CFLAGS   := -std=gnu11 -fms-extensions -Wno-microsoft-anon-tag -O1 -g -Wall -Wextra -Werror -I. -D_GNU_SOURCE \
	-fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all

# What each target is about, beside its own file and the rooms that all of them link.
FUZZ_SRC_mailbox := vmclock/host/exchange.c vmclock/host/offset.c
FUZZ_SRC_aml     := arch/x86/aml.c
FUZZ_SRC_acpi    := arch/x86/aml.c
FUZZ_SRC_params  := measure/params.c guest/provoke.c tk/words.c
FUZZ_SHARED_OBJ  := $(patsubst %.c,$(BUILD)/fuzz/obj/%.o,$(filter-out $(GUEST_ONLY_SRC),\
	$(filter lib/% vmclock/%,$(SHARED_SRC))))

$(BUILD)/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	$(FUZZ_CLANG) $(FUZZ_CFLAGS) $(DEPENDS) -c -o $@ $<

.SECONDEXPANSION:
$(FUZZ_TARGETS:%=$(BUILD)/fuzz/%): $(BUILD)/fuzz/%: $(BUILD)/fuzz/obj/fuzz/fuzz_%.o \
		$$(addprefix $(BUILD)/fuzz/obj/,$$(FUZZ_SRC_$$*:.c=.o)) $(BUILD)/fuzz/shared.a
	$(FUZZ_CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^

$(BUILD)/fuzz/shared.a: $(FUZZ_SHARED_OBJ)
	@rm -f $@
	ar rcs $@ $^

# Seeds that are not text are made; what a target once failed on is committed in fuzz/corpus/TARGET.
$(BUILD)/fuzz/seeds: fuzz/seeds.py $(BUILD)/vmclock.aml
	$(PYTHON) $< --aml $(BUILD)/vmclock.aml $@
	@touch $@

fuzz-programs: $(FUZZ_TARGETS:%=$(BUILD)/fuzz/%) $(BUILD)/fuzz/seeds

fuzz: ## fuzz each parser for SECONDS=60 under ASan and UBSan (TARGETS='page aml' for some)
	@./setup.sh run fuzz
	@$(MAKE) --no-print-directory -s -j$(shell nproc) fuzz-programs
	@for target in $(or $(TARGETS),$(FUZZ_TARGETS)); do \
		echo "fuzzing $$target for $(FUZZ_SECONDS) s"; \
		mkdir -p $(BUILD)/fuzz/found/$$target fuzz/corpus/$$target; \
		$(BUILD)/fuzz/$$target -max_total_time=$(FUZZ_SECONDS) -timeout=10 -print_final_stats=1 \
			-artifact_prefix=$(BUILD)/fuzz/found/$$target- $(BUILD)/fuzz/found/$$target \
			$(BUILD)/fuzz/seeds/$$target fuzz/corpus/$$target 2>$(BUILD)/fuzz/$$target.log || { \
			tail -40 $(BUILD)/fuzz/$$target.log; exit 1; }; \
		grep -E 'number_of_executed_units|average_exec_per_sec' $(BUILD)/fuzz/$$target.log; done

.PHONY: fuzz fuzz-programs
