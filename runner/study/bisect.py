# SPDX-License-Identifier: GPL-2.0-or-later
"""`tickbench bisect`: finds the commit that broke a claim, or mended it, by git's own bisection. It works in a
clone of its own that shares the user's objects: checkout, index, references and bisect state of the user's tree
stay as they are. With --switches it searches the switches of the native core in the same way.

Each verdict is kept as soon as it is known, so that an interrupted search goes on where it stopped. While one
revision is judged, the two that may follow are lifted."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from runner import BUILD, options, plan, scenarios, simulate
from runner.errors import need_built, CannotRun, Problem, Status
from runner.lift import kbuild, lift, trees, words
from runner.lift.kbuild import Variant
from runner.report import progress
from runner.study.ahead import Ahead
from runner.study.claim import Claim, Measured, parse as parse_claim
from runner.study.store import Store, key_of

TOUCHING = ("kernel/time/Makefile", "kernel/time/Kconfig")
AHEAD = 2
SAME_TICKS = 1_000_000


@dataclass(frozen=True)
class Judged:
    """One point of the search."""

    name: str  # a commit, or a set of switches
    subject: str
    good: bool | None  # None: it cannot be judged
    figures: tuple[str, ...]  # one a claim, or why it cannot be judged
    seconds: float
    kept: bool = False  # by an earlier, interrupted search

    def verdict(self, fixed: bool) -> str:
        if self.good is None:
            return "skipped"
        return ("fixed" if self.good else "broken") if fixed else ("good" if self.good else "bad")


@dataclass
class Found:
    """The end of a search. `candidates` has more than one commit if those between could not be judged."""

    candidates: list[str]
    before: Judged | None
    after: Judged | None
    steps: list[Judged] = field(default_factory=list)


class Judge:
    """What decides over a core: claims over metrics of scenarios, or equality with another core."""

    def __init__(self, claims: Sequence[Claim], same_as: str, group: Sequence[str], variant: Variant, build: Path,
                 ) -> None:
        self.claims, self.same_as, self.variant, self.build = claims, same_as, variant, build
        self._group = group

    @property
    def title(self) -> str:
        if self.same_as:
            return f"equal to {self.same_as}"
        return " and ".join(claim.text for claim in self.claims)

    def measure(self, program: Path, core: Sequence[str]) -> tuple[bool, tuple[str, ...]]:
        """Whether all claims hold for a core in a host process, and the figure of each."""
        names = list(dict.fromkeys(claim.scenario for claim in self.claims))
        groups = [(f"scenario={name}", *self._group, *core, f"hz={self.variant.hz}") for name in names]
        runs = {run["scenario"]: run for run in simulate.runs(program, plan.words(groups))}
        measured: list[Measured] = [claim.judge(runs[claim.scenario]) for claim in self.claims]
        return all(each.holds for each in measured), tuple(each.words for each in measured)

    def tree(self, word: str) -> tuple[bool, tuple[str, ...]]:
        """The same for the tree that a word names; CannotRun if it cannot be lifted."""
        if self.same_as:
            from runner.study import pairs

            result = pairs.compare(pairs.of(self.same_as, word, self.variant, self.build), SAME_TICKS)
            different = ", ".join(each.name for each in result.different)
            return not result.differs, (f"differs in {different}" if result.differs else "equal",)
        done = lift.lift(word, self.variant, self.build, ("tickbench-sim",))
        return self.measure(done.folder / "tickbench-sim", ("core=linux", "expect=any"))


class Repository:
    """A clone that shares the objects of the user's tree, and has references of its own."""

    def __init__(self, tree: Path, folder: Path) -> None:
        self.tree, self._folder = tree, folder
        if not shutil.which("git"):
            raise CannotRun(Problem.LIFT_TOOL, "bisect needs git")
        if self._ask(tree, "rev-parse", "--git-dir") is None:
            raise CannotRun(Problem.LIFT_TREE, f"{tree} is no git repository")

    def open(self) -> None:
        """Makes the clone anew: a search that was interrupted is repeated from its kept verdicts."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        self._run("clone", "-q", "--shared", "--no-checkout", str(self.tree), str(self._folder), inside=False)

    def _ask(self, where: Path, *arguments: str) -> str | None:
        done = subprocess.run([*trees.GIT, "-C", str(where), *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, errors="replace")
        return done.stdout.strip() if done.returncode == 0 else None

    def _run(self, *arguments: str, inside: bool = True) -> str:
        where = ["-C", str(self._folder)] if inside else []
        done = subprocess.run([*trees.GIT, *where, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, errors="replace")
        if done.returncode:
            raise CannotRun(Problem.LIFT_TREE, f"git {arguments[0]} {arguments[1]} failed in {self.tree}",
                            done.stdout + done.stderr)
        return done.stdout

    def commit(self, revision: str) -> str:
        """The full name of a revision of the user's tree; CannotRun if there is none."""
        found = self._ask(self.tree, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        if not found:
            raise CannotRun(Problem.LIFT_TREE, f"{self.tree} has no revision {revision}")
        return found

    def word(self, commit: str) -> str:
        """What to lift for a commit."""
        return f"{self.tree}@{commit}"

    def subject(self, commit: str) -> str:
        return self._ask(self.tree, "log", "-1", "--format=%s", commit) or ""

    def is_ancestor(self, older: str, newer: str) -> bool:
        return self._ask(self.tree, "merge-base", "--is-ancestor", older, newer) is not None

    def start(self, bad: str, good: str, paths: Sequence[str]) -> tuple[str, str]:
        """git bisect start: what it says, and the first revision to judge."""
        said = self._run("bisect", "start", "--no-checkout", bad, good, "--", *paths)
        return said, self.head()

    def mark(self, word: str) -> str:
        """git bisect good, bad or skip, of the present one: what git says. Status 2 of git means that only
        skipped ones are left."""
        done = subprocess.run([*trees.GIT, "-C", str(self._folder), "bisect", word], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, errors="replace")
        if done.returncode not in (0, 2):
            raise CannotRun(Problem.LIFT_TREE, f"git bisect {word} failed", done.stdout + done.stderr)
        return done.stdout

    def head(self) -> str:
        """The revision to judge."""
        return self._run("rev-parse", "BISECT_HEAD").strip()

    def halfway(self, bad: str, good: Sequence[str], paths: Sequence[str]) -> str | None:
        """The revision that git would choose between these; None: there is none left."""
        found = self._ask(self._folder, "rev-list", "--bisect", bad, *(f"^{each}" for each in good), "--", *paths)
        return found.split()[0] if found and found.split()[0] != bad else None

    def count(self, bad: str, good: str, paths: Sequence[str]) -> int:
        """The commits between."""
        found = self._ask(self.tree, "rev-list", "--count", bad, f"^{good}", "--", *paths)
        return int(found or 0)

    def diffstat(self, commit: str) -> str:
        said = self._ask(self.tree, "diff", "--stat", f"{commit}^", commit, "--", "kernel/time", "include")
        return f" {said}" if said else ""

    def parent(self, commit: str) -> str:
        return self.commit(f"{commit}^")


@contextmanager
def judging(repository: Repository, judge: Judge, store: Store, build: Path) -> Iterator[Callable[[str], Judged]]:
    """A function that judges a commit, or gives the verdict that is kept."""
    def one(commit: str) -> Judged:
        began, subject = time.monotonic(), repository.subject(commit)
        if kept := store.get(commit):
            return Judged(commit, subject, kept["good"], tuple(kept["figures"]), kept["seconds"], True)
        good: bool | None
        try:
            good, figures = judge.tree(repository.word(commit))
        except CannotRun as error:
            if error.problem is Problem.BAD_CLAIM:
                raise
            good, figures = None, (error.sentence,)
        judged = Judged(commit, subject, good, figures, time.monotonic() - began)
        store.put(commit, {"good": good, "figures": list(figures), "seconds": judged.seconds})
        return judged

    yield one


def touched(word: str, variant: Variant, build: Path) -> list[str]:
    """The files of a tree that its lift compiles, relative to the tree."""
    done = lift.lift(word, variant, build, ())
    folder = build / "lift" / done.tree.folder / "kbuild" / done.variant.kbuild_name
    return kbuild.sources(folder, done.tree.path)


def search(repository: Repository, judge: Callable[[str], Judged], bad: str, good: str, paths: Sequence[str],
           ahead: Ahead, say: Callable[[Judged, int], None], fixed: bool) -> Found:
    """git's bisection between two commits that were judged. say: called with each verdict and the steps left."""
    steps: list[Judged] = []
    said, commit = repository.start(bad, good, paths)
    newest, oldest = bad, [good]
    by_name: dict[str, Judged] = {}
    while True:
        if found := re.search(r"^([0-9a-f]{40,}) is the first bad commit", said, re.MULTILINE):
            return Found([found[1]], None, by_name.get(found[1]), steps)
        if "only 'skip'ped commits left" in said:
            return Found(re.findall(r"^([0-9a-f]{40,})$", said, re.MULTILINE), None, None, steps)
        commit = repository.head()
        after = [repository.halfway(commit, oldest, paths), repository.halfway(newest, [*oldest, commit], paths)]
        ahead.wait(repository.word(commit))
        ahead.want([repository.word(each) for each in after if each][:AHEAD])
        judged = judge(commit)
        steps.append(judged)
        by_name[commit] = judged
        left = re.search(r"roughly (\d+) step", said)
        say(judged, int(left[1]) if left else 0)
        # git's words are for what broke: the newer end is "bad", also if that is where it was fixed.
        new_side = judged.good if fixed else not judged.good
        if judged.good is None:
            said = repository.mark("skip")
        elif new_side:
            said, newest = repository.mark("bad"), commit
        else:
            said = repository.mark("good")
            oldest.append(commit)


def search_switches(judge: Callable[[frozenset[str]], Judged], good: frozenset[str], bad: frozenset[str],
                    say: Callable[[Judged, int], None]) -> tuple[str, list[Judged]]:
    """The switch whose change, in the order of tk.h, makes the claim fail on the way from one set to another."""
    order = [name for name in words.SWITCHES if name in good ^ bad]
    steps = []
    low, high = 0, len(order)
    while high - low > 1:
        middle = (low + high) // 2
        judged = judge(good ^ frozenset(order[:middle]))
        steps.append(judged)
        low, high = (middle, high) if judged.good else (low, middle)
        say(judged, max(0, (high - low - 1).bit_length()))
    return order[high - 1], steps


def _line(judged: Judged, left: int, spent: Sequence[float], fixed: bool) -> str:
    about = f", about {progress.duration_words(left * sum(spent) / len(spent))} left" if left and spent else ""
    about = about.replace("about about", "about")
    return (f"{judged.name[:12]}  {judged.verdict(fixed):<7}  {', '.join(judged.figures)}  "
            f"{'kept' if judged.kept else f'{judged.seconds:.1f} s'}  {judged.subject}"
            + (f"  ({left} steps{about})" if left else ""))


def parser() -> options.Parser:
    """The options."""
    made = options.Parser("bisect", "Finds the commit, or the switch of the native core, that broke a claim.")
    add = made.add_argument
    add("words", nargs="*", metavar="name=value", help="parameters of the scenarios, as for tickbench sim")
    add("--tree", type=Path, metavar="PATH", help="a kernel's git repository; it is not changed")
    add("--bad", required=True, metavar="REV",
        help="a revision where the claim fails; with --switches, a set of switches (--bad=-clawback: all but)")
    add("--good", required=True, metavar="REV", help="one where it holds; with --switches, a set of switches")
    add("--claim", action="append", default=[], metavar="CLAIM",
        help="for instance 'lock.max_abs_ns < 10'; 'lock' alone: all claims of the scenario hold. May be repeated: "
             "all must hold")
    add("--same-as", default="", metavar="CORE", help="in place of a claim: equal to this core (REV: of the same tree)")
    add("--switches", action="store_true", help="search the switches of the native core")
    add("--first-fixed", action="store_true", help="find the commit that mended it: --good is the newer one")
    add("--all", action="store_true", help="judge also commits that touch nothing which the lift compiles")
    add("--hz", type=int, default=1000, help="(default %(default)s)")
    add("--pps", action="store_true", help=options.PPS)
    add("--json", action="store_true", help="print the result as JSON, and nothing else")
    add("--build", type=Path, default=BUILD, help="(default %(default)s)")
    return made


def main(arguments: Sequence[str]) -> int:
    given = parser().parse_args(arguments)
    table = scenarios.read(given.build)
    if bool(given.claim) == bool(given.same_as):
        raise CannotRun(Problem.USAGE, "bisect needs either --claim or --same-as")
    if any("=" not in word for word in given.words):
        raise CannotRun(Problem.USAGE, f"{' '.join(given.words)} is not name=value")
    claims = [parse_claim(text, table) for text in given.claim]
    judge = Judge(claims, given.same_as, given.words, Variant("um", given.hz, True, pps=given.pps), given.build)
    say = Console(stderr=given.json, highlight=False, soft_wrap=True)
    if given.switches:
        return _switches(given, judge, say)
    if given.tree is None:
        raise CannotRun(Problem.USAGE, "bisect needs --tree PATH, or --switches")
    return _tree(given, judge, say)


def _tree(given: Any, judge: Judge, console: Console) -> int:
    tree = given.tree.expanduser().resolve()
    key = key_of(str(tree), judge.title, " ".join(given.words), judge.variant.name, _own_sha(given.build))
    store = Store(given.build, "bisect", key)
    repository = Repository(tree, store.path.parent / "repository")
    bad, good = repository.commit(given.bad), repository.commit(given.good)
    if judge.same_as and not Path(judge.same_as).exists() and "@" not in judge.same_as:
        judge.same_as = f"{tree}@{repository.commit(judge.same_as)}"
    fixed = given.first_fixed
    older, newer = (bad, good) if fixed else (good, bad)
    if not repository.is_ancestor(older, newer):
        raise CannotRun(Problem.USAGE, f"{'--bad' if fixed else '--good'} is no ancestor of the other revision")
    spent: list[float] = []

    def say(judged: Judged, left: int) -> None:
        spent.extend([] if judged.kept else [judged.seconds])
        console.print(_line(judged, left, spent, fixed), markup=False)

    with judging(repository, judge, store, given.build) as one, Ahead(judge.variant, given.build) as ahead:
        ahead.want([repository.word(newer)])
        ends = []
        for commit, wanted in ((older, fixed is False), (newer, fixed)):
            ahead.wait(repository.word(commit))
            judged = one(commit)
            say(judged, 0)
            ends.append(judged)
            if judged.good is not wanted:
                raise CannotRun(Problem.USAGE, f"the claim \"{judge.title}\" {_wrong_end(judged)} at {commit[:12]}"
                                               f" ({', '.join(judged.figures)}), so there is nothing to find")
        paths = [] if given.all else sorted({*TOUCHING, *(
            path for commit in (older, newer) for path in touched(f"{tree}@{commit}", judge.variant, given.build))})
        total = repository.count(newer, older, paths)
        if not total:
            raise CannotRun(Problem.USAGE, "no commit between the two touches what the lift compiles; --all judges the"
                                           " others")
        console.print(f"{total} commits to search", markup=False)
        repository.open()
        found = search(repository, one, newer, older, paths, ahead, say, fixed)
        if len(found.candidates) != 1:
            names = "\n".join(f"{each[:12]} {repository.subject(each)}" for each in found.candidates)
            raise CannotRun(Problem.BISECT_SKIPPED, "the commit is one of these, and those between cannot be judged",
                            names)
        first = found.candidates[0]
        found.after = found.after or one(first)
        found.before = one(repository.parent(first))
    return _end(given, repository, judge, found)


def _wrong_end(judged: Judged) -> str:
    if judged.good is None:
        return "cannot be judged"
    return "holds" if judged.good else "does not hold"


def _own_sha(build: Path) -> str:
    """Verdicts of another tickbench do not count."""
    program = need_built(build / "tickbench-sim")
    return key_of(program.read_bytes())


def _end(given: Any, repository: Repository, judge: Judge, found: Found) -> int:
    first, kind = found.candidates[0], "fixed" if given.first_fixed else "bad"
    assert found.before and found.after
    if given.json:
        print(json.dumps({
            f"first_{kind}": first, "subject": repository.subject(first), "claim": judge.title,
            "before": list(found.before.figures), "after": list(found.after.figures),
            "steps": [{"revision": each.name, "subject": each.subject, "good": each.good,
                       "figures": list(each.figures), "seconds": round(each.seconds, 3)} for each in found.steps],
        }, indent=1))
        return Status.PASSED
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"\nthe first {kind} commit is {first[:12]} {repository.subject(first)}", markup=False)
    console.print(repository.diffstat(first), markup=False)
    console.print(f"before it: {', '.join(found.before.figures)}", markup=False)
    console.print(f"with it:   {', '.join(found.after.figures)}", markup=False)
    return Status.PASSED


def _switches(given: Any, judge: Judge, console: Console) -> int:
    if judge.same_as:
        raise CannotRun(Problem.USAGE, "--switches searches by --claim")
    program = need_built(given.build / "tickbench-sim")
    good, bad = (words.parse(f"native:{text}").switches or frozenset() for text in (given.good, given.bad))

    def one(switches: frozenset[str]) -> Judged:
        began = time.monotonic()
        name = words.Core("native", True, switches).option
        holds, figures = judge.measure(program, (f"switches={name}",))
        return Judged(name, "", holds, figures, time.monotonic() - began)

    def say(judged: Judged, left: int) -> None:
        console.print(f"{judged.verdict(False):<4}  {', '.join(judged.figures)}  {judged.seconds:.1f} s  "
                      f"switches={judged.name}", markup=False)

    for switches, wanted in ((good, True), (bad, False)):
        judged = one(switches)
        say(judged, 0)
        if judged.good is not wanted:
            raise CannotRun(Problem.USAGE, f"the claim \"{judge.title}\" {_wrong_end(judged)} with "
                                           f"switches={judged.name}, so there is nothing to find")
    name, steps = search_switches(one, good, bad, say)
    what = "without" if name in good else "with"
    if given.json:
        print(json.dumps({"switch": name, "claim": judge.title, "fails": what,
                          "steps": [{"switches": each.name, "good": each.good, "figures": list(each.figures)}
                                    for each in steps]}, indent=1))
    else:
        print(f"\nthe claim fails {what} the switch {name}")
    return Status.PASSED
