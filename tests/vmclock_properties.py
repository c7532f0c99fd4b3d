# SPDX-License-Identifier: GPL-2.0-or-later
"""What the page's code must do, against a model of integers without bounds. tests/test_properties.py and, for each
broken form of vmclock/*.c, `tickbench mutants --own` check these: python3 tests/vmclock_properties.py PROGRAM [FILE],
in which PROGRAM is what tests/vmclock_tool.c was built into."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction

import pagetool
from pagetool import LAYOUT, MAGIC
from properties import Program, equal, judge, require

U32, U64, U128 = 1 << 32, 1 << 64, 1 << 128
EDGES = (0, 1, 2, U32 - 1, U32, (1 << 63) - 1, 1 << 63, U64 - 1)
FSEC_NSEC = 10**6
TAI_VALID, PERIOD_EST, PERIOD_MAX, TIME_EST, TIME_MAX, MONOTONIC, GENERATION = (1 << n for n in (0, 3, 4, 5, 6, 7, 8))
TIME_UTC, TIME_TAI = 0, 1
# enum vmclock_error, in its order.
(OK, ABSENT, BAD_MAGIC, BAD_SIZE, BAD_VERSION, NO_COUNTER, WRONG_COUNTER, BAD_TIME_TYPE, WRITER_HOLDS,
 NEVER_STABLE, BAD_SHIFT, BAD_PERIOD, BAD_TIME, UNKNOWN, INITIALIZING, UNRELIABLE, BAD_STATUS,
 IN_FUTURE, ERRORS) = range(19)
REFUSED_STATUS = {0: UNKNOWN, 1: INITIALIZING, 4: UNRELIABLE}


class Page(pagetool.Page):
    """struct vmclock_abi; the defaults are a page that can be used."""

    def hex(self) -> str:
        return self.pack().hex()

    @staticmethod
    def of(text: str) -> Page:
        return Page(*LAYOUT.unpack(bytes.fromhex(text)))


@dataclass(frozen=True)
class Line:
    """struct vmclock_line."""

    counter_value: int = 0
    time: int = 0
    tai_offset_sec: int = 0
    period_frac: int = 0
    shift: int = 0
    time_type: int = 0
    clock_status: int = 0
    leap_indicator: int = 0
    seq_count: int = 0
    marker: int = 0
    generation: int = 0
    flags: int = 0
    period_esterror: int = 0
    period_maxerror: int = 0
    time_esterror_ns: int = 0
    time_maxerror_ns: int = 0

    def hex(self) -> str:
        words = [f"{self.time >> 64 & U64 - 1:x} {self.time & U64 - 1:x}" if each.name == "time"
                 else f"{getattr(self, each.name) & U64 - 1:x}" for each in fields(self)]
        return " ".join(words)

    @staticmethod
    def of(words: Sequence[str]) -> Line:
        n = [int(word, 16) for word in words]
        return Line(n[0], signed(n[1] << 64 | n[2], 128), signed(n[3], 64), *n[4:])


def signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> bits - 1 & 1 else value


@dataclass(frozen=True)
class Tool(Program):
    """A program that answers a line with a line. Wrong if it dies, or answers otherwise."""

    def ask(self, commands: Iterable[str]) -> list[list[str]]:
        asked = list(commands)
        answers = self.answers(asked)
        require(len(answers) == len(asked), f"{len(asked)} commands have {len(answers)} answers")
        return answers

    def any(self, bits: int = 64) -> int:
        """A number of any length, and the edges."""
        if self.random.random() < 0.2:
            return self.random.choice(EDGES) % (1 << bits)
        return self.random.getrandbits(self.random.randint(1, bits))

    def line(self) -> Line:
        """A line of a counter between 1 kHz and 10 GHz, at any time after 1970."""
        hz = self.random.choice((1000, 3579545, 2596146000, 10**10, self.random.randint(1000, 10**10)))
        shift = self.random.randint(0, (hz - 1).bit_length() - 1)
        return Line(
            self.any(), self.any(62) << 64 | self.any(), signed(self.any(16), 16), (1 << 64 + shift) // hz, shift,
            self.random.choice((TIME_UTC, TIME_TAI)), self.random.choice((2, 3)), self.any(2), 0, self.any(),
            self.any(), TAI_VALID | self.any(10), self.any(), self.any(), self.any(), self.any())


# A line's arithmetic.

def exact_time(line: Line, counter: int) -> Fraction:
    """In units of 2^-64 s. A counter wraps: what is less than half of its width away counts."""
    ahead = signed((counter - line.counter_value) % U64, 64)
    return line.time + Fraction(ahead * line.period_frac, 1 << line.shift)


def floor_time(line: Line, counter: int) -> int:
    return exact_time(line, counter).__floor__()


def outlived(line: Line, now: int) -> int:
    """Whole seconds by which the line is older than 5 s, plus one."""
    if not line.period_maxerror or signed((now - line.counter_value) % U64, 64) <= 0:
        return 0
    age: int = (floor_time(line, now) - line.time) >> 64
    return max(0, age - 5 + 1)


def a_line_is_exact(tool: Tool) -> None:
    asked = []
    for _ in range(400):
        line = tool.line()
        if tool.random.random() < 0.3:
            line = replace(line, period_maxerror=0)
        second = (1 << 64 + line.shift) // line.period_frac
        near = tool.random.choice((0, 1, 3, 4, 5, 6, 7, 60)) * second + tool.random.randint(-2, 2)
        counter = tool.any() if tool.random.random() < 0.5 else (line.counter_value + near) % U64
        asked.append((line, counter))
    for (line, counter), words in zip(asked, tool.ask(f"at {line.hex()} {counter:x}" for line, counter in asked)):
        n = [int(word, 16) for word in words]
        time = floor_time(line, counter)
        equal(signed(n[0] << 64 | n[1], 128), signed(time % U128, 128), "the time on a line", (line, counter))
        utc = time - (line.tai_offset_sec << 64 if line.time_type == TIME_TAI else 0)
        equal(signed(n[2] << 64 | n[3], 128), signed(utc % U128, 128), "UTC on a line", (line, counter))
        hz = Fraction(1 << 64 + line.shift, line.period_frac)
        equal(n[4], (hz + Fraction(1, 2)).__floor__(), "the frequency", line)
        equal(n[5], outlived(line, counter), "how long a line has been outlived", (line, counter))


def a_period_of_no_counter_is_no_frequency(tool: Tool) -> None:
    lines = [Line(), Line(period_frac=1 << 63, shift=64), Line(period_frac=U64 - 1, shift=63),
             Line(period_frac=U64 - 1, shift=33), Line(period_frac=1), Line(period_frac=2)]
    wanted = [0, 0, (1 << 63) + 1, 1 << 33, 0, 1 << 63]
    for line, hz, words in zip(lines, wanted, tool.ask(f"at {line.hex()} 0" for line in lines)):
        equal(int(words[4], 16), hz, "the frequency", line)


def nearest_period(period: Fraction) -> tuple[int, int]:
    """A fraction of 64 bits, half away, at the largest shift."""
    shift = 0
    while period * (1 << 64 + shift) < 1 << 63:
        shift += 1
    frac = (period * (1 << 64 + shift) + Fraction(1, 2)).__floor__()
    return (frac, shift) if frac < U64 else (frac >> 1, shift - 1)


def a_period_is_the_nearest(tool: Tool) -> None:
    ratios, rates = [], []
    for _ in range(300):
        d = tool.random.getrandbits(tool.random.randint(2, 126)) + 2
        ratios.append((tool.random.randrange(1, d), d))
        rates.append((tool.random.choice((1000, 10**10, 1 << 32, tool.random.randint(1000, 10**10))),
                      tool.random.choice((0, 10**11, -10**11, tool.random.randint(-10**11, 10**11)))))
    # What rounds up to the next power of two, and a half, and its neighbours.
    for k in (1, 5, 40):
        ratios += [((1 << 85) - more, 1 << 85 + k) for more in (1, 1 << 20, (1 << 20) + 1, (1 << 20) - 1, 1 << 21)]
        ratios += [((1 << 70) + odd, 1 << 71 + k) for odd in (31, 32, 33, 63, 64, 65, 96)]
    ratios = [(n, d) for n, d in ratios if nearest_period(Fraction(n, d))[1] >= 0]
    said = tool.ask([*(f"ratio {n >> 64:x} {n % U64:x} {d >> 64:x} {d % U64:x}" for n, d in ratios),
                     *(f"period {hz:x} {ppt % U64:x}" for hz, ppt in rates)])
    wanted = [*(Fraction(n, d) for n, d in ratios), *(Fraction(10**12 + ppt, hz * 10**12) for hz, ppt in rates)]
    for period, words in zip(wanted, said):
        equal(tuple(int(word, 16) for word in words), nearest_period(period), "a period", period)


# The page.

def read_model(page: Page, mapped: int, now: int) -> tuple[int, Line]:
    """What vmclock_read() says, and the line that it gives."""
    nothing = Line()
    if not mapped:
        return ABSENT, nothing
    for wrong, error in ((mapped < 0x70, BAD_SIZE), (page.magic != MAGIC, BAD_MAGIC),
                         (not 0x70 <= page.size <= mapped, BAD_SIZE), (page.version != 1, BAD_VERSION),
                         (page.seq_count & 1 == 1, WRITER_HOLDS), (page.counter_id not in (1, 0xFF), WRONG_COUNTER)):
        if wrong:
            return error, nothing
    valid = [value if page.flags & flag else 0 for flag, value in (
        (GENERATION, page.generation), (PERIOD_EST, page.period_esterror), (PERIOD_MAX, page.period_maxerror),
        (TIME_EST, page.time_esterror_ns), (TIME_MAX, page.time_maxerror_ns))]
    line = Line(page.counter_value, signed(page.time_sec, 64) << 64 | page.time_frac, page.tai_offset_sec,
                page.period_frac, page.shift, page.time_type, page.clock_status, page.leap_indicator,
                page.seq_count, page.disruption_marker, valid[0], page.flags, *valid[1:])
    if page.counter_id == 0xFF:
        return NO_COUNTER, line
    if page.clock_status in REFUSED_STATUS:
        return REFUSED_STATUS[page.clock_status], line
    error = line_model(page, line, now)
    return error, line if error == OK else nothing


def line_model(page: Page, line: Line, now: int) -> int:
    if page.clock_status > 4:
        return BAD_STATUS
    if page.time_type != TIME_UTC and not (page.time_type == TIME_TAI and page.flags & TAI_VALID):
        return BAD_TIME_TYPE
    if page.shift > 64:
        return BAD_SHIFT
    if not page.period_frac or not 1000 <= Fraction(1 << 64 + page.shift, page.period_frac) <= 10**10:
        return BAD_PERIOD
    if page.time_sec >= 1 << 62:
        return BAD_TIME
    ahead = page.counter_value - now
    if now and ahead > 0 and (ahead > 1 << 62 or floor_time(line, now) < line.time - (3600 << 64)):
        return IN_FUTURE
    return OK


NOW = 10**12 + 1
HOUR = 3600 * 10**9
# One thing is changed, to each side of an edge.
CHANGES: dict[str, Sequence[int | bytes]] = {
    "magic": (0, MAGIC ^ 1, MAGIC ^ 1 << 31), "size": (0x6F, 0x70, 0x71, 4095, 4096, 4097, U32 - 1),
    "version": (0, 2, 257, 65535), "counter_id": (0, 2, 0xFE, 0xFF), "time_type": (0, 2, 3, 255),
    "seq_count": (0, 1, 3, U32 - 2, U32 - 1), "flags": (0, 2, U64 - 1, U64 - 2), "clock_status": (0, 1, 3, 4, 5, 255),
    "shift": (0, 28, 33, 34, 63, 64, 65, 255),
    "counter_value": (0, NOW - 1, NOW, NOW + 1, NOW + HOUR - 1000, NOW + HOUR + 1000, NOW + (1 << 62),
                      NOW + (1 << 62) + 1, U64 - 1),
    "period_frac": (0, 1, U64 - 1, 1 << 62, 1 << 63),
    "time_sec": (0, 1, (1 << 62) - 1, 1 << 62, (1 << 62) + 1, 1 << 63, U64 - 1),
    "tai_offset_sec": (-32768, 32767, 0), "leap_indicator": (1, 2, 3, 255),
}


def many_pages(tool: Tool) -> list[Page]:
    pages = [replace(Page(), **{name: value}) for name, values in CHANGES.items() for value in values]
    pages += [replace(page, flags=page.flags | 0x1F8, period_esterror=11, period_maxerror=12, time_esterror_ns=13,
                      time_maxerror_ns=14, generation=15) for page in pages]
    full = replace(Page(), period_esterror=21, period_maxerror=22, time_esterror_ns=23, time_maxerror_ns=24,
                   generation=25)
    pages += [replace(full, flags=TAI_VALID | flag) for flag in (1 << n for n in range(10))]
    # The limits of the frequency, at several shifts; 10 GHz and 1 kHz are inside.
    for shift in (0, 1, 9, 10, 20, 32, 33):
        for hz in (1000, 10**10):
            at = (1 << 64 + shift) // hz
            pages += [replace(Page(), shift=shift, period_frac=(at + more) % U64) for more in (-1, 0, 1, 2)]
    # An hour ahead, to the cycle: a period that is a power of two, and one that is rounded.
    for shift, frac in ((30, 1 << 63), (29, Page().period_frac)):
        second = (1 << 64 + shift) // frac
        pages += [replace(Page(), shift=shift, period_frac=frac, counter_value=NOW + 3600 * second + more)
                  for more in range(-3, 4)]
    pages.append(replace(Page(), shift=33, period_frac=-(-(1 << 97) // 10**10), counter_value=NOW + (1 << 62)))
    for _ in range(200):
        page = tool.random.choice(pages)
        for name in tool.random.sample(sorted(CHANGES), 2):
            page = replace(page, **{name: tool.random.choice(CHANGES[name])})
        pages.append(page)
    return pages


def a_page_is_used_or_refused_as_the_model_says(tool: Tool) -> None:
    asked = [(page, mapped, NOW) for page in many_pages(tool) for mapped in (4096,)]
    asked += [(page, 4096, 0) for page in many_pages(tool)]
    asked += [(replace(Page(), size=size), mapped, NOW) for size in (0x6F, 0x70, 0x71) for mapped in
              (0, 1, 0x6F, 0x70, 0x71)]
    answers = tool.ask(f"read {page.hex()} {mapped:x} {now:x}" for page, mapped, now in asked)
    for (page, mapped, now), words in zip(asked, answers):
        error, line = read_model(page, mapped, now)
        equal(int(words[0], 16), error, "vmclock_read()", (page, mapped, now))
        equal(Line.of(words[1:]), line, "the line", (page, mapped, now))


def written(line: Line, seq: int, before: Page) -> Page:
    """The page after the line was written."""
    return Page(before.magic, before.size, before.version, 1, line.time_type, seq, line.marker, line.flags, before.pad,
                line.clock_status, 0, line.tai_offset_sec, line.leap_indicator, line.shift, line.counter_value,
                line.period_frac, line.period_esterror, line.period_maxerror, line.time >> 64, line.time % U64,
                line.time_esterror_ns, line.time_maxerror_ns, line.generation)


def what_is_written_is_the_line(tool: Tool) -> None:
    asked = []
    for seq in (0, 1, 2, 3, 41, 42, U32 - 2, U32 - 1, *(tool.any(32) for _ in range(30))):
        before = Page.of(tool.random.randbytes(LAYOUT.size).hex())
        asked.append((replace(before, seq_count=seq), tool.line()))
    answers = tool.ask([*(f"write {page.hex()} {line.hex()}" for page, line in asked),
                        *(f"init {page.hex()} {line.hex()}" for page, line in asked)])
    for (page, line), words in zip(asked, answers):
        equal(Page.of(words[0]), written(line, ((page.seq_count | 1) + 1) % U32, page), "the page", (page, line))
    for (page, line), words in zip(asked, answers[len(asked):]):
        equal(Page.of(words[0]), written(line, 2, Page()), "the new page", (page, line))


def a_copy_has_every_byte(tool: Tool) -> None:
    pages = [tool.random.randbytes(LAYOUT.size).hex() for _ in range(20)]
    for page, words in zip(pages, tool.ask(f"raw {page}" for page in pages)):
        equal(words[0], page, "the copy of a page")


def each_error_has_a_sentence_of_its_own(tool: Tool) -> None:
    *known, first, last = tool.ask(f"error {number:x}" for number in (*range(ERRORS), ERRORS, U32 - 1))
    sentences = [" ".join(words) for words in known]
    require(all(len(sentence) > 15 for sentence in sentences) and len(set(sentences)) == ERRORS, "errors without words")
    for other in (first, last):
        equal(" ".join(other), "no such error", "an error's sentence")


# Lines from which a torn read is detected.

def stress_lines_are_valid_distinct_and_whole(tool: Tool) -> None:
    numbers = [*range(60), *(tool.any() for _ in range(60))]
    lines = [Line.of(words) for words in tool.ask(f"stress {n:x}" for n in numbers)]
    for n, line in zip(numbers, lines):
        equal(line.generation, n, "the number of a line")
        page = written(line, 2, Page())
        error, read = read_model(page, 4096, 1 << 32)
        equal((error, replace(read, seq_count=0)), (OK, line), "a line of the stress", n)
        require(10**9 <= Fraction(1 << 64 + line.shift, line.period_frac) < 9 * 10**9, "it is of 1 to 9 GHz", line)
    for name, values in (("time_type", {0, 1}), ("clock_status", {2, 3}), ("leap_indicator", {0, 1, 2, 3}),
                         ("shift", {30, 31, 32})):
        equal({getattr(line, name) for line in lines}, values, name)
    equal({line.flags & ~(1 << 9) for line in lines}, {1 << 63 | 0x179}, "the flags of a line")
    equal(len({line.flags for line in lines}), 2, "values of the flags")
    for name in ("counter_value", "time", "tai_offset_sec", "period_frac", "marker", "period_esterror",
                 "period_maxerror", "time_esterror_ns", "time_maxerror_ns"):
        each = [getattr(line, name) for line in lines[:60]]
        require(len(set(each)) >= 55, f"neighbours have almost all another {name}")
        ones = [bin(a ^ b).count("1") for a, b in zip(each, each[1:])]
        size = {"counter_value": 32, "tai_offset_sec": 16, "time": 120}.get(name, 63)
        require(size * 0.4 < sum(ones) / len(ones) < size * 0.6, f"half of the bits of {name} differ", sum(ones))


def a_mixture_of_two_lines_is_not_whole(tool: Tool) -> None:
    numbers = [tool.any() for _ in range(30)]
    lines = [Line.of(words) for words in tool.ask(f"stress {n:x}" for n in numbers)]
    asked, wanted = [], []
    for line in lines:
        asked.append(line)
        wanted.append((1, 1))
        asked.append(replace(line, seq_count=77))
        wanted.append((1, 1))
        for each in fields(Line):
            if each.name not in ("seq_count", "generation"):
                asked.append(replace(line, **{each.name: getattr(line, each.name) ^ 1}))
                wanted.append((1, 0))
        asked.append(replace(line, flags=line.flags & ~(1 << 63)))
        wanted.append((0, 0))
    for line, pair, words in zip(asked, wanted, tool.ask(f"whole {line.hex()}" for line in asked)):
        equal(tuple(int(word, 16) for word in words), pair, "whether it is one and is whole", line)


def no_read_is_torn_while_another_thread_writes(tool: Tool) -> None:
    (words,) = tool.ask(["race 400"])
    accepted, torn, looked, torn_looks = (int(word, 16) for word in words)
    require(bool(accepted and looked), "nothing is read while another thread writes")
    equal((torn, torn_looks), (0, 0), "torn reads and looks")


# The mailbox.

BOX = struct.Struct("<2Q48x2Q48x2Q48x4Q32x4Q32x")
BOX_MAGIC = 0x584F424B43495454


def box(magic: int = BOX_MAGIC, version: int = 1, request: int = 0, host: int = 0, answer: int = 0, guest: int = 0,
        post: Sequence[int] = (0, 0, 0, 0), verdict: Sequence[int] = (0, 0, 0, 0)) -> str:
    return BOX.pack(magic, version, request, host, answer, guest, *post, *verdict).hex()


def a_mailbox_is_recognised_and_asks_once(tool: Tool) -> None:
    cases = [(BOX_MAGIC, 1, 5, 5), (BOX_MAGIC, 1, 6, 5), (BOX_MAGIC, 2, 5, 6), (BOX_MAGIC, 0, 0, 0),
             (BOX_MAGIC ^ 1, 1, 1, 0), (0, 0, U64 - 1, U64 - 1), (0, 1, 1 << 40, 0)]
    said = tool.ask(f"mailbox {box(magic, version, request, 9, answer)}" for magic, version, request, answer in cases)
    for (magic, version, request, answer), words in zip(cases, said):
        equal(words, [f"{magic == BOX_MAGIC and version == 1:x}", f"{request != answer:x}"], "present, asks")
    (words,) = tool.ask([f"mail_init {'5a' * BOX.size}"])
    equal(words, [box()], "a new mailbox")


def a_request_is_answered_with_the_counter(tool: Tool) -> None:
    for request, answer in ((3, 2), (1, U64 - 1), (4, 4), (0, 0), (0, 7)):
        before = {"request": request, "host": 8, "post": (1, 2, 3, 4), "verdict": (5, 6, 7, 8)}
        (words,) = tool.ask([f"mail_serve {box(**before, answer=answer, guest=1)} 123456789abcdef0"])  # type: ignore
        new = request != answer
        guest = 0x123456789ABCDEF0 if new else 1
        equal(words, [f"{new:x}", box(**before, answer=request, guest=guest)], "an answer")  # type: ignore[arg-type]


def a_post_has_the_next_number_and_a_verdict_its_own(tool: Tool) -> None:
    for number, sec, frac in ((0, 5, 6), (41, 1_700_000_000, U64 - 1), (U64 - 1, -1, 1 << 63)):
        before = {"request": 1, "host": 2, "answer": 3, "guest": 4, "verdict": (5, 6, 7, 8)}
        following = (number + 1) % U64
        (words,) = tool.ask(
            [f"mail_post {box(**before, post=(number, 9, 9, 9))} 77 {sec % U64:x} {frac:x}"])  # type: ignore[arg-type]
        equal(words, [f"{following:x}", box(**before, post=(following, 0x77, sec % U64, frac))],  # type: ignore
              "a post")
    for number, valid in ((3, 1), (3, 0), (3, 2), (4, 1), (2, 1)):
        (words,) = tool.ask([f"mail_verdict {box(verdict=(3, U64 - 5, 99, valid))} {number:x}"])
        wanted = [1, U64 - 5, 99, int(valid == 1)] if number == 3 else [0, 0, 0, 0]
        equal([int(word, 16) for word in words], wanted, "a verdict")


# What is seen of a page that somebody else writes.

def to_fsec(instant: int) -> int:
    """To nearest, within 64 bits."""
    return max(-(1 << 63) + 1, min((1 << 63) - 1, (instant * 10**15 + (1 << 63)) >> 64))


def stated_fs(line: Line, counter: int) -> int | None:
    if line.flags & (TIME_MAX | PERIOD_MAX) != TIME_MAX | PERIOD_MAX:
        return None
    cycles = abs(signed((counter - line.counter_value) % U64, 64))
    return line.time_maxerror_ns * FSEC_NSEC + to_fsec(cycles * line.period_maxerror >> line.shift) + 1


def beyond_fs(old: Line, new: Line, counter: int) -> int:
    moved = abs(to_fsec(floor_time(new, counter) - floor_time(old, counter)))
    stated = stated_fs(old, counter)
    return 0 if stated is None or moved <= stated else moved - stated


class Watch:
    """The model of struct observation."""

    def __init__(self, mapped: int) -> None:
        self.mapped, self.any = mapped, False
        self.first = self.last = self.line = Page.of("00" * LAYOUT.size)
        self.lined = self.odd = False
        self.line_seen = self.first_seen = self.last_seen = self.odd_since = 0
        self.looks = self.updates = self.odd_max = self.constants = self.silent = self.seq_back = 0
        self.markers = self.generations = self.judged = self.outside = self.outside_max = 0
        self.monotonic = self.set_back = 0

    def _judge(self, old: Line, new: Line, now: int) -> None:
        if old.marker != new.marker or old.time_type != new.time_type:
            return
        if stated_fs(old, now) is not None:
            self.judged += 1
            # The line before may have been used at each counter value at which it was seen.
            by = max(beyond_fs(old, new, self.first_seen), beyond_fs(old, new, self.last_seen))
            self.outside += by > 0
            self.outside_max = max(self.outside_max, by)
        if old.flags & MONOTONIC:
            self.monotonic += 1
            self.set_back += floor_time(new, now) < floor_time(old, self.last_seen)

    def _update(self, page: Page, now: int) -> None:
        self.updates += 1
        self.seq_back += signed((page.seq_count - self.last.seq_count) % U32, 32) < 0
        self._changed(page)
        both = page.flags & self.last.flags
        self.generations += bool(both & GENERATION) and page.generation != self.last.generation
        before, after = read_model(self.last, self.mapped, 0), read_model(page, self.mapped, 0)
        if before[0] == after[0] == OK:
            self._judge(before[1], after[1], now)
        self.first_seen = now

    def _changed(self, page: Page) -> None:
        def constants(of: Page) -> tuple[int, ...]:
            return (of.magic, of.size, of.version, of.counter_id, of.time_type)
        self.constants += constants(page) != constants(self.last)
        self.markers += page.disruption_marker != self.last.disruption_marker

    def look(self, page: Page, now: int) -> bool:
        self.looks += 1
        was_odd, self.odd = self.odd, page.seq_count & 1 == 1
        if self.odd:
            self.odd_since = self.odd_since if was_odd else now
            self.odd_max = max(self.odd_max, now - self.odd_since)
            return False
        changed = not self.any or page.seq_count != self.last.seq_count
        if not self.any:
            self.any, self.first, self.first_seen = True, page, now
        elif changed:
            self._update(page, now)
        elif page != self.last:
            self.silent += 1
            self._changed(page)
        self.last, self.last_seen = page, now
        if page.counter_id != 0xFF and page.clock_status not in REFUSED_STATUS:
            self.lined, self.line, self.line_seen = True, page, now
        return changed

    def said(self, changed: bool) -> list[str]:
        numbers = (changed, self.any, self.lined, self.line_seen, self.first_seen, self.last_seen, self.odd,
                   self.odd_since, self.looks, self.updates, self.odd_max, self.constants, self.silent, self.seq_back,
                   self.markers, self.generations, self.judged, self.outside, self.outside_max, self.monotonic,
                   self.set_back)
        return [*(f"{int(n) % U64:x}" for n in numbers), self.first.hex(), self.last.hex(), self.line.hex()]


BOTH = TIME_MAX | PERIOD_MAX


def next_page(tool: Tool, page: Page, now: int) -> Page:
    """What its writer may do to a page: mostly a new line, a little or far off the one before."""
    rate = page.period_frac
    line = read_model(replace(page, counter_id=1, clock_status=2, time_type=TIME_UTC, seq_count=0, magic=MAGIC,
                              size=4096, version=1), 4096, 0)[1]
    if line == Line():
        return replace(Page(), seq_count=(page.seq_count + 2) % U32, counter_value=now)
    time = floor_time(line, now)
    # In fs: within, at, and beyond what is stated.
    stated = stated_fs(line, now) or 1000
    off = tool.random.choice((0, 0, stated, -stated, stated + 1, stated - 1, -stated - 2, 2 * stated, stated // 2,
                              tool.random.randint(-3 * stated, 3 * stated)))
    time = max(0, time + off * U64 // 10**15)
    made = replace(page, seq_count=(page.seq_count + 2) % U32, counter_value=now, time_sec=(time >> 64) % (1 << 61),
                   time_frac=time % U64, period_frac=rate + tool.random.choice((0, 0, 1, -1, 1 << 40, -(1 << 40))))
    changes: tuple[dict[str, object], ...] = (
        {}, {}, {}, {}, {}, {"flags": TAI_VALID | BOTH}, {"flags": TAI_VALID | BOTH | MONOTONIC},
        {"flags": TAI_VALID | MONOTONIC}, {"flags": TAI_VALID | TIME_MAX}, {"flags": TAI_VALID | BOTH | GENERATION},
        {"disruption_marker": page.disruption_marker + 1}, {"generation": page.generation + 1},
        {"time_type": 1 - page.time_type % 2},
        {"clock_status": tool.random.randrange(6)}, {"counter_id": tool.random.choice((0xFF, 0, 1))},
        {"seq_count": page.seq_count}, {"seq_count": page.seq_count | 1}, {"seq_count": page.seq_count | 1},
        {"seq_count": (page.seq_count - 2) % U32 & ~1}, {"size": 4000}, {"version": 1}, {"magic": MAGIC},
        {"period_maxerror": tool.any(50)}, {"time_maxerror_ns": tool.any(30)})
    made = replace(made, **tool.random.choice(changes))  # type: ignore[arg-type]
    return replace(made, counter_id=1, clock_status=2) if tool.random.random() < 0.5 else made


def an_observation_counts_what_the_model_counts(tool: Tool) -> None:
    commands: list[str] = []
    wanted: list[list[str]] = []
    for run in range(12):
        watch = Watch(4096)
        commands.append("begin 1000")
        wanted.append(["1"])
        page = replace(Page(), flags=TAI_VALID | BOTH | GENERATION, period_maxerror=1 << 45, time_maxerror_ns=50)
        now = tool.any(60)
        for _ in range(60):
            now += tool.random.choice((1, 1000, 10**6, 10**9))
            if tool.random.random() < 0.8:
                page = next_page(tool, page, now - tool.random.choice((0, 0, 500)))
            commands.append(f"look {page.hex()} {now:x}")
            wanted.append(watch.said(watch.look(page, now)))
    for command, words, model in zip(commands, tool.ask(commands), wanted):
        equal(words, model, "the observation", command)


def a_line_is_claimed_by_counter_and_status(tool: Tool) -> None:
    pages = [replace(Page(), counter_id=counter, clock_status=status) for counter in (0, 1, 0xFF)
             for status in range(7)]
    for page, words in zip(pages, tool.ask(f"claims {page.hex()}" for page in pages)):
        claimed = page.counter_id != 0xFF and page.clock_status not in REFUSED_STATUS
        equal(words, [f"{claimed:x}"], "whether it claims a line", page)


PROPERTIES: tuple[Callable[[Tool], None], ...] = (
    a_line_is_exact, a_period_of_no_counter_is_no_frequency, a_period_is_the_nearest,
    a_page_is_used_or_refused_as_the_model_says, what_is_written_is_the_line, a_copy_has_every_byte,
    each_error_has_a_sentence_of_its_own, a_line_is_claimed_by_counter_and_status,
    an_observation_counts_what_the_model_counts, a_mailbox_is_recognised_and_asks_once,
    a_request_is_answered_with_the_counter, a_post_has_the_next_number_and_a_verdict_its_own,
    stress_lines_are_valid_distinct_and_whole, a_mixture_of_two_lines_is_not_whole,
    no_read_is_torn_while_another_thread_writes)

# Those that look at a file, which are tried first with its broken forms.
OF_FILE: dict[str, tuple[Callable[[Tool], None], ...]] = {
    "line.c": (a_period_is_the_nearest, a_period_of_no_counter_is_no_frequency, a_line_is_exact),
    "page.c": (what_is_written_is_the_line, a_copy_has_every_byte, a_page_is_used_or_refused_as_the_model_says,
               no_read_is_torn_while_another_thread_writes),
    "observe.c": (a_line_is_claimed_by_counter_and_status, an_observation_counts_what_the_model_counts),
    "mailbox.c": (a_mailbox_is_recognised_and_asks_once, a_request_is_answered_with_the_counter,
                  a_post_has_the_next_number_and_a_verdict_its_own),
    "stress.c": (a_mixture_of_two_lines_is_not_whole, stress_lines_are_valid_distinct_and_whole)}


if __name__ == "__main__":
    sys.exit(judge(Tool, PROPERTIES, OF_FILE))
