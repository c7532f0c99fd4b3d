# SPDX-License-Identifier: GPL-2.0-or-later
# Parts of the C code behind pipes, under the sanitizers, for the tests. (The page's is in vmclock/.)
$(BUILD)/lib-tool: $(patsubst %.c,$(BUILD)/san/%.o,tests/lib_tool.c $(filter lib/%.c tk/%.c, \
		$(filter-out $(GUEST_ONLY_SRC) tk/native/%,$(SHARED_SRC))))
	$(CC) $(SAN_CFLAGS) -o $@ $^

lib-tests: $(BUILD)/lib-tool

.PHONY: lib-tests
