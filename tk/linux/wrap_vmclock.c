// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Includes a tree's own kernel/time/vmclock_host.c, which writes a vmclock page of the kernel's
 * clock for hypervisors, unchanged: LIFT_VMCLOCK_HOST is its path. Compiled with the command that
 * kbuild saved for timekeeping.c. There is no user space: its device is registered nowhere, and its
 * page is one of ours. The tree's timekeeping.c calls it through the pvclock_gtod notifier. Where
 * the tree has no such file, or one that cannot be linked, nothing is published.
 */
#include "lift_has.h"
#if LIFT_HAS_VMCLOCK_HOST
#include <linux/clocksource_ids.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/pvclock_gtod.h>
#include <linux/slab.h>
#include <linux/timekeeper_internal.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>
#include "tk/linux/lift.h"

static char lift_page[PAGE_SIZE] __aligned(PAGE_SIZE);

static void *lift_zeroed_page(void)
{
	memset(lift_page, 0, sizeof(lift_page));
	return lift_page;
}

/* A page, in each of the ways to ask for one. */
#undef get_zeroed_page
#undef __get_free_page
#undef free_page
#undef alloc_page
#undef __free_page
#undef vmalloc_user
#undef vzalloc
#undef vfree
#undef page_address
#define get_zeroed_page(gfp) ((unsigned long)lift_zeroed_page())
#define __get_free_page(gfp) ((unsigned long)lift_zeroed_page())
#define free_page(address)   ((void)(address))
#define alloc_page(gfp)	     ((struct page *)lift_zeroed_page())
#define __free_page(page)    ((void)(page))
#define vmalloc_user(size)   lift_zeroed_page()
#define vzalloc(size)	     lift_zeroed_page()
#define vfree(address)	     ((void)(address))
#define page_address(page)   ((void *)(page))

/* What its file operations call: nobody opens it. */
#undef kzalloc
#undef kmalloc
#undef kfree
#undef copy_to_user
#undef virt_to_phys
#undef virt_to_page
#undef poll_wait
#undef wake_up
#undef wake_up_all
#undef wake_up_interruptible
#undef wake_up_interruptible_all
#define kzalloc(size, gfp)					 NULL
#define kmalloc(size, gfp)					 NULL
#define kfree(address)						 ((void)(address))
#define copy_to_user(to, from, size)				 ((void)(to), (void)(from), (unsigned long)(size))
#define virt_to_phys(address)					 ((unsigned long)(address))
#define virt_to_page(address)					 ((struct page *)(address))
#define poll_wait(file, head, table)				 ((void)(file), (void)(head), (void)(table))
#define wake_up(head)						 ((void)(head))
#define wake_up_all(head)					 ((void)(head))
#define wake_up_interruptible(head)				 ((void)(head))
#define wake_up_interruptible_all(head)				 ((void)(head))
#define remap_pfn_range(area, address, number, size, protection) ((void)(area), -EINVAL)
#define vm_insert_page(area, address, page)			 ((void)(area), -EINVAL)
#define misc_register(device)					 ((void)(device), 0)
#define misc_deregister(device)					 ((void)(device))

/* What begins it. */
#undef module_init
#undef module_exit
#undef device_initcall
#undef late_initcall
#undef subsys_initcall
#undef fs_initcall
#define module_init(function)	  static int (*const lift_begin)(void) = function;
#define device_initcall(function) module_init(function)
#define late_initcall(function)	  module_init(function)
#define subsys_initcall(function) module_init(function)
#define fs_initcall(function)	  module_init(function)
#define module_exit(function)	  static void __maybe_unused (*const lift_end)(void) = function;

/* The counter under test stands for the TSC, also in a host process, which has ARCH=um. */
#define CSID_X86_TSC (CSID_MAX - 1)
#ifndef CONFIG_X86
#define CONFIG_X86 1
#endif

/* The core's own registration; the shim passes its calls on to this block alone. */
static int lift_register(struct notifier_block *block)
{
	lift_listener = block;
	return pvclock_gtod_register_notifier(block);
}

#define pvclock_gtod_register_notifier(block) lift_register(block)

#include LIFT_VMCLOCK_HOST

const volatile void *lift_published(void)
{
	if (!lift_listener && lift_begin())
		return NULL;
	return lift_page;
}
#else
#include <linux/types.h>
#include "tk/linux/lift.h"

const volatile void *lift_published(void)
{
	return NULL;
}
#endif
