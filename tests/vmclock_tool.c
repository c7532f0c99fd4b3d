// SPDX-License-Identifier: GPL-2.0-or-later
// clang-format off
/*
 * The code of vmclock/ behind a pipe, for tests/vmclock_properties.py: a command a line on stdin, its answer a line.
 * Numbers are hexadecimal (two's complement), an instant is two of them, the high one first. A page and a mailbox
 * (MEMORY) are strings of hexadecimal digits, in the order of their bytes. A line is its fields, in the order of
 * say_line().
 *
 *	read PAGE MAPPED NOW		error and line; MAPPED 0: there is no page
 *	write PAGE LINE			the page after vmclock_page_update()
 *	init PAGE LINE			the page after vmclock_page_init()
 *	raw PAGE			the copy that vmclock_raw() makes
 *	at LINE COUNTER			T_ref and UTC there, hz of the line, vmclock_outlived()
 *	ratio N N D D			period_frac and shift of vmclock_period_ratio()
 *	period HZ PPT			the same of vmclock_period_from_hz()
 *	error NUMBER			its sentence
 *	stress N			line
 *	whole LINE			vmclock_stress_is() and _whole()
 *	begin MAPPED			observe_begin() on the tool's page
 *	look PAGE NOW			observe_look(): its result and the observation
 *	claims PAGE			observe_claims_line()
 *	mailbox MEMORY			present, asks
 *	mail_init MEMORY		the mailbox afterwards
 *	mail_serve MEMORY COUNTER	result, mailbox
 *	mail_post MEMORY COUNTER TIME	number, mailbox
 *	mail_verdict MEMORY NUMBER	result, verdict
 *	race READS			a second thread writes meanwhile: accepted, torn, looks, torn looks
 */
// clang-format on
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmclock/mailbox.h"
#include "vmclock/observe.h"
#include "vmclock/stress.h"
#include "vmclock/vmclock.h"

static char *word;

static const char *next_word(void)
{
	char *found = strtok(word, " \n");

	word = NULL;
	return found ? found : "0";
}

static u64 number(void)
{
	return strtoull(next_word(), NULL, 16);
}

static u128 wide(void)
{
	u64 high = number();

	return (u128)high << 64 | number();
}

static void say(u64 value)
{
	printf("%llx ", value);
}

static void say_wide(u128 value)
{
	say((u64)(value >> 64));
	say((u64)value);
}

/* From the digits to `memory`; what has none is 0. */
static void bytes(void *memory, size_t length)
{
	const char *digits = next_word();
	u8 *to = memory;

	memset(memory, 0, length);
	for (size_t i = 0; i < length && digits[0] && digits[1]; i++, digits += 2)
		to[i] = (u8)strtoul((const char[]){ digits[0], digits[1], 0 }, NULL, 16);
}

static void say_bytes(const void *memory, size_t length)
{
	for (size_t i = 0; i < length; i++)
		printf("%02x", ((const u8 *)memory)[i]);
	printf(" ");
}

static void say_line(const struct vmclock_line *line)
{
	say(line->counter_value);
	say_wide((u128)line->time);
	say((u64)line->tai_offset_sec);
	say(line->period_frac);
	say(line->period_shift);
	say(line->time_type);
	say(line->clock_status);
	say(line->leap_indicator);
	say(line->seq_count);
	say(line->disruption_marker);
	say(line->vm_generation_counter);
	say(line->flags);
	say(line->period_esterror);
	say(line->period_maxerror);
	say(line->time_esterror_ns);
	say(line->time_maxerror_ns);
}

static void get_line(struct vmclock_line *line)
{
	line->counter_value = number();
	line->time = (instant)wide();
	line->tai_offset_sec = (s32)number();
	line->period_frac = number();
	line->period_shift = (u8)number();
	line->time_type = (u8)number();
	line->clock_status = (u8)number();
	line->leap_indicator = (u8)number();
	line->seq_count = (u32)number();
	line->disruption_marker = number();
	line->vm_generation_counter = number();
	line->flags = number();
	line->period_esterror = number();
	line->period_maxerror = number();
	line->time_esterror_ns = number();
	line->time_maxerror_ns = number();
}

static struct vmclock_abi page;
static struct vmclock_line line;
static struct mailbox mailbox;
static struct observation seen;

static void do_read(void)
{
	u64 mapped, now;

	bytes(&page, sizeof(page));
	mapped = number();
	now = number();
	memset(&line, 0xa5, sizeof(line));
	say(vmclock_read(mapped ? &page : NULL, mapped, now, &line));
	say_line(&line);
}

static void do_write(void)
{
	bytes(&page, sizeof(page));
	get_line(&line);
	vmclock_page_update(&page, &line);
	say_bytes(&page, sizeof(page));
}

static void do_init(void)
{
	bytes(&page, sizeof(page));
	get_line(&line);
	vmclock_page_init(&page, &line);
	say_bytes(&page, sizeof(page));
}

static void do_raw(void)
{
	struct vmclock_abi copy;

	bytes(&page, sizeof(page));
	vmclock_raw(&page, &copy);
	say_bytes(&copy, sizeof(copy));
}

static void do_at(void)
{
	u64 counter;

	get_line(&line);
	counter = number();
	say_wide((u128)vmclock_time_at(&line, counter));
	say_wide((u128)vmclock_utc_at(&line, counter));
	say(vmclock_counter_hz(&line));
	say(vmclock_outlived(&line, counter));
}

static void do_ratio(void)
{
	u128 n = wide(), d = wide();

	vmclock_period_ratio(n, d, &line.period_frac, &line.period_shift);
	say(line.period_frac);
	say(line.period_shift);
}

static void do_period(void)
{
	u64 hz = number();

	vmclock_period_from_hz(hz, (s64)number(), &line.period_frac, &line.period_shift);
	say(line.period_frac);
	say(line.period_shift);
}

static void do_error(void)
{
	printf("%s", vmclock_strerror((enum vmclock_error)number()));
}

static void do_stress(void)
{
	vmclock_stress_line(number(), &line);
	say_line(&line);
}

static void do_whole(void)
{
	get_line(&line);
	say(vmclock_stress_is(&line));
	say(vmclock_stress_whole(&line));
}

static void do_begin(void)
{
	memset(&seen, 0xa5, sizeof(seen));
	observe_begin(&seen, &page, number());
	say(seen.page == &page);
}

static void do_look(void)
{
	bytes(&page, sizeof(page));
	say(observe_look(&seen, number()));
	say(seen.any);
	say(seen.lined);
	say(seen.line_seen);
	say(seen.first_seen);
	say(seen.last_seen);
	say(seen.odd);
	say(seen.odd_since);
	say(seen.looks);
	say(seen.updates);
	say(seen.odd_max_cycles);
	say(seen.constants_changed);
	say(seen.silent_changes);
	say(seen.seq_back);
	say(seen.markers);
	say(seen.generations);
	say(seen.judged);
	say(seen.outside);
	say((u64)seen.outside_max_fs);
	say(seen.monotonic);
	say(seen.set_back);
	say_bytes(&seen.first, sizeof(seen.first));
	say_bytes(&seen.last, sizeof(seen.last));
	say_bytes(&seen.line, sizeof(seen.line));
}

static void do_claims(void)
{
	bytes(&page, sizeof(page));
	say(observe_claims_line(&page));
}

static void do_mailbox(void)
{
	bytes(&mailbox, sizeof(mailbox));
	say(mailbox_present(&mailbox));
	say(mailbox_asks(&mailbox));
}

static void do_mail_init(void)
{
	bytes(&mailbox, sizeof(mailbox));
	mailbox_init(&mailbox);
	say_bytes(&mailbox, sizeof(mailbox));
}

/* When the guest reads its counter, its answer must not be there yet. */
static u64 counter_of_guest(void *context)
{
	const u64 *counter = context;

	return mailbox.answer == mailbox.request ? ~*counter : *counter;
}

static void do_mail_serve(void)
{
	u64 counter;

	bytes(&mailbox, sizeof(mailbox));
	counter = number();
	say(mailbox_serve(&mailbox, counter_of_guest, &counter));
	say_bytes(&mailbox, sizeof(mailbox));
}

static void do_mail_post(void)
{
	u64 counter;

	bytes(&mailbox, sizeof(mailbox));
	counter = number();
	say(mailbox_post(&mailbox, counter, (instant)wide()));
	say_bytes(&mailbox, sizeof(mailbox));
}

static void do_mail_verdict(void)
{
	struct mailbox_verdict verdict = { 0 };

	bytes(&mailbox, sizeof(mailbox));
	say(mailbox_verdict(&mailbox, number(), &verdict));
	say((u64)verdict.difference_fs);
	say(verdict.maxerror_ns);
	say(verdict.valid);
}

static volatile bool racing;

static void *write_lines(void *unused)
{
	struct vmclock_line one;

	(void)unused;
	for (u64 n = 1; racing; n++) {
		vmclock_stress_line(n, &one);
		vmclock_page_update(&page, &one);
	}
	return NULL;
}

/* A copy is one of the lines if the line that it says is whole. */
static bool is_torn(const struct vmclock_line *one)
{
	return vmclock_stress_is(one) && !vmclock_stress_whole(one);
}

static void do_race(void)
{
	u64 reads = number(), accepted = 0, torn = 0, looked = 0, torn_looks = 0;
	pthread_t writer;

	memset(&page, 0, sizeof(page));
	vmclock_stress_line(0, &line);
	vmclock_page_init(&page, &line);
	observe_begin(&seen, &page, VMCLOCK_PAGE_SIZE);
	racing = true;
	if (pthread_create(&writer, NULL, write_lines, NULL))
		exit(2);
	for (u64 i = 0; i < reads; i++) {
		if (!vmclock_read(&page, VMCLOCK_PAGE_SIZE, 0, &line)) {
			accepted++;
			torn += is_torn(&line);
		}
		if (observe_look(&seen, i)) {
			looked++;
			torn_looks += observe_line(&seen.last, VMCLOCK_PAGE_SIZE, &line) &&
				      is_torn(&line);
		}
	}
	racing = false;
	pthread_join(writer, NULL);
	say(accepted > 0);
	say(torn);
	say(looked > 0);
	say(torn_looks);
}

int main(void)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} commands[] = {
		{ "read", do_read },
		{ "write", do_write },
		{ "init", do_init },
		{ "raw", do_raw },
		{ "at", do_at },
		{ "ratio", do_ratio },
		{ "period", do_period },
		{ "error", do_error },
		{ "stress", do_stress },
		{ "whole", do_whole },
		{ "begin", do_begin },
		{ "look", do_look },
		{ "claims", do_claims },
		{ "mailbox", do_mailbox },
		{ "mail_init", do_mail_init },
		{ "mail_serve", do_mail_serve },
		{ "mail_post", do_mail_post },
		{ "mail_verdict", do_mail_verdict },
		{ "race", do_race },
	};
	static char text[8192];

	while (fgets(text, sizeof(text), stdin)) {
		const char *name;

		word = text;
		name = next_word();
		for (size_t i = 0; i < TB_ARRAY_SIZE(commands); i++)
			if (!strcmp(name, commands[i].name))
				commands[i].run();
		printf("\n");
	}
	return 0;
}
