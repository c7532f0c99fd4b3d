# SPDX-License-Identifier: GPL-2.0-or-later
"""A tree that publishes its clock by kernel/time/vmclock_host.c: the scenario `publish` reads its page. No released
kernel has the file. One of our own stands in, with the interface that the series gives it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from liftable import UM, metric, simulate
from runner.errors import CannotRun, Problem
from runner.lift import detect, lift

OWED = """
s64 standin_owed(void);
s64 standin_owed(void)
{
	return tk_ntp_data[TIMEKEEPER_CORE].time_offset;
}
"""
# A line in whole ns at each change of the tick's length or skew, and when the clock was set.
STANDIN = """
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/pvclock_gtod.h>
#include <linux/slab.h>
#include <linux/timekeeper_internal.h>
#include <linux/timex.h>
#include <uapi/linux/vmclock-abi.h>

s64 standin_owed(void);
DECLARATIONS
static DECLARE_WAIT_QUEUE_HEAD(standin_readers);
static struct vmclock_abi *standin;
static struct { u64 tick; s64 skew; } standin_last;

static void standin_write(struct timekeeper *tk)
{
	unsigned __int128 length = tk->ntp_tick, cycles = (unsigned __int128)tk->cycle_interval * NSEC_PER_SEC;
	s64 ns = (s64)(tk->tkr_mono.xtime_nsec >> tk->tkr_mono.shift);
	int shift = 0;

	ns += tk->ntp_error >> 32;
	ns += OFFSET;
	standin->counter_id = tk->cs_id == CSID_X86_TSC && IS_ENABLED(CONFIG_X86) ? VMCLOCK_COUNTER_X86_TSC
										   : VMCLOCK_COUNTER_INVALID;
	standin->clock_status = VMCLOCK_STATUS_FREERUNNING;
	standin->counter_value = tk->tkr_mono.cycle_last;
	standin->time_sec = tk->xtime_sec + (ns < 0 ? -1 : ns / NSEC_PER_SEC);
	ns = ns < 0 ? ns + NSEC_PER_SEC : ns % NSEC_PER_SEC;
	standin->time_frac_sec = (u64)(((unsigned __int128)ns << 64) / NSEC_PER_SEC);
	/* length / (cycles * 2^32) seconds, in units of 2^-(64 + shift) s below 2^64. */
	for (length <<= 32; length / cycles < 1ULL << 62; length <<= 1)
		shift++;
	standin->counter_period_frac_sec = (u64)(length / cycles);
	standin->counter_period_shift = shift;
}

static int standin_told(struct notifier_block *block, unsigned long set, void *data)
{
	struct timekeeper *tk = data;

	if (!set && tk->ntp_tick == standin_last.tick && tk->skew_delta == standin_last.skew)
		return NOTIFY_DONE;
	standin_last.tick = tk->ntp_tick;
	standin_last.skew = tk->skew_delta;
	standin->seq_count++;
	smp_wmb();
	standin_write(tk);
	smp_wmb();
	standin->seq_count++;
	wake_up_interruptible(&standin_readers);
	return NOTIFY_OK;
}

static struct notifier_block standin_block = { .notifier_call = standin_told };

static __poll_t standin_poll(struct file *file, poll_table *table)
{
	poll_wait(file, &standin_readers, table);
	return EPOLLIN;
}

static int standin_mmap(struct file *file, struct vm_area_struct *area)
{
	return remap_pfn_range(area, area->vm_start, virt_to_phys(standin) >> PAGE_SHIFT, PAGE_SIZE, area->vm_page_prot);
}

static const struct file_operations standin_files = { .poll = standin_poll, .mmap = standin_mmap };
static struct miscdevice standin_device = { .name = "standin", .fops = &standin_files, .minor = MISC_DYNAMIC_MINOR };

static int __init standin_init(void)
{
	standin = (void *)get_zeroed_page(GFP_KERNEL);
	if (!standin || misc_register(&standin_device))
		return -ENOMEM;
	standin->magic = VMCLOCK_MAGIC;
	standin->version = 1;
	standin->size = PAGE_SIZE;
	return pvclock_gtod_register_notifier(&standin_block);
}
module_init(standin_init);
"""
WHOLE_OFFSET = "(standin_owed() * NTP_INTERVAL_FREQ) >> NTP_SCALE_SHIFT"


def tree_with(checkout: Path, offset: str = WHOLE_OFFSET, declarations: str = "") -> str:
    with (checkout / detect.NTP).open("a") as file:
        file.write(OWED)
    text = STANDIN.replace("OFFSET", offset).replace("DECLARATIONS", declarations)
    (checkout / detect.VMCLOCK_HOST).write_text(text)
    return str(checkout)


def claims(lines: list[str]) -> dict[str, bool]:
    return {line.split(" ", 2 if line.startswith("ok") else 3)[-1]: line.startswith("ok") for line in lines
            if "ok " in line and "metric" not in line}


def test_publish_reads_the_page_that_the_tree_writes(checkout: Path, scratch: Path) -> None:
    done = lift.lift(tree_with(checkout), UM, scratch)
    assert done.stage.has["VMCLOCK_HOST"] and not done.warnings
    lines = simulate(done.folder, "scenario=publish")
    assert metric(lines, "own_page") == 1 and metric(lines, "lines") > 200
    assert all(claims(lines).values()), lines
    # As the rule's own line in whole ns.
    assert 1 < metric(lines, "whole_jump_max_ns") <= 3
    # Who reads no page is told nothing of it: as the native core, which has none.
    assert all(claims(simulate(done.folder, "scenario=told")).values())


def test_a_page_that_leaves_out_what_is_owed_is_found(checkout: Path, scratch: Path) -> None:
    done = lift.lift(tree_with(checkout, "0"), UM, scratch)
    failed = {claim for claim, ok in claims(simulate(done.folder, "scenario=publish")).items() if not ok}
    assert {"a line in whole ns jumps by no more than its three terms are cut"} <= failed


def test_a_file_that_cannot_be_linked_is_named_and_left_out(checkout: Path, scratch: Path) -> None:
    declarations = "s64 nowhere(void);\nstatic s64 __used standin_other(void) { return nowhere(); }"
    done = lift.lift(tree_with(checkout, declarations=declarations), UM, scratch)
    assert "has vmclock_host.c, which needs nowhere: publish uses tickbench's own rule" in done.warnings
    lines = simulate(done.folder, "scenario=publish")
    assert metric(lines, "own_page") == 0 and all(claims(lines).values()), lines


def test_a_file_that_does_not_compile_is_named_by_the_compilers_words() -> None:
    error = CannotRun(Problem.LIFT_EDIT, "x does not compile", "vmclock_host.c:8:2: error: #error not here\n")
    tree = SimpleNamespace(label="x")
    assert lift.without_vmclock_host(tree, error) == (  # type: ignore[arg-type]
        "x has vmclock_host.c, which does not compile (#error not here): publish uses tickbench's own rule\n")
