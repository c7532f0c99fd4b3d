# SPDX-License-Identifier: GPL-2.0-or-later
# What takes minutes, on request: the proof at length, the ladder, the benchmarks.
KERNELS := $(or $(LINUX),6.1,6.12.107,6.12,7.2,7.3)

soak: ## compare native with kernels' own cores for TICKS=1000000000 random ticks each (LINUX=...); YEARS=10: let years pass
	$(call ready,run $(if $(and $(YEARS),$(if $(LINUX),,1)),,lift))
	@$(TICKBENCH) soak --build $(BUILD) $(if $(YEARS),--years $(YEARS),--ticks $(or $(TICKS),1000000000)) \
		$(if $(SEED),--seed $(SEED)) $(if $(HZ),--hz $(HZ)) $(call quote,$(if $(YEARS),$(or $(LINUX),native),$(KERNELS)))

equal: ## compare any two cores tick by tick (A=7.2 B=~/src/linux TICKS= SEED= HZ= ARGS='--cc-b clang')
	$(call ready,run lift)
	@$(TICKBENCH) equal --build $(BUILD) $(call option,TICKS) $(call option,SEED) $(call option,HZ) \
		$(call flag,PERIODIC) $(ARGS) $(call quote,$(A)) $(call quote,$(B))

check: ## after an edit of LINUX=TREE: its claims, and whether it behaves as its HEAD does (TICKS=, SEED=, HZ=)
	$(call ready,run lift)
	@$(TICKBENCH) check --build $(BUILD) $(if $(TICKS),--ticks $(TICKS)) $(if $(SEED),--seed $(SEED)) \
		$(if $(HZ),--hz $(HZ)) $(call flag,PERIODIC) $(ARGS) $(call quote,$(or $(LINUX),.))

ladder: ## what each change of the series is worth, beside kernels (LINUX=..., MARKDOWN=docs/ladder.md)
	$(call ready,run lift)
	@$(TICKBENCH) ladder --build $(BUILD) --linux $(call quote,$(KERNELS)) \
		$(if $(MARKDOWN),--markdown $(MARKDOWN))

matrix: ## many experiments on many cores (MATRIX=FILE.toml, CORES=native,7.3, SSHLOGIN=HOSTS)
	$(call ready,run lift matrix)
	@$(TICKBENCH) matrix --build $(BUILD) $(if $(CORES),--cores $(call quote,$(CORES))) \
		$(if $(SSHLOGIN),--sshlogin $(call quote,$(SSHLOGIN))) $(ARGS) $(if $(MATRIX),$(call quote,$(MATRIX)))

bisect: ## find the commit that broke a claim (TREE=, BAD=, GOOD=, CLAIM= or SAME_AS=REV, ARGS='--first-fixed --all')
	$(call ready,run lift)
	@$(TICKBENCH) bisect --build $(BUILD) $(call option,TREE) --bad=$(call quote,$(BAD)) --good=$(call quote,$(GOOD)) \
		$(call option,CLAIM) $(if $(SAME_AS),--same-as $(call quote,$(SAME_AS))) $(call option,HZ) $(ARGS)

mutants: ## break a kernel's core in one place at a time, and count the breaks that are reported (LINUX=..., COUNT=, SEED=)
	$(call ready,run lift)
	@$(TICKBENCH) mutants --build $(BUILD) $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED)) \
		$(if $(MARKDOWN),--markdown $(MARKDOWN)) $(if $(FUNCTION),--function $(call quote,$(FUNCTION))) \
		$(call quote,$(or $(LINUX),7.3))

coverage: ## count the lines of a kernel's core that the default checks run (LINUX=..., MARKDOWN=docs/coverage.md)
	$(call ready,run lift)
	@$(TICKBENCH) coverage --build $(BUILD) $(if $(MARKDOWN),--markdown $(MARKDOWN)) $(call quote,$(or $(LINUX),7.3))

kunit: ## claims that need nothing but a core, as KTAP for kunit.py parse (LINUX=..., HZ=, SCENARIO=)
	$(call ready,run $(if $(LINUX),lift))
	@$(TICKBENCH) kunit --build $(BUILD) $(if $(LINUX),--linux $(call quote,$(LINUX))) \
		$(if $(HZ),--hz $(HZ)) $(if $(SCENARIO),$(call quote,scenario=$(SCENARIO)))

series: ## what each patch of a series is worth (BASE=7.2 PATCHES=v3.mbx, ALONE=1, HZ=)
	$(call ready,run lift)
	@$(TICKBENCH) series --build $(BUILD) $(if $(HZ),--hz $(HZ)) $(call flag,ALONE) $(ARGS) \
		$(call quote,$(BASE)) $(call quote,$(PATCHES))

bench: ## speed, as ratios; with LINUX=TREE also from an edit to the verdict (ROWS='check patches' for some)
	$(call ready,run $(if $(LINUX),lift))
	@$(TICKBENCH) bench --build $(BUILD) $(if $(LINUX),--linux $(call quote,$(LINUX))) $(if $(ROWS),--rows $(ROWS))

compare: ## cores (CORES="7.2 native:-skew") or reports beside each other; without, TSC and kvmclock against vmclock (SCENARIO= ..., HTML=, ROUNDS=)
	$(call ready,run $(if $(CORES),lift))
	@$(TICKBENCH) compare --build $(BUILD) $(call option,ACCEL) $(call option,QEMU) $(call option,HTML) \
		$(call option,ROUNDS) $(call flag,PERIODIC) $(foreach core,$(CORES),$(call quote,$(core))) $(words) $(ARGS)

discipline: ## ways of steering a clock beside each other (CORE=7.3 POLICIES=reference,phc2sys NOISE=quiet,host VARY=page_s=1,16)
	$(call ready,run matrix $(if $(CORE),lift))
	@$(TICKBENCH) discipline --build $(BUILD) $(call option,CORE) $(call option,POLICIES) $(call option,NOISE) \
		$(call option,VARY) $(ARGS)

.PHONY: discipline compare series soak equal ladder matrix bisect mutants coverage kunit bench
