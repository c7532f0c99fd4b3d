# SPDX-License-Identifier: GPL-2.0-or-later
"""What the arithmetic beside the cores must be (tk/*.c): how a line is followed, how a counter is converted, and
what the probe finds of the native core. tests/test_properties.py and, for each broken form of these files,
`tickbench mutants --own` check these: python3 tests/core_properties.py PROGRAM [FILE], in which PROGRAM is what
tests/lib_tool.c or tests/stage_check.c was built into."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from properties import Program, equal, judge, require

NSEC = 10**9
U64, U128 = 1 << 64, 1 << 128
EINVAL, EFREQUENCY, ESWITCH, ERATE, ERRORS = 1, 2, 4, 6, 9
SEC_MAX, TIME_LIMIT = 8277292036, 1 << 33
AT_LAST, WHOLE_NS = 1, 2
SWITCHES = ("remainder", "clawback", "tail", "divzero", "reference", "feed", "skew", "remainder-v2")


@dataclass(frozen=True)
class Tool(Program):
    """A program that answers a line with a line."""

    def ask(self, commands: Sequence[str]) -> list[list[str]]:
        answers = self.answers(commands)
        require(len(answers) >= len(commands), f"{len(commands)} commands have {len(answers)} answers")
        return answers


def wide(value: int) -> str:
    return f"{value >> 64 & U64 - 1:x} {value & U64 - 1:x}"


def unwide(high: str, low: str) -> int:
    value = int(high, 16) << 64 | int(low, 16)
    return value - U128 if value >> 127 else value


def half_up(value: Fraction) -> int:
    return (value + Fraction(1, 2)).__floor__()


def toward_zero(n: int, d: int) -> int:
    return -(-n // d) if n < 0 else n // d


# How a line is followed.

@dataclass(frozen=True)
class Line:
    """A page's line, and a counter's width."""

    counter: int
    time: int
    frac: int
    shift: int
    mask: int

    def at(self, counter: int) -> int:
        """The time there, in 2^-64 s, rounded down. What is less than half of the width away counts."""
        ahead = (counter - self.counter) & self.mask
        if ahead > self.mask >> 1:
            ahead -= self.mask + 1
        return (self.time + Fraction(ahead * self.frac, 1 << self.shift)).__floor__()


def any_line(tool: Tool) -> tuple[Line, int]:
    """A line, and its counter's frequency."""
    hz = tool.random.choice((1000, 3579545, NSEC, 2596146000, 5 * NSEC, tool.random.randint(1000, 5 * NSEC)))
    shift = tool.random.randint(0, (hz - 1).bit_length() - 1)
    mask = (1 << tool.random.choice((24, 32, 48, 56, 63, 64, 64, 64))) - 1
    time = tool.random.choice((0, 1, SEC_MAX - 1, SEC_MAX, 1_700_000_000, tool.random.randrange(SEC_MAX)))
    return Line(tool.random.getrandbits(64) & mask, time << 64 | tool.random.getrandbits(64), (1 << 64 + shift) // hz,
                shift, mask), hz


def a_line_is_taken_or_refused_as_the_model_says(tool: Tool) -> None:
    asked = []
    for _ in range(500):
        line, hz = any_line(tool)
        cycles = max(1, hz // tool.random.choice((24, 100, 1000)))
        length = half_up(Fraction(cycles * line.frac * NSEC, 1 << 32 + line.shift))
        nominal = tool.random.choice((length, length * 10 // 11, length * 10 // 9)) + tool.random.randint(-2, 2)
        far = tool.random.getrandbits(tool.random.randint(1, 64))
        edge = tool.random.choice((0, 0, 0, SEC_MAX - (line.time >> 64), -(line.time >> 64))) * hz
        at = (line.counter + tool.random.choice((-1, 1)) * far + edge) & line.mask
        asked.append((line, at, cycles, max(1, nominal)))
    line = Line(5, 1_700_000_000 << 64, 1 << 63, 30, U64 - 1)
    # The frequency is about 2^31 Hz.
    limits = [(line, 5, 10**6, 1000), (Line(5, -1, 1 << 63, 30, U64 - 1), 5, 1 << 31, NSEC << 32),
              (Line(5, TIME_LIMIT << 64, 1 << 63, 30, U64 - 1), 5, 1 << 31, NSEC << 32),
              (Line(5, (TIME_LIMIT << 64) - 1, 1 << 63, 30, U64 - 1), 5, 1 << 31, NSEC << 32),
              (Line(5, 9 << 64, 0, 30, U64 - 1), 5, 1, 1), (Line(5, 9 << 64, 1 << 63, 65, U64 - 1), 5, 1, 1),
              (Line(5, 9 << 64, 1, 64, U64 - 1), 5, 1, 0),
              (Line(5, 9 << 64, 1 << 63, 30, U64 - 1), 5, 1 << 31, NSEC << 32)]
    # Exactly where a clock can no longer be set to, and a cycle before.
    limits += [(line, (5 + ((SEC_MAX - 1_700_000_000) << 31) + more) % U64, 1 << 31, NSEC << 32) for more in (-1, 0, 1)]
    limits += [(line, (5 - (1_700_000_000 << 31) + more) % U64, 1 << 31, NSEC << 32) for more in (-1, 0, 1)]
    asked += limits
    said = tool.ask([f"reference {line.counter:x} {wide(line.time)} {line.frac:x} {line.shift} {at:x} {line.mask:x} "
                     f"{cycles:x} {nominal:x}" for line, at, cycles, nominal in asked])
    for (line, at, cycles, nominal), words in zip(asked, said):
        error, length = tick_model(line, cycles, nominal)
        equal((int(words[0]), int(words[1], 16)), (error, 0 if error else length), "the tick of a line",
              (line, cycles, nominal))
        if error:
            continue
        equal(int(words[2]), check_model(line, at), "whether a line can be followed", (line, at))
        if not int(words[2]):
            equal(unwide(*words[3:5]), line.at(at), "the time on a line", (line, at))


def tick_model(line: Line, cycles: int, nominal: int) -> tuple[int, int]:
    if not line.frac or line.shift > 64 or not 0 <= line.time < TIME_LIMIT << 64:
        return EINVAL, 0
    length = half_up(Fraction(cycles * line.frac * NSEC, 1 << 32 + line.shift))
    return (0 if abs(length - nominal) <= nominal // 10 else ERATE), length


def check_model(line: Line, at: int) -> int:
    cycles = min((at - line.counter) & line.mask, (line.counter - at) & line.mask)
    too_far = cycles * line.frac >> line.shift + 64 >= TIME_LIMIT
    return EINVAL if too_far or not 0 <= line.at(at) < SEC_MAX << 64 else 0


@dataclass(frozen=True)
class Clock:
    """What a core's clock says at its last tick."""

    cycle_last: int
    cycles: int
    sec: int
    snsec: int
    tick_length: int
    shift: int
    hz: int


def correction(line: Line, clock: Clock, step_ns: int, rule: int) -> tuple[int, int, int, int]:
    """ntp_error, time_offset, the step of CLOCK_MONOTONIC's ns, and of the clock in shifted ns."""
    scale, ticks = 32 - clock.shift, 0 if rule & AT_LAST else 1
    at = line.at((clock.cycle_last + ticks * clock.cycles) & line.mask)
    lead = half_up(Fraction((at - (clock.sec << 64)) * NSEC, 1 << 32)) - (clock.snsec << scale)
    lead -= ticks * clock.tick_length
    one_step = clock.cycles << scale
    if rule & WHOLE_NS:
        lead, one_step = toward_zero(lead, 1 << 32) << 32, 0
    if abs(lead) <= one_step:
        return lead, 0, 0, 0
    if abs(lead) > step_ns << 32:
        step = half_up(Fraction(lead, 1 << scale))
        return lead - (step << scale), 0, step >> clock.shift, step
    offset = toward_zero(lead - (one_step if lead > 0 else -one_step), clock.hz)
    return lead - offset * clock.hz, offset, 0, 0


def a_lead_is_corrected_as_the_model_says(tool: Tool) -> None:
    asked = []
    for number in range(600):
        line, hz = any_line(tool)
        ticks = tool.random.choice((24, 100, 1000))
        cycles, shift = max(1, hz // ticks), tool.random.choice((0, 10, 24, 31, 32))
        tick_length = (NSEC << 32) // ticks
        cycle_last = (line.counter + tool.random.choice((-1, 1)) * tool.random.getrandbits(20)) & line.mask
        # The clock is where the line is, but for an offset around what is left to dithering, or is stepped.
        step_ns = tool.random.choice((0, 1, 1000, 10**6))
        rule = tool.random.choice((0, 0, 0, AT_LAST, WHOLE_NS, AT_LAST | WHOLE_NS))
        one_step = cycles << 32 - shift
        off = tool.random.choice((0, one_step, one_step + 1, step_ns << 32, (step_ns << 32) + 1, one_step + 2 * ticks,
                                  tool.random.getrandbits(50), tool.random.getrandbits(70)))
        at = line.at((cycle_last + (0 if rule & AT_LAST else cycles)) & line.mask)
        target = at * NSEC // (1 << 32) - tool.random.choice((-1, 1)) * off - (0 if rule & AT_LAST else tick_length)
        sec, rest = divmod(target, NSEC << 32)
        clock = Clock(cycle_last, cycles, sec, rest >> 32 - shift, tick_length, shift, ticks)
        if 0 <= sec < SEC_MAX:
            asked.append((line, clock, step_ns, rule))
    said = tool.ask([f"correct {line.counter:x} {wide(line.time)} {line.frac:x} {line.shift} {step_ns} "
                     f"{clock.cycle_last:x} {clock.cycles:x} {clock.sec} {clock.snsec:x} {clock.tick_length:x} "
                     f"{clock.shift} {clock.hz} {rule} {line.mask:x}" for line, clock, step_ns, rule in asked])
    require(len(asked) > 300, "clocks near a line", len(asked))
    for (line, clock, step_ns, rule), words in zip(asked, said):
        got = (*map(int, words[:3]), unwide(*words[3:5]))
        equal(got, correction(line, clock, step_ns, rule), "the correction", (line, clock, step_ns, rule))


def a_step_keeps_the_shifted_ns_below_a_second(tool: Tool) -> None:
    asked = []
    for _ in range(200):
        shift = tool.random.choice((0, 8, 24, 32))
        second = NSEC << shift
        step = tool.random.choice((0, second, -second, 5 * second - 1, tool.random.randint(-9 * second, 9 * second)))
        asked.append((step, shift, tool.random.randrange(10**9), tool.random.choice((0, second - 1, second // 3))))
    said = tool.ask([f"step {wide(step)} {shift} {sec} {snsec:x}" for step, shift, sec, snsec in asked])
    for (step, shift, sec, snsec), words in zip(asked, said):
        more, rest = divmod(snsec + step, NSEC << shift)
        equal((int(words[0]), int(words[1], 16)), (sec + more, rest), "the clock after a step", (step, shift))


# How a counter is converted.

def conversion(hz: int, mask: int, khz: bool) -> tuple[int, ...]:
    """An error; or 0, mult, shift, maxadj, max_cycles."""
    hz -= hz % 1000 if khz else 0
    scale = 1000 if hz % 1000 == 0 or hz >> 32 else 1
    if not 1000 <= hz <= 5 * NSEC:
        return (EFREQUENCY,)
    if mask < 0xFFFFFF or mask & mask + 1:
        return (EINVAL,)
    seconds = max(1, mask // (hz // scale) // scale)
    if mask >> 32:
        seconds = min(seconds, 600)
    rate, to = hz // scale, NSEC // scale
    bits = 32 - (seconds * scale * rate >> 32).bit_length()
    shift = next((s for s in range(32, 0, -1) if not ((to << s) + rate // 2) // rate >> bits), 0)
    mult = ((to << max(1, shift)) + rate // 2) // rate & 0xFFFFFFFF
    while mult + mult * 11 // 100 >> 32:
        mult, shift = mult >> 1, shift - 1
    most = mult + mult * 11 // 100
    return (0, mult, shift, mult * 11 // 100, min(mask, (U64 - 1) // most))


def a_counter_is_converted_as_the_model_says(tool: Tool) -> None:
    asked = [(hz, mask, khz) for hz in (999, 1000, 1001, 1999, 5 * NSEC, 5 * NSEC + 1, (1 << 32) - 1, 1 << 32,
                                        (1 << 32) + 1, 3579545, 32768, 2596146000, 2400001337, NSEC)
             for mask in (0xFFFFFE, 0xFFFFFF, 0x7FFFFF, 0x1FFFFFE, (1 << 32) - 1, (1 << 33) - 1,
                          U64 - 1, 0, 1 << 32)
             for khz in (False, True)]
    for _ in range(400):
        hz = tool.random.choice((tool.random.randint(1000, 5 * NSEC), 1000 * tool.random.randint(1, 5 * 10**6)))
        asked.append((hz, (1 << tool.random.randint(24, 64)) - 1, tool.random.random() < 0.3))
    said = tool.ask([f"converted {hz} {mask:x} {int(khz)}" for hz, mask, khz in asked])
    for (hz, mask, khz), words in zip(asked, said):
        equal(tuple(map(int, words)), conversion(hz, mask, khz), "the conversion", (hz, hex(mask), khz))


def switches_are_what_their_names_say(tool: Tool) -> None:
    bits = {name: 1 << n for n, name in enumerate(SWITCHES)}
    every = sum(bits.values()) - bits["remainder-v2"]
    asked: list[tuple[str, tuple[str, ...]]] = [(name, ("0", str(bit), name)) for name, bit in bits.items()]
    asked += [("all", ("0", str(every))), ("none", ("0", "0")),
              ("mailed", ("0", str(every ^ bits["remainder"] ^ bits["remainder-v2"]))),
              ("tail,clawback", ("0", "6")), ("skew,tail,skew", ("0", "68"))]
    asked += [(text, (str(ESWITCH), "0")) for text in (
        "remainder,remainder-v2", "tial", "tai", "tails", "tail,", ",tail", ",", "tail,,skew", "all,tail",
        "remainder-v", "remainder-v3", "Tail")]
    for (text, wanted), words in zip(asked, tool.ask([f"switches {text}" for text, _ in asked])):
        equal(tuple(words), wanted, "what a list of switches is", text)


def each_error_has_a_sentence_of_its_own(tool: Tool) -> None:
    *known, first, last = (" ".join(words) for words in tool.ask([f"error {n}" for n in (*range(ERRORS), ERRORS, 999)]))
    equal(len({sentence for sentence in known if len(sentence) > 5}), ERRORS, "sentences of errors")
    equal((first, last), ("an unknown error", "an unknown error"), "the sentence of no error")


def the_probe_finds_what_native_has(tool: Tool) -> None:
    stages = [json.loads(" ".join(words)) for words in tool.ask([])]
    # 3 forms of the remainder, and clawback, tail and skew on or off, at three rates.
    equal(len({stage["given"] for stage in stages}), 3 * 2**3 * 3, "sets of switches")
    for stage in stages:
        equal((stage["found"], stage["unknown"]), (stage["given"].split("@")[0], "none"), "what the probe finds")
        equal((stage["refusal_moves"], stage["wide"], stage["stop"]), (0, 1, 0), "what else it finds", stage["given"])


PROPERTIES: tuple[Callable[[Tool], None], ...] = (
    a_line_is_taken_or_refused_as_the_model_says, a_lead_is_corrected_as_the_model_says,
    a_step_keeps_the_shifted_ns_below_a_second, a_counter_is_converted_as_the_model_says,
    switches_are_what_their_names_say, each_error_has_a_sentence_of_its_own)

# Those that look at a file, which are tried first with its broken forms.
OF_FILE: dict[str, tuple[Callable[[Tool], None], ...]] = {
    "conversion.c": (a_counter_is_converted_as_the_model_says,),
    "words.c": (each_error_has_a_sentence_of_its_own, switches_are_what_their_names_say)}


if __name__ == "__main__":
    of_native = sys.argv[1].endswith("stage-check")
    sys.exit(judge(Tool, (the_probe_finds_what_native_has,) if of_native else PROPERTIES, OF_FILE))
