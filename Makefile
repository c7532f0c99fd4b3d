# SPDX-License-Identifier: GPL-2.0-or-later
# tickbench: `make help` lists the targets. Each room has its own build.mk beside its sources.
SHELL   := /bin/bash
BUILD   ?= build
CC      := gcc
PYTHON  := /usr/bin/python3
# Isolated: no module comes from the current folder, from PYTHONPATH or from the user.
TICKBENCH := $(PYTHON) -IS ./tickbench
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

# -fms-extensions: a struct with a tag as an unnamed member (struct tk_state).
DIALECT := -std=gnu11 -fms-extensions $(if $(findstring clang,$(CC)),-Wno-microsoft-anon-tag)
# make separates names at blanks, so a folder's name cannot have one.
ifneq ($(words $(BUILD)),1)
$(error BUILD=$(BUILD): it must be one folder, without a blank in its name)
endif

# The headers that an object was made of, under both names that make may have for it: a build folder can be
# given relative to this one or as a whole path.
DEPENDS = -MMD -MP -MT '$(abspath $@)' -MT '$(patsubst $(CURDIR)/%,%,$(abspath $@))'
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes
# For code that guest and host process share: freestanding, no vector registers, no red zone (interrupts).
FREE_CFLAGS := $(DIALECT) -O2 -g $(WARN) -I. -ffreestanding -fno-pic -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fno-strict-aliasing -mno-red-zone -mgeneral-regs-only \
	-fcf-protection=none
# For programs of this project that run on Linux.
HOST_CFLAGS := $(DIALECT) -O2 -g $(WARN) -I. -D_GNU_SOURCE

# Rooms that know neither hardware nor libc, and are linked into both vehicles.
SHARED_SRC := $(wildcard lib/*.c tk/*.c tk/native/*.c vmclock/*.c clock/*.c measure/*.c \
	scenario/*.c)
# Only the guest needs these; a host process has a libc.
GUEST_ONLY_SRC := lib/string.c
SHARED_OBJ := $(patsubst %.c,$(BUILD)/free/%.o,$(filter-out $(GUEST_ONLY_SRC),$(SHARED_SRC)))

all: ## build the guest, the host process and the publisher

$(BUILD)/free/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(FREE_CFLAGS) $(DEPENDS) -c -o $@ $<

$(BUILD)/host/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(DEPENDS) -c -o $@ $<

# The same sources under the sanitizers, for the tests.
SAN_CFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all
$(BUILD)/san/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(SAN_CFLAGS) $(DEPENDS) -c -o $@ $<

-include $(wildcard lint/build.mk fuzz/build.mk arch/x86/build.mk guest/build.mk boot/build.mk vmclock/build.mk sim/build.mk \
	diff/build.mk tk/linux/build.mk linux/build.mk link.mk tests/build.mk runner/build.mk runner/figures.mk)

clean: ## remove the build folder
	rm -rf $(BUILD)

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

# Without the dependency files of kernels' own build folders.
-include $(shell find $(BUILD) \( -name kbuild -o -name tree \) -prune -o -name '*.d' -print 2>/dev/null)

.PHONY: all clean help
