# SPDX-License-Identifier: GPL-2.0-or-later
"""How much of a core tickbench watches: breaks a kernel's timekeeping.c and ntp.c in one place at a time
(runner/study/breaks.py), and counts the breaks that the default checks report (runner/study/workshop.py).

`make mutants LINUX=7.3` is this: ./tickbench mutants 7.3"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import queue
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from rich import box
from rich.table import Table

from runner import BUILD, options
from runner.errors import CannotRun, Problem, Status
from runner.lift import lift
from runner.lift.kbuild import Variant
from runner.lift.lift import ROOM
from runner.report import progress
from runner.report.table import console
from runner.study import breaks, ownwork, pairs
from runner.study.breaks import Break
from runner.study.ladder import write_tables
from runner.study.store import Store
from runner.study.workshop import DIFF, SIM, Children, Compiler, Trial, Verdict, Workbench, unit_of

UNITS = ("timekeeping", "ntp")
MARKS = ("<!-- mutants -->\n", "<!-- end of mutants -->\n")
OWN_MARKS = ("<!-- own mutants -->\n", "<!-- end of own mutants -->\n")
OWN_COUNT = 500
LIST = Path(__file__).with_name("equivalent.txt")
OWN_LIST = Path(__file__).with_name("equivalent_own.txt")
# What `tickbench check` runs by default, the quick ones first: its random scripts, and the scenarios.
CHECK_TICKS, CHECK_SEED = 1_000_000, 1
SEEDS, EACH = pairs.pieces(CHECK_TICKS, CHECK_SEED)
FIRST, *LATER = [Trial("comparison", DIFF, ("--random", str(seed), str(EACH)), 5.0) for seed in SEEDS]
TRIALS = (FIRST, Trial("scenarios", SIM, ("core=linux",), 25.0), *LATER)


@dataclass(frozen=True)
class Result:
    """A break and what became of it. `reason`: why it is equivalent, from the committed list."""

    broken: Break
    verdict: Verdict
    reason: str = ""

    @property
    def word(self) -> str:
        if self.verdict.word == "unreported" and self.reason:
            return "equivalent"
        return self.verdict.word


def read_list(text: str) -> dict[tuple[str, str], str]:
    """The committed list: of each equivalent break, by its name and mark, the reason. CannotRun if a line is
    not FILE FUNCTION RULE ORDINAL MARK REASON."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        words = line.split(None, 5)
        if len(words) != 6 or not words[3].isdigit():
            raise CannotRun(Problem.USAGE, f"{LIST.name}:{number}: not FILE FUNCTION RULE ORDINAL MARK REASON")
        found[" ".join(words[:4]), words[4]] = words[5]
    return found


def of_tree(reasons: dict[tuple[str, str], str], found: Iterable[Break]) -> dict[tuple[str, str], str]:
    """The list for the breaks of one tree. In another release a line may have another ordinal: it is the same
    break if the function has no further one of this rule with this mark, or all of them are in the list."""

    def place(name: str, mark: str) -> tuple[str, ...]:
        return (*name.split()[:3], mark)

    listed: dict[tuple[str, ...], list[str]] = {}
    for (name, mark), reason in reasons.items():
        listed.setdefault(place(name, mark), []).append(reason)
    breaks_there = list(found)
    there = Counter(place(each.name, each.mark) for each in breaks_there)
    kept = {}
    for each in breaks_there:
        at = place(each.name, each.mark)
        if exact := reasons.get((each.name, each.mark)):
            kept[each.name, each.mark] = exact
        elif len(listed.get(at, ())) == there[at]:
            kept[each.name, each.mark] = listed[at][0]
    return kept


def reason_of(broken: Break, reasons: dict[tuple[str, str], str]) -> str:
    return reasons.get((broken.name, broken.mark), "")


class Ended(Exception):
    """The command is being interrupted: what was being judged is not."""


class Bench(Protocol):
    """What a Crew works with: a Workbench, for a kernel's files, or an OwnBench."""

    children: Children

    def judge(self, unit: str, text: str, trials: Sequence[Trial]) -> Verdict:
        """What becomes of a text in place of the unit's."""


class Keeper(Protocol):
    """What keeps verdicts: a Store, or one for each file."""

    def get(self, name: str) -> dict[str, Any] | None:
        """That of a break, by its name."""

    def put(self, name: str, result: dict[str, Any]) -> None:
        """Keeps one."""


class Crew:
    """One thread for each folder to work in. Takes breaks from the front of a list until `count` of them were
    judged (compile, and change the machine code)."""

    def __init__(self, benches: Sequence[Bench], texts: dict[str, str], store: Keeper, trials: Sequence[Trial],
                 said: Callable[[Result], None]) -> None:
        self.benches, self.texts, self.store, self.trials, self.said = benches, texts, store, trials, said
        self.results: dict[int, Result] = {}
        self.stopped = threading.Event()
        self.errors: list[BaseException] = []
        self.lock = threading.Lock()

    def _one(self, bench: Bench, broken: Break) -> Verdict:
        known = self.store.get(broken.name)
        if known is not None and known["mark"] == broken.mark:
            return Verdict(**known["verdict"])
        verdict = bench.judge(broken.file.removesuffix(".c"), broken.apply(self.texts[broken.file]), self.trials)
        if bench.children.ended:
            raise Ended
        self.store.put(broken.name, {"mark": broken.mark, "verdict": asdict(verdict)})
        return verdict

    def _work(self, bench: Bench, todo: queue.SimpleQueue[tuple[int, Break] | None], count: int,
              reasons: dict[tuple[str, str], str]) -> None:
        try:
            while not self.stopped.is_set() and (taken := todo.get()) is not None:
                at, broken = taken
                result = Result(broken, self._one(bench, broken), reason_of(broken, reasons))
                with self.lock:
                    self.results[at] = result
                    done = sum(judged(each) for each in self.results.values())
                if judged(result) and done <= count:
                    self.said(result)
                if done >= count:
                    self.stopped.set()
        except Ended:
            pass
        except BaseException as error:  # told to the main thread, which raises it
            self.errors.append(error)
            self.stopped.set()

    def run(self, drawn: Sequence[Break], count: int, reasons: dict[tuple[str, str], str]) -> list[Result]:
        """The results in the order drawn, of the first `count` that were judged and all before them."""
        todo: queue.SimpleQueue[tuple[int, Break] | None] = queue.SimpleQueue()
        for each in enumerate(drawn):
            todo.put(each)
        threads = []
        for bench in self.benches:
            todo.put(None)
            threads.append(threading.Thread(target=self._work, args=(bench, todo, count, reasons)))
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException:
            self.stopped.set()
            for bench in self.benches:
                bench.children.end()
            for thread in threads:
                thread.join()
            raise
        if self.errors:
            raise self.errors[0]
        return first(self.results, count)


def judged(result: Result) -> bool:
    """Whether it is a break at all: it compiles, and changes the machine code."""
    return result.verdict.word in ("reported", "unreported")


def first(results: dict[int, Result], count: int) -> list[Result]:
    """The results up to the count-th that was judged, so that the number of threads changes nothing."""
    kept: list[Result] = []
    have = 0
    for at in sorted(results):
        if have == count or (kept and at - 1 not in results):
            break
        kept.append(results[at])
        have += judged(results[at])
    return kept


@dataclass
class Row:
    """The counts of one function, or of all."""

    reported: int = 0
    unreported: int = 0
    equivalent: int = 0
    same: int = 0

    def add(self, word: str) -> None:
        if word != "uncompilable":
            setattr(self, word, getattr(self, word) + 1)

    @property
    def breaks(self) -> int:
        """Those that change what the core does, as far as is known."""
        return self.reported + self.unreported

    @property
    def share(self) -> float | None:
        return self.reported / self.breaks if self.breaks else None


def tally(results: Iterable[Result]) -> dict[tuple[str, str], Row]:
    """A row for each file and function."""
    rows: dict[tuple[str, str], Row] = {}
    for each in results:
        rows.setdefault((each.broken.file, each.broken.function), Row()).add(each.word)
    return dict(sorted(rows.items()))


def total(rows: dict[tuple[str, str], Row]) -> Row:
    whole = Row()
    for row in rows.values():
        for word in ("reported", "unreported", "equivalent", "same"):
            setattr(whole, word, getattr(whole, word) + getattr(row, word))
    return whole


def percent(row: Row) -> str:
    return "-" if row.share is None else f"{row.share * 100:.0f} %"


def shown(title: str, rows: dict[tuple[str, str], Row]) -> Table:
    """For a terminal: a row for each function that had a break, the worst first."""
    made = Table(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("file", "function", "breaks", "reported", "unreported", "equivalent", "share"):
        made.add_column(heading, justify="left" if heading in ("file", "function") else "right", no_wrap=True)
    have = {key: row for key, row in rows.items() if row.breaks or row.equivalent}
    for (file, function), row in sorted(have.items(), key=lambda each: (-each[1].unreported, each[0])):
        made.add_row(file, function, str(row.breaks), str(row.reported), str(row.unreported), str(row.equivalent),
                     percent(row))
    whole = total(rows)
    made.add_row("", "all", str(whole.breaks), str(whole.reported), str(whole.unreported), str(whole.equivalent),
                 percent(whole))
    return made


def markdown(tree: str, seed: int, results: Sequence[Result]) -> str:
    """For the document: the figures of each file, and the functions with a break that nothing reports."""
    rows = tally(results)
    lines = ["| tree | file | functions | breaks | reported | unreported | equivalent | share |",
             "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for file in [*dict.fromkeys(file for file, _ in rows), ""]:
        some = {key: row for key, row in rows.items() if not file or key[0] == file}
        whole = total(some)
        reached = sum(row.breaks > 0 for row in some.values())
        lines.append(f"| {tree}, seed {seed} | {file or 'all'} | {reached} | {whole.breaks} | {whole.reported} | "
                     f"{whole.unreported} | {whole.equivalent} | {percent(whole)} |")
    left = {function: row for (_, function), row in rows.items() if row.unreported}
    names = [f"`{function}` ({row.unreported} of {row.breaks})" for function, row in left.items()]
    return "\n".join([*lines, "", "Unreported: " + (", ".join(names) or "none") + "."]) + "\n"


def document(tree: str, seed: int, results: Sequence[Result]) -> dict[str, object]:
    """For --json. The diffs are not in it: they quote the kernel."""
    rows = tally(results)
    return {
        "tree": tree, "seed": seed,
        "total": asdict(total(rows)),
        "functions": [{"file": file, "function": function, **asdict(row)} for (file, function), row in rows.items()],
        "breaks": [{"name": each.broken.name, "mark": each.broken.mark, "verdict": each.word,
                    "by": each.verdict.by, "reason": each.reason} for each in results],
    }


def _key(lifted: Path, texts: dict[str, str]) -> str:
    """A hash of all that a verdict depends on: the texts, the programs, the rules and the trials."""
    whole = hashlib.sha256()
    for text in (*texts.values(), repr(TRIALS), Path(breaks.__file__).read_text()):
        whole.update(text.encode())
    for program in (DIFF, SIM):
        whole.update((lifted / program).read_bytes())
    return whole.hexdigest()[:16]


def chosen(found: Sequence[Break], functions: Sequence[str], texts: dict[str, str]) -> list[Break]:
    """Those in the functions named. CannotRun if there is no such function."""
    there = {each.function for each in found}
    for name in functions:
        if name not in there:
            raise CannotRun(Problem.USAGE, f"{' and '.join(texts)} have no function {name} with anything to break")
    return [each for each in found if not functions or each.function in functions]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = options.Parser(
        "mutants", "Breaks a kernel's core in one place at a time, and counts the breaks that are reported.")
    parser.add_argument("linux", help="PATH, PATH@REV or a release (7.3); with --own, several with commas")
    parser.add_argument("--own", action="store_true",
                        help="break tickbench's own code: the native core, held against these kernels, what the cores "
                        "share, the page and the statistics, held against their tests")
    parser.add_argument("--file", action="append", default=[], metavar="FILE", help="with --own: break this file only")
    parser.add_argument("--function", action="append", default=[], metavar="NAME",
                        help="break these functions only, every place of them unless --count is given")
    parser.add_argument("--seed", type=int, default=1, help="which breaks, and in what order (default %(default)s)")
    parser.add_argument("--count", type=options.positive, help="how many breaks (default 250, at least one a function)")
    parser.add_argument("--all", action="store_true", help="every break there is")
    parser.add_argument("--markdown", type=Path, help="a document: its table is replaced")
    parser.add_argument("--json", action="store_true", help="print one JSON object, and nothing else, on stdout")
    parser.add_argument("--build", type=Path, default=BUILD, help="(default %(default)s)")
    return parser.parse_args(arguments)


def _crew(build: Path, lifted: Path, kbuild_folder: Path, texts: dict[str, str], store: Store,
          trials: Sequence[Trial], said: Callable[[Result], None]) -> Crew:
    folder = lifted.parent / "mutants"
    folder.mkdir(exist_ok=True)
    compilers = [Compiler.prepare(unit_of(lifted, name, kbuild_folder), folder.resolve()) for name in UNITS]
    benches = [Workbench(build, lifted, folder / str(n), compilers) for n in range(os.cpu_count() or 1)]
    return Crew(benches, texts, store, trials, said)


def _own(given: argparse.Namespace, build: Path, lifts: Sequence[Path]) -> tuple[list[Result], dict[str, str]]:
    """Breaks of tickbench's own code. `lifts`: the cores that the native one is held against."""
    texts = {file: (ROOM / file).read_text() for file in ownwork.files() if not given.file or file in given.file}
    if not texts:
        raise CannotRun(Problem.USAGE, f"--file is none of {', '.join(ownwork.files())}")
    found = [each for file, text in texts.items() for each in breaks.find(file, text)]
    drawn = breaks.draw(chosen(found, given.function, texts), given.seed)
    count = given.count or (len(drawn) if given.all or given.function else OWN_COUNT)
    names = [str(lifted.relative_to(build)) for lifted in lifts]
    (build / "work").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="own-", dir=build / "work") as folder:
        benches = [ownwork.OwnBench(build, Path(folder) / str(n), names, list(texts))
                   for n in range(os.cpu_count() or 1)]
        if said := benches[0].unsound():
            raise CannotRun(Problem.PROGRAM_FAILED,
                            f"the code is reported as it is ({said}), so its breaks tell nothing")
        store = ownwork.Stores(build, {file: benches[0].key(file) for file in texts})
        with progress.Work(progress.stderr(), "mutants", min(count, len(drawn)), unit="breaks") as work:
            crew = Crew(benches, texts, store, (), lambda result: work.add(words=result.word))
            return crew.run(drawn, count, of_tree(read_list(OWN_LIST.read_text()), found)), texts


def _kernels(given: argparse.Namespace, build: Path, lifted: Path,
             kbuild_folder: Path) -> tuple[list[Result], dict[str, str]]:
    """Breaks of the kernel's two files."""
    texts = {f"{name}.c": unit_of(lifted, name, kbuild_folder).text for name in UNITS}
    found = [each for file, text in texts.items() for each in breaks.find(file, text)]
    drawn = breaks.draw(chosen(found, given.function, texts), given.seed)
    count = given.count or (len(drawn) if given.all or given.function else 250)
    trials = [trial.of_whole(lifted, Children()) for trial in TRIALS]
    store = Store(build, "mutants", _key(lifted, texts))
    with progress.Work(progress.stderr(), "mutants", min(count, len(drawn)), unit="breaks") as work:
        crew = _crew(build, lifted, kbuild_folder, texts, store, trials, lambda result: work.add(words=result.word))
        return crew.run(drawn, count, of_tree(read_list(LIST.read_text()), found)), texts


def main(arguments: Sequence[str]) -> int:
    given = parse(arguments)
    variant = Variant("um", 1000, True)
    trees = given.linux.split(",") if given.own else [given.linux]
    lifts = [lift.lift(tree, variant, given.build, (DIFF, SIM)) for tree in trees]
    if given.own:  # tk/native/pps.c is compared with a kernel that has hardpps()
        lifts.append(lift.lift(trees[0], Variant("um", 1000, False, pps=True), given.build, (DIFF,)))
    done = lifts[0]
    build = done.folder.parents[2]
    kbuild_folder = (done.folder.parent / "kbuild" / variant.kbuild_name).resolve()
    results, texts = (_own(given, build, [each.folder for each in lifts]) if given.own
                      else _kernels(given, build, done.folder, kbuild_folder))
    label = "tickbench's own code" if given.own else done.tree.label
    if given.markdown:
        write_tables(given.markdown, markdown(label, given.seed, results), OWN_MARKS if given.own else MARKS)
    if given.json:
        print(json.dumps(document(label, given.seed, results), indent=1))
    else:
        show(label, given.seed, results, texts)
    whole = total(tally(results))
    return Status.FAILED if whole.unreported else Status.PASSED


def show(tree: str, seed: int, results: Sequence[Result], texts: dict[str, str]) -> None:
    """The unreported breaks as diffs, and the table."""
    for word in ("equivalent", "unreported"):
        for each in results:
            if each.word == word:
                reason = f", {each.reason}" if each.reason else ""
                print(f"{word}: {each.broken.name} {each.broken.mark}{reason}")
                print(each.broken.diff(texts[each.broken.file]) + "\n")
    rows = tally(results)
    console(120).print(shown(f"{tree}, seed {seed}", rows))
    same = total(rows).same
    print(f"Besides, {same} breaks gave the same machine code, or are in code that this configuration leaves out.")
