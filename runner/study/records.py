# SPDX-License-Identifier: GPL-2.0-or-later
"""Records of a host for scenario `discipline`: files of counter and time pairs as vmclock-host --record writes them,
or ClockBound's ffevents.log (3.0 and later), and files of the delays of ticks. tickbench-sim gets a copy that is
named by its content, so that a kept result is of the file that was measured.

ffevents.log (clock-bound 3.0.0-beta.0) has a JSON object a line, whose `event` is init, disruption or feed. A feed
has the measurement as `input`, and the clock's parameters, or null, as `output`. The pair is the middle of counter_pre
and counter_post, and the time that the PHC told, or the middle of the NTP server's receive and send times. Units are
told by size: a time is seconds since 1970 in one of 1, 10^3, ..., 10^18 parts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from runner.errors import CannotRun, Problem, output_error
from runner.guest.qemu import quote

FOLDER = "records"
NAMES = ("record", "ticks")
GUEST_FOLDER = "opt/tickbench"  # in QEMU's firmware configuration (guest/records.c)
EARLIEST, LATEST = 10**9, 10**10  # seconds since 1970: 2001 to 2286
PARTS = tuple(10**exponent for exponent in range(0, 19, 3))
TIMES = (("time",), ("reference_time",), ("server_recv_time", "server_send_time"))
BYTES_MAX = 1 << 30


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value, the outer ones first."""
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from _objects(each)
    elif isinstance(value, list):
        for each in value:
            yield from _objects(each)


def _find(value: Any, names: Sequence[str]) -> list[int] | None:
    """The whole numbers of these names, of the first object that has them all."""
    for each in _objects(value):
        found = [each.get(name) for name in names]
        if all(isinstance(number, int) and not isinstance(number, bool) for number in found):
            return [number for number in found if isinstance(number, int)]
    return None


def _picoseconds(time: int) -> int | None:
    """Since 1970; None for a number that is no time in any unit."""
    for parts in PARTS:
        if EARLIEST <= time // parts < LATEST:
            return time * 10**12 // parts
    return None


def pair_of(event: Any) -> tuple[int, int] | None:
    """Counter and picoseconds of one line of ffevents.log; None for an event that is no measurement."""
    counters = _find(event, ("counter_pre", "counter_post"))
    if counters is None:
        return None
    for names in TIMES:
        times = _find(event, names)
        if times is not None:
            time = _picoseconds(sum(times) // len(times))
            return None if time is None else (sum(counters) // 2, time)
    return None


def _source(value: Any) -> tuple[str, ...]:
    """Who was measured: the names on the way to the measurement, and the words that stand beside them."""
    if isinstance(value, dict):
        if "counter_pre" in value:
            return ()
        return tuple(part for name, each in value.items() for part in (name, *_source(each)))
    if isinstance(value, list):
        return tuple(part for each in value for part in _source(each))
    return (value,) if isinstance(value, str) else ()


def _input(event: Any) -> Any:
    """Of a feed event, what was fed; the event itself if it has no such member."""
    return next((each["input"] for each in _objects(event) if "input" in each), event)


def of_ffevents(text: str, path: Path) -> str:
    """The pairs of an ffevents.log, in the form that tickbench-sim reads. A record is of one counter and one source:
    a `disruption` or `init` event begins new ones, and the longest is taken. Pairs that do not go forward are left
    out."""
    runs: list[dict[tuple[str, ...], list[tuple[int, int]]]] = [{}]
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            event = json.loads(line)
        except ValueError as error:
            raise CannotRun(Problem.BAD_RECORD, f"{path}, line {number}: no JSON ({error})") from error
        if any(value.get("event") in ("init", "disruption") for value in _objects(event)):
            runs.append({})
            continue
        fed = _input(event)
        pair = pair_of(fed)
        if pair is None:
            continue
        pairs = runs[-1].setdefault(_source(fed), [])
        if not pairs or (pair[0] > pairs[-1][0] and pair[1] > pairs[-1][1]):
            pairs.append(pair)
    each = [pairs for run in runs for pairs in run.values()]
    longest: list[tuple[int, int]] = max(each, key=len, default=[])
    if len(longest) < 3:
        raise CannotRun(Problem.BAD_RECORD, f"{path} has no three pairs of counter_pre, counter_post and a time")
    return "".join(f"{counter} {time // 10**12}.{time % 10**12:012d}\n" for counter, time in longest)


def _read(path: Path) -> str:
    try:
        if not path.is_file():
            raise CannotRun(Problem.BAD_RECORD, f"{path} is not a regular file")
        if path.stat().st_size > BYTES_MAX:
            raise CannotRun(Problem.BAD_RECORD, f"{path} is larger than a GiB")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CannotRun(Problem.BAD_RECORD, f"{path} cannot be read: {error}") from error


def kept(word: str, build: Path) -> str:
    """`record=FILE` or `ticks=FILE` with a copy of the file, named by its content; another word as it is."""
    name, equals, value = word.partition("=")
    if name not in NAMES or not equals:
        return word
    path = Path(value).expanduser()
    text = _read(path)
    if name == "record" and text.lstrip().startswith("{"):
        text = of_ffevents(text, path)
    copy = build / FOLDER / hashlib.sha256(text.encode()).hexdigest()[:16]
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text, encoding="utf-8")
    except OSError as error:
        raise output_error(error, copy) from error
    return f"{name}={copy.absolute()}"


def for_guest(groups: Sequence[Sequence[str]], build: Path) -> tuple[tuple[tuple[str, ...], ...], list[str]]:
    """The groups with the name that each file has in the guest, and QEMU's options that hand the files over."""
    files: dict[str, Path] = {}

    def named(word: str) -> str:
        name, equals, value = kept(word, build).partition("=")
        if name not in NAMES or not equals:
            return word
        path = Path(value)
        files[path.name] = path
        return f"{name}={path.name}"

    made = tuple(tuple(named(word) for word in group) for group in groups)
    return made, [word for name, path in files.items()
                  for word in ("-fw_cfg", f"name={GUEST_FOLDER}/{name},file={quote(path)}")]
