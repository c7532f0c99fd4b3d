// SPDX-License-Identifier: GPL-2.0-or-later
/* vmclock-host: what a hypervisor's vmclock device would do, as a program beside any QEMU. */
#include "vmclock/host/descriptors.h"
#include "vmclock/host/log.h"
#include "vmclock/host/publish.h"
#include "vmclock/host/stop.h"

int main(int argc, char **argv)
{
	struct options options;

	if (!descriptors_reserve())
		return STATUS_COULD_NOT;
	switch (options_parse(&options, argc, argv)) {
	case OPTIONS_HELP:
		return STATUS_DONE;
	case OPTIONS_BAD:
		return STATUS_COULD_NOT;
	case OPTIONS_GO:
		break;
	}
	log_style(options.json);
	pagefile_say_cuts();
	stop_prepare(options.die_with_parent, options.duration_us);
	switch (options.mode) {
	case MODE_LIVE:
		return publish_live(&options);
	case MODE_STATIC:
		return publish_static(&options);
	case MODE_STRESS:
		return publish_stress(&options);
	case MODE_CHECK:
		return audit(&options);
	}
	return STATUS_COULD_NOT;
}
