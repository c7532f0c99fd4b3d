# SPDX-License-Identifier: GPL-2.0-or-later
# Checks of the sources' form and of mistakes that a tool can see. Configurations are in lint/.
LINT_C   := $(wildcard */*.c */*.h */*/*.c */*/*.h)
LINT_PY  := tickbench $(wildcard */*.py */*/*.py)
LINT_SH  := run-qemu.sh setup.sh .ci/run $(wildcard tests/*.sh)
# What is made is not checked.
LINT_OUT := build/% $(BUILD)/%
KNOWN_lint :=

lint: ## check form, types and common mistakes in all sources
	@./setup.sh lint
	@mkdir -p $(BUILD)/lint
	@echo "clang-format"; clang-format --dry-run -Werror $(filter-out $(LINT_OUT),$(LINT_C))
	@echo "cppcheck"; cppcheck --quiet -j 2 --error-exitcode=1 --std=c11 --language=c --platform=unix64 \
		--enable=warning,performance,portability --inline-suppr --suppressions-list=lint/cppcheck.txt \
		--cppcheck-build-dir=$(BUILD)/lint -I. -D__x86_64__ $(filter-out $(LINT_OUT),$(filter %.c,$(LINT_C)))
	@echo "shellcheck"; shellcheck $(LINT_SH)
	@echo "flake8"; flake8 --config lint/flake8.ini $(filter-out $(LINT_OUT),$(LINT_PY))
	@echo "mypy"; mypy --config-file lint/mypy.ini --cache-dir $(BUILD)/lint/mypy \
		$(filter-out $(LINT_OUT) tickbench,$(LINT_PY))

.PHONY: lint
