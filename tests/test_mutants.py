# SPDX-License-Identifier: GPL-2.0-or-later
"""The breaks of a C file, and the command that counts those that are reported."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from conftest import ROOT, make, plain_environment
from liftable import NEWEST, UM, lifted
from runner.errors import CannotRun
from runner.study import breaks, check, mutants, ownwork, pairs
from runner.study.breaks import Break
from runner.study.store import Store
from runner.study.workshop import DIFF, SIM, Children, Compiler, Trial, Verdict, Workbench, unit_of

# Of our own making: one function in which each rule applies, and things around it that must be left alone.
SOURCE = """\
#define TWICE(x) ((x) * 2)
static int table[] = { 1, 2, 3 };	/* a = b; if (c < d) */
static struct pair pair = { .first = 1, };

static int measure(struct pair *pair, int more)
{
	int sum = 0;

	/* sum += 1; */
	for (int i = 0; i < more; i++)
		sum += pair->tv_sec << 2;
	if (pair->first == 7 && !more)
		return -1;
	note("a < b; c = 1",
	     sum);
	return sum;
}
"""


def changed(rule: str) -> list[str]:
    """The line that each break of a rule leaves, stripped."""
    found = []
    for each in breaks.find("x.c", SOURCE):
        if each.rule == rule:
            found.append(each.apply(SOURCE).splitlines()[each.line(SOURCE) - 1].strip())
    return found


@pytest.mark.parametrize("rule, lines", [
    ("drop", [";", ";", "", ";"]),
    ("edge", ["for (int i = 0; i <= more; i++)"]),
    ("compare", ["if (pair->first != 7 && !more)"]),
    ("logic", ["if (pair->first == 7 || !more)"]),
    ("shift", ["sum += pair->tv_sec >> 2;"]),
    ("sign", ["for (int i = 0; i < more; i--)", "sum -= pair->tv_sec << 2;"]),
    ("unary", ["if (pair->first == 7 &&  more)", "return  1;"]),
    ("sibling", ["sum += pair->tv_nsec << 2;"]),
    ("negate", ["if (!(pair->first == 7 && !more))"]),
    ("plus", ["sum += pair->tv_sec << 2 + 1;", "return -1 + 1;", "return sum + 1;"]),
])
def test_a_rule_breaks_what_it_says_and_nothing_else(rule: str, lines: list[str]) -> None:
    assert changed(rule) == lines


def test_breaks_are_in_the_bodies_of_functions_alone() -> None:
    begins = SOURCE[:SOURCE.index("{\n\tint sum")].count("\n") + 1
    found = breaks.find("x.c", SOURCE)
    assert {each.function for each in found} == {"measure"}
    assert min(each.line(SOURCE) for each in found) > begins
    comment = SOURCE[:SOURCE.index("/* sum")].count("\n") + 1
    assert comment not in {each.line(SOURCE) for each in found}


def test_a_broken_file_has_as_many_lines_and_its_diff_shows_the_break() -> None:
    for each in breaks.find("x.c", SOURCE):
        assert each.apply(SOURCE).count("\n") == SOURCE.count("\n")
        assert f"@@ -{each.line(SOURCE)}" in each.diff(SOURCE)


def test_a_drawn_order_begins_with_each_function_and_is_the_seeds() -> None:
    text = SOURCE + SOURCE[SOURCE.index("static int measure"):].replace("measure", "again")
    found = breaks.find("x.c", text)
    drawn = breaks.draw(found, 3)
    assert {each.function for each in drawn[:2]} == {"measure", "again"}
    assert Counter(drawn) == Counter(found)
    assert drawn == breaks.draw(found, 3) != breaks.draw(found, 4)


def test_a_break_of_a_changed_line_has_another_mark() -> None:
    """So a reason in the list does not pass on to what a line became."""
    before = {each.name: each.mark for each in breaks.find("x.c", SOURCE) if each.rule == "shift"}
    other = SOURCE.replace("<< 2", "<< 3")
    after = {each.name: each.mark for each in breaks.find("x.c", other) if each.rule == "shift"}
    assert before.keys() == after.keys() and before != after


def test_the_committed_list_reads_and_a_broken_line_of_it_is_refused() -> None:
    for path in (mutants.LIST, mutants.OWN_LIST):
        for reason in mutants.read_list(path.read_text()).values():
            assert len(reason.split()) > 2
    with pytest.raises(CannotRun, match=":1: not FILE FUNCTION"):
        mutants.read_list("timekeeping.c ktime_get drop")


def result(at: int, word: str) -> mutants.Result:
    return mutants.Result(Break("x.c", f"f{at % 3}", "drop", at, 0, 1, ";", "0"), Verdict(word))


def test_results_end_with_the_last_that_counts_whoever_was_faster() -> None:
    words = ["reported", "same", "unreported", "uncompilable", "reported", "reported"]
    results = {at: result(at, word) for at, word in enumerate(words)}
    assert len(mutants.first(results, 3)) == 5
    del results[1]  # still being judged by another thread
    assert len(mutants.first(results, 3)) == 1


def test_the_share_leaves_out_what_is_equivalent_or_no_break() -> None:
    one = mutants.Result(result(0, "").broken, Verdict("unreported"), "x is 0 there")
    rows = mutants.tally([one, *(result(0, word) for word in ("reported", "same", "uncompilable", "unreported"))])
    row = rows["x.c", "f0"]
    assert (row.breaks, row.reported, row.unreported, row.equivalent, row.same) == (2, 1, 1, 1, 1)
    assert mutants.percent(row) == "50 %"


@pytest.mark.parametrize("script, said", [
    ("exit 0", ""), ("exit 1", "t: fails"), ("kill -SEGV $$", "t: dies of signal 11"), ("sleep 60", "t: does not end"),
    ("echo '  mult    1    2'; exit 1", "t: mult"), ("echo 'not ok 2 - a claim'; exit 1", "t: a claim"),
    ("while :; do :; done", "t: does not end"),
])
def test_whatever_does_not_end_with_status_0_in_time_is_a_report(script: str, said: str, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/bash\n{script}\n")
    program.chmod(0o755)
    limit = {"s": 0.1, "w": 1.0}.get(script[0], 30.0)
    assert Trial("t", "program", (), limit).run(tmp_path, Children()) == said


def scenarios_of(folder: Path, *failed: str) -> None:
    """Makes a program that prints two claims, "a" and "b", of scenario "x"."""
    lines = ["KTAP version 1", "1..1", "    # Subtest: x", "    1..2"]
    lines += [f"    {'not ok' if name in failed else 'ok'} {at} {name}" for at, name in enumerate("ab", 1)]
    lines.append(f"{'not ok' if failed else 'ok'} 1 x")
    program = folder / SIM
    program.write_text("#!/bin/bash\ncat <<'END'\n" + "\n".join(lines) + f"\nEND\nexit {int(bool(failed))}\n")
    program.chmod(0o755)


def test_a_claim_that_an_older_kernel_fails_as_it_is_reports_none_of_its_breaks(tmp_path: Path) -> None:
    scenarios_of(tmp_path, "a")
    trial = Trial("scenarios", SIM, (), 30.0).of_whole(tmp_path, Children())
    assert trial.known == {("x", "a")} and trial.run(tmp_path, Children()) == ""
    scenarios_of(tmp_path, "a", "b")
    assert trial.run(tmp_path, Children()) == "scenarios: x: b"
    scenarios_of(tmp_path)
    assert trial.run(tmp_path, Children()) == ""


@pytest.mark.parametrize("name, script", [(DIFF, "exit 1"), (SIM, "exit 2"), (SIM, "exit 1")])
def test_a_core_that_is_reported_otherwise_tells_nothing_of_its_breaks(name: str, script: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(f"#!/bin/bash\n{script}\n")
    (tmp_path / name).chmod(0o755)
    with pytest.raises(CannotRun, match="reported as it is"):
        Trial("t", name, (), 30.0).of_whole(tmp_path, Children())


def named(rule: str, ordinal: int, mark: str) -> Break:
    return Break("x.c", "f", rule, ordinal, 0, 1, "", mark)


def test_the_list_finds_a_break_whose_ordinal_differs_in_another_release() -> None:
    listed = {(named("drop", 3, "aa").name, "aa"): "why", (named("plus", 1, "bb").name, "bb"): "also"}
    moved, twice = named("drop", 4, "aa"), named("plus", 2, "bb")
    here = mutants.of_tree(listed, [moved, named("drop", 3, "cc"), named("plus", 1, "bb"), twice])
    assert here == {(moved.name, "aa"): "why", (named("plus", 1, "bb").name, "bb"): "also"}, "one of two is not both"


class FakeBench:
    """Reports every break but those of one rule."""

    def __init__(self) -> None:
        self.children, self.judged = Children(), 0

    def judge(self, unit: str, text: str, trials: object) -> Verdict:
        self.judged += 1
        return Verdict("unreported" if "<=" in text else "reported", "x")


def crew(bench: FakeBench, folder: Path) -> mutants.Crew:
    store = Store(folder, "mutants", "k")
    return mutants.Crew([bench], {"x.c": SOURCE}, store, (), lambda *_: None)  # type: ignore[list-item]


def test_what_was_judged_is_not_judged_again(tmp_path: Path) -> None:
    drawn = breaks.draw(breaks.find("x.c", SOURCE), 1)
    some, rest = FakeBench(), FakeBench()
    crew(some, tmp_path).run(drawn, 5, {})
    results = crew(rest, tmp_path).run(drawn, len(drawn), {})
    assert (some.judged, rest.judged) == (5, len(drawn) - 5)
    assert [each.broken.rule for each in results if each.word == "unreported"] == ["edge"]


def test_the_command_breaks_a_lifted_core() -> None:
    """A function that is called with each tick. Another's shift in place of its own is the same number there."""
    folder = lifted(NEWEST, 1000).folder
    done = subprocess.run(
        [str(ROOT / "tickbench"), "mutants", "--build", str(folder.parents[2]), "--json", "--function",
         "tk_xtime_add", "--count", "3", NEWEST.word],
        cwd=ROOT, env=plain_environment(), capture_output=True, text=True)
    said = json.loads(done.stdout)
    assert {each["name"].split()[2] for each in said["breaks"] if each["verdict"] == "unreported"} <= {"sibling"}
    assert said["total"]["reported"] >= 2 and done.returncode == (said["total"]["unreported"] > 0), done.stderr
    assert {each["function"] for each in said["functions"]} == {"tk_xtime_add"}
    assert all(each["by"] for each in said["breaks"] if each["verdict"] == "reported")


# A function, its first statement of this rule, and what is reported: none of it shows in what a clock reads.
UNSEEN = (
    ("aux_clock_disable", "drop", "without the lock"),
    ("timekeeping_init_ops", "drop", "register_syscore()"),
    ("timekeeping_syscore_suspend", "plus", "suspends that were refused"),
    ("aux_clock_enable_show", "plus", "aux_clock_enable_show"),
)


def test_what_no_clock_shows_is_reported_by_its_name() -> None:
    done = lifted(NEWEST, 1000, DIFF, SIM).folder.resolve()
    folder = done.parent / "unseen"
    folder.mkdir(exist_ok=True)
    unit = unit_of(done, "timekeeping", (done.parent / "kbuild" / UM.kbuild_name).resolve())
    bench = Workbench(done.parents[2], done, folder / "0", [Compiler.prepare(unit, folder)])
    found = breaks.find("timekeeping.c", unit.text)
    for function, rule, said in UNSEEN:
        broken = next(each for each in found if (each.function, each.rule) == (function, rule))
        verdict = bench.judge("timekeeping", broken.apply(unit.text), mutants.TRIALS)
        assert verdict.word == "reported" and said in verdict.by, f"{function}: {verdict}"


def test_a_break_is_tried_with_what_check_runs_by_default() -> None:
    given = check.parse(["tree"])
    assert (given.ticks, given.seed, given.hz) == (mutants.CHECK_TICKS, mutants.CHECK_SEED, 1000)
    tried = {trial.arguments for trial in mutants.TRIALS if trial.program == DIFF}
    seeds, each = pairs.pieces(given.ticks, given.seed)
    assert tried == {("--random", str(seed), str(each)) for seed in seeds}


def test_each_of_our_own_files_has_something_that_judges_it() -> None:
    own = ownwork.files()
    assert {"tk/native/ntp.c", "tk/reference.c", "vmclock/page.c", "lib/stats.c"} <= set(own)
    for file in own:
        steps = ownwork.steps_of(file, ("lift/x", "lift/x-pps"), ROOT / "build")
        scripts = [word for step in steps for word in step.trial.arguments if word.endswith(".py")]
        assert all(Path(script).exists() for script in scripts)
        # A core is compared before anything else, and hardpps() with a kernel that has it.
        if "native" in file:
            assert steps[0].goal == f"lift/x{'-pps' if 'pps.c' in file else ''}/{DIFF}"
        else:
            assert scripts and steps[0].trial.name == "properties"
        assert breaks.find(file, (ROOT / file).read_text()), f"{file}: nothing to break"


def judged(bench: ownwork.OwnBench, file: str, function: str, rule: str) -> Verdict:
    """What becomes of the function's first break of a rule."""
    text = (ROOT / file).read_text()
    broken = next(each for each in breaks.find(file, text) if (each.function, each.rule) == (function, rule))
    return bench.judge(file.removesuffix(".c"), broken.apply(text), ())


def test_our_own_page_is_judged_by_its_properties(tmp_path: Path) -> None:
    bench = ownwork.OwnBench(make("own-tools"), tmp_path / "0", [], ["vmclock/mailbox.c"])
    verdict = judged(bench, "vmclock/mailbox.c", "mailbox_post", "sign")
    assert (verdict.word, verdict.by) == ("reported", "properties: a_post_has_the_next_number_and_a_verdict_its_own")
    text = (ROOT / "vmclock/mailbox.c").read_text()
    assert bench.judge("vmclock/mailbox", text.replace("{", "{ )", 1), ()).word == "uncompilable"
    assert bench.judge("vmclock/mailbox", text + "\n/* no code */\n", ()).word == "same"
    assert not bench.unsound(), "the whole file is not put back"


def test_a_reading_that_native_lacks_differs_from_a_kernel_that_has_it(tmp_path: Path) -> None:
    done = lifted(NEWEST, 1000, DIFF).folder.resolve()
    build = done.parents[2]
    bench = ownwork.OwnBench(build, tmp_path / "0", [str(done.relative_to(build))], ["tk/native/clocks.c"])
    verdict = judged(bench, "tk/native/clocks.c", "vdso", "drop")
    assert (verdict.word, verdict.by) == ("reported", "comparison: has vDSO clock_gettime(REALTIME)")


def test_a_function_that_is_not_there_is_an_error() -> None:
    done = subprocess.run(
        [str(ROOT / "tickbench"), "mutants", "--build", str(lifted(NEWEST, 1000).folder.parents[2]),
         "--function", "no_such", NEWEST.word], cwd=ROOT, env=plain_environment(), capture_output=True, text=True)
    assert done.returncode == 2 and "have no function no_such" in done.stderr
