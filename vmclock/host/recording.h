/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records what the host's clock does: a line "COUNTER SECONDS.NANOSECONDS" ten times a second, for
 * scenario `discipline` (measure/record.h).
 */
#ifndef TB_VMCLOCK_HOST_RECORDING_H
#define TB_VMCLOCK_HOST_RECORDING_H

#include "vmclock/host/hostclock.h"

/* A new file: an existing one is not overwritten. false: said on stderr. */
bool recording_open(const char *path);
/* Called for each pair; does nothing where no file is open. A file that cannot be written to any
 * more is closed, which is said on stderr. */
void recording_add(const struct pair *pair);
void recording_close(void);

#endif
