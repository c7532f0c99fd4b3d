// SPDX-License-Identifier: GPL-2.0-or-later
/* Finds an ACPI device and maps its page. */
#include "guest/page.h"
#include "arch/x86/acpi.h"
#include "arch/x86/paging.h"
#include "vmclock/vmclock.h"

#define PAGE_MAX 4096 /* more than the fields of either page need */

static void map(struct guest_page *page, const struct aml_region *region)
{
	enum paging_error error;

	page->physical = region->base;
	page->size = region->size;
	error = paging_map(region->base, page->size < PAGE_MAX ? page->size : PAGE_MAX,
			   CACHE_WRITE_BACK);
	page->why = paging_strerror(error);
	if (!error)
		page->address = (volatile void *)region->base;
}

void guest_page_find(struct guest_page *page, const char *acpi_id)
{
	struct aml_region region;
	enum acpi_error damaged;
	enum aml_error found = acpi_find_device(acpi_id, &region, &damaged);

	*page = (struct guest_page){ .why = aml_strerror(found) };
	if (found) {
		if (found == AML_NO_DEVICE && damaged)
			page->why = acpi_strerror(damaged);
		return;
	}
	map(page, &region);
}

static bool has_counter(const struct guest_page *page)
{
	const volatile struct vmclock_abi *abi = page->address;

	return abi && page->size >= sizeof(*abi) && abi->counter_id != VMCLOCK_COUNTER_INVALID;
}

void guest_page_find_vmclock(struct guest_page *page, struct guest_page *markers)
{
	struct aml_region regions[2];
	struct guest_page both[2] = { 0 };
	u32 count = acpi_find_devices(VMCLOCK_ACPI_ID, regions, 2);

	*markers = (struct guest_page){ .why = "no second device has that id" };
	guest_page_find(page, VMCLOCK_ACPI_ID);
	if (count < 2)
		return;
	map(&both[0], &regions[0]);
	map(&both[1], &regions[1]);
	if (has_counter(&both[0]) == has_counter(&both[1]))
		return;
	*page = both[has_counter(&both[1])];
	*markers = both[has_counter(&both[0])];
}
