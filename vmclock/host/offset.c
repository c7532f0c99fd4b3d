// SPDX-License-Identifier: GPL-2.0-or-later
/* The offset as KVM reports it, and the arithmetic of guest and host counters. */
#include "vmclock/host/offset.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmclock/host/counter.h"

void offset_given(struct offset *offset, u64 cycles, enum offset_source source)
{
	*offset = (struct offset){ .known = true, .offset = cycles, .ratio = 1, .source = source };
}

u64 offset_to_guest(const struct offset *offset, u64 host)
{
	return (u64)((u128)host * offset->ratio >> offset->ratio_bits) + offset->offset;
}

u64 offset_to_host(const struct offset *offset, u64 guest)
{
	u64 scaled = guest - offset->offset;

	/* scaled < 2^64 and ratio_bits <= 48: the shifted dividend fits. */
	return (u64)(((u128)scaled << offset->ratio_bits) / offset->ratio);
}

long double offset_scale(const struct offset *offset)
{
	return ldexpl(offset->ratio, -(int)offset->ratio_bits);
}

static bool read_number(const char *folder, const char *name, s64 *value)
{
	char path[600], text[64], *end;
	FILE *file;
	bool ok;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "r");
	if (!file)
		return false;
	ok = fgets(text, sizeof(text), file);
	fclose(file);
	if (!ok)
		return false;
	errno = 0;
	*value = text[0] == '-' ? strtoll(text, &end, 10) : (s64)strtoull(text, &end, 10);
	return !errno && end != text && (*end == '\n' || !*end);
}

bool offset_from_kvm(struct offset *offset, const char *debugfs, s32 pid)
{
	char prefix[32], folder[512] = "";
	s64 cycles, ratio, bits;
	struct dirent *entry;
	DIR *dir = opendir(debugfs);

	if (!dir)
		return false;
	/* Each VM has a folder, named after the process and its descriptor; a QEMU has one VM. */
	snprintf(prefix, sizeof(prefix), "%d-", pid);
	while (!folder[0] && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, prefix, strlen(prefix)))
			snprintf(folder, sizeof(folder), "%s/%.200s/vcpu0", debugfs, entry->d_name);
	closedir(dir);
	if (!folder[0] || !read_number(folder, "tsc-offset", &cycles))
		return false;
	offset_given(offset, (u64)cycles, OFFSET_FROM_KVM);
	/* Both are there only if the processor can scale. */
	if (read_number(folder, "tsc-scaling-ratio", &ratio) &&
	    read_number(folder, "tsc-scaling-ratio-frac-bits", &bits) && bits > 0 && bits <= 48 &&
	    ratio && ratio != 1LL << bits) {
		offset->ratio = (u64)ratio;
		offset->ratio_bits = (u32)bits;
		offset->half_width = 1; /* the shift rounds down */
	}
	return true;
}
