// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The devices of a booted Linux, and readings of its clocks. The mailbox has no driver there: it is
 * mapped by /dev/mem, which a kernel with STRICT_DEVMEM allows for what is not its RAM.
 */
#include <fcntl.h>
#include <linux/ptp_clock.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "linux/guest.h"
#include "vmclock/host/counter.h"

#define PAGE_DEVICE "/dev/vmclock0"
#define PTP_DEVICE  "/dev/ptp0"
#define WAIT_US	    100000
#define SERVE_US    500
/* The clock that an open file stands for (clock_gettime(2)): its number is below the clocks'. */
#define CLOCK_OF(file) ((clockid_t)((~(unsigned int)(file) << 3) | 3))

/* A page of a device; NULL if there is none. */
static volatile void *map(const char *path, u64 offset, int access)
{
	int file = open(path, (access & PROT_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	void *mapped;

	if (file < 0)
		return NULL;
	mapped = mmap(NULL, VMCLOCK_PAGE_SIZE, access, MAP_SHARED, file, (off_t)offset);
	close(file);
	return mapped == MAP_FAILED ? NULL : mapped;
}

static instant of_stamp(s64 sec, u32 nsec)
{
	return instant_make(sec, 0) + instant_from_nsec(nsec);
}

bool guest_open(struct linux_guest *guest, u64 mailbox)
{
	*guest = (struct linux_guest){ .ptp = -1 };
	guest->page = map(PAGE_DEVICE, 0, PROT_READ);
	if (mailbox)
		guest->mailbox = map("/dev/mem", mailbox, PROT_READ | PROT_WRITE);
	guest->ptp = open(PTP_DEVICE, O_RDWR | O_CLOEXEC);
	if (!guest->page)
		guest->why = "there is no " PAGE_DEVICE ": this kernel has no ptp_vmclock";
	else if (guest->ptp < 0)
		guest->why = "there is no " PTP_DEVICE ": ptp_vmclock gives no clock of this page";
	else if (mailbox && !(guest->mailbox && mailbox_present(guest->mailbox)))
		guest->why = "the mailbox cannot be mapped by /dev/mem";
	return !guest->why;
}

static u64 counter(void *context)
{
	(void)context;
	return host_counter();
}

void guest_serve(const struct linux_guest *guest)
{
	if (!guest->mailbox || fork())
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		/* While the page has no line, the publisher waits for narrow answers. */
		bool hurry = guest->page->clock_status != VMCLOCK_STATUS_SYNCHRONIZED;

		if (!mailbox_serve(guest->mailbox, counter, NULL) && !hurry)
			usleep(SERVE_US);
	}
}

bool guest_line(const struct linux_guest *guest, struct vmclock_line *line)
{
	return vmclock_read(guest->page, VMCLOCK_PAGE_SIZE, host_counter(), line) == VMCLOCK_OK;
}

static bool read_clock(clockid_t clock, struct reading *reading)
{
	struct timespec now;

	reading->before = host_counter();
	if (clock_gettime(clock, &now))
		return false;
	reading->after = host_counter();
	reading->time = of_stamp(now.tv_sec, (u32)now.tv_nsec);
	return true;
}

bool guest_realtime(struct reading *reading)
{
	return read_clock(CLOCK_REALTIME, reading);
}

bool guest_ptp(const struct linux_guest *guest, struct reading *reading)
{
	if (!read_clock(CLOCK_OF(guest->ptp), reading))
		return false;
	reading->time -= instant_make(guest->ptp_ahead_sec, 0);
	return true;
}

bool guest_cross(const struct linux_guest *guest, struct cross *cross)
{
	struct ptp_sys_offset_precise both = { 0 };

	if (ioctl(guest->ptp, PTP_SYS_OFFSET_PRECISE, &both))
		return false;
	cross->ptp = of_stamp(both.device.sec - guest->ptp_ahead_sec, both.device.nsec);
	cross->realtime = of_stamp(both.sys_realtime.sec, both.sys_realtime.nsec);
	return true;
}

/* Whether the PTP clock tells UTC or TAI: half a second's difference is neither. */
static bool find_scale(struct linux_guest *guest, const struct vmclock_line *line)
{
	struct reading reading;
	s64 sec;
	u32 nsec;

	if (!guest_ptp(guest, &reading)) {
		guest->why = "/dev/ptp0 cannot be read while the page has a line";
		return false;
	}
	instant_to_timespec(reading.time - vmclock_utc_at(line, reading.after) +
				    instant_from_nsec(500000000),
			    &sec, &nsec);
	guest->ptp_ahead_sec = (s32)sec;
	guest->why = "/dev/ptp0 tells neither UTC nor TAI";
	return sec == 0 || sec == line->tai_offset_sec;
}

bool guest_await_line(struct linux_guest *guest, u32 seconds)
{
	struct vmclock_line line;
	struct cross cross;

	guest->why = "the page got no line";
	for (u64 us = 0; us < seconds * 1000000ULL; us += WAIT_US) {
		if (guest_line(guest, &line) && find_scale(guest, &line)) {
			guest->crosses = guest_cross(guest, &cross);
			return true;
		}
		usleep(WAIT_US);
	}
	return false;
}

bool guest_set_realtime(const struct linux_guest *guest)
{
	struct vmclock_line line;
	struct timespec now;
	s64 sec;
	u32 nsec;

	if (!guest_line(guest, &line))
		return false;
	instant_to_timespec(vmclock_utc_at(&line, host_counter()), &sec, &nsec);
	now = (struct timespec){ .tv_sec = sec, .tv_nsec = nsec };
	return !clock_settime(CLOCK_REALTIME, &now);
}
