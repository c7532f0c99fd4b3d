// SPDX-License-Identifier: GPL-2.0-or-later
/* Finds an ACPI device and maps its page. */
#include "guest/page.h"
#include "arch/x86/acpi.h"
#include "arch/x86/paging.h"

#define PAGE_MAX 4096 /* more than the fields of either page need */

void guest_page_find(struct guest_page *page, const char *acpi_id)
{
	struct aml_region region;
	enum acpi_error damaged;
	enum paging_error error;
	enum aml_error found = acpi_find_device(acpi_id, &region, &damaged);

	*page = (struct guest_page){ .why = aml_strerror(found) };
	if (found) {
		if (found == AML_NO_DEVICE && damaged)
			page->why = acpi_strerror(damaged);
		return;
	}
	page->physical = region.base;
	page->size = region.size;
	error = paging_map(region.base, page->size < PAGE_MAX ? page->size : PAGE_MAX,
			   CACHE_WRITE_BACK);
	page->why = paging_strerror(error);
	if (!error)
		page->address = (volatile void *)region.base;
}
