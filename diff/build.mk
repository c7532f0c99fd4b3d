# SPDX-License-Identifier: GPL-2.0-or-later
# The comparison of two cores, A and B: a program for each pair. link.mk has the rules.
DIFF_OBJ := $(patsubst %.c,$(BUILD)/host/%.o,$(wildcard diff/*.c))

# Kept for the next pair.
.SECONDARY: $(DIFF_OBJ)

# Made with the rest, although only a lift links them: their dependency files then name them as this build does.
all: $(DIFF_OBJ)
