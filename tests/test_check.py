# SPDX-License-Identifier: GPL-2.0-or-later
"""`tickbench check`: each of its verdicts, on a checkout of a kernel with one line edited at test time, and what
the lift keeps from one revision to the next."""

from __future__ import annotations

import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from conftest import ROOT, plain_environment
from liftable import AFTER, BEFORE, UM, git, replace
from runner.errors import CannotRun, Problem, Status
from runner.lift import detect, lift, trees
from runner.report.progress import Work
from runner.study import check, series
from runner.study.head import edit_of

TICKS = 60_000


def judged(tree: Path, build: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit status and what --json prints."""
    done = subprocess.run([str(ROOT / "tickbench"), "check", "--json", "--ticks", str(TICKS), "--build", str(build),
                           *arguments, str(tree)], cwd=ROOT, capture_output=True, text=True, timeout=200,
                          env=plain_environment())
    return done.returncode, json.loads(done.stdout) if done.stdout else {"words": done.stderr}


def test_an_unedited_checkout_passes_with_its_known_claim(checkout: Path, built: Path) -> None:
    status, said = judged(checkout, built)
    assert (status, said["status"], said["edited"], said["head"]) == (0, 0, None, None)
    assert said["native"]["equal"] and said["native"]["ticks"] >= TICKS
    known = [claim for run in said["runs"] for claim in run["claims"] if claim["todo"] and not claim["ok"]]
    # No released kernel lets a tick pass while cycle_interval is 0.
    with_known = [run["scenario"] for run in said["runs"] if any(claim in known for claim in run["claims"])]
    assert with_known == ["recalibrate"]


def test_a_change_of_behaviour_is_told_from_head_by_name_and_amount(checkout: Path, built: Path) -> None:
    replace(checkout / detect.TIMEKEEPING, BEFORE, AFTER)
    status, said = judged(checkout, built)
    assert status == Status.DIFFERS == 3
    assert said["edited"] == {"files": [str(detect.TIMEKEEPING)], "functions": ["timekeeping_adjust"]}
    assert not said["failed"]
    head = said["head"]
    # An error of exactly 0 is now rounded up: mult is one step higher.
    assert {each["field"]: each["by"] for each in head["different"]}["mult"] == 1
    assert head["script"][0].startswith("init ") and len(head["script"]) == 2
    again = subprocess.run(["bash", "-c", head["replay"]], cwd=ROOT, capture_output=True, text=True)
    assert again.returncode == 1 and "ntp_err_mult" in again.stdout


def test_an_edit_that_changes_no_behaviour_is_equal_to_head(checkout: Path, built: Path) -> None:
    with (checkout / detect.TIMEKEEPING).open("a") as source:
        source.write("static int __maybe_unused unused_addition(void) { return 1; }\n")
    status, said = judged(checkout, built)
    assert status == 0
    assert said["head"]["equal"] and said["head"]["ticks"] >= TICKS and said["head"]["fields"] > 20


def test_that_head_is_as_the_native_core_is_found_once(checkout: Path, built: Path) -> None:
    """An edit that is equal to HEAD is not compared with the native core again; one that is not, is."""
    source = checkout / detect.TIMEKEEPING
    seed = "29"  # which no other test has
    found = []
    for name in ("first", "second"):
        source.write_text(source.read_text() + f"static int __maybe_unused {name}_addition(void) {{ return 1; }}\n")
        status, said = judged(checkout, built, "--seed", seed)
        assert status == 0 and said["native"]["equal"] and said["head"]["equal"]
        found.append(said["native"])
    assert [each["through"] for each in found] == [None, "HEAD"]
    assert {**found[0], "through": "HEAD"} == found[1], "what is kept is not what was found"
    replace(source, BEFORE, AFTER)
    status, said = judged(checkout, built, "--seed", seed)
    assert status == 3 and not said["native"]["equal"] and said["native"]["through"] is None


def test_an_edit_that_is_undone_and_made_again_is_judged_anew(checkout: Path, built: Path) -> None:
    """Its object was kept: nothing is compiled, and the comparison's program must be linked all the same."""
    for before, after, expected in ((BEFORE, AFTER, 3), (AFTER, BEFORE, 0), (BEFORE, AFTER, 3), (AFTER, BEFORE, 0)):
        replace(checkout / detect.TIMEKEEPING, before, after)
        status, said = judged(checkout, built)
        assert status == expected, said["verdict"]
        assert said["native"]["equal"] is (expected == 0)


def test_a_claim_that_fails_is_named_with_its_scenario(checkout: Path, built: Path) -> None:
    # Ticks accumulate an error of a nanosecond's 1024th each.
    replace(checkout / detect.TIMEKEEPING, "tk->ntp_error += tk->ntp_tick << shift;",
            "tk->ntp_error += (tk->ntp_tick + (1 << 22)) << shift;")
    status, said = judged(checkout, built)
    assert status == 1
    assert {"scenario": "lock", "claim": said["failed"][0]["claim"]} in said["failed"]
    assert not said["head"]["equal"]


def test_an_edit_that_does_not_compile_ends_with_the_compilers_words(checkout: Path, built: Path) -> None:
    with (checkout / detect.NTP).open("a") as source:
        source.write("int broken(void) { return nowhere; }\n")
    status, said = judged(checkout, built)
    assert status == 2
    assert "ntp.c" in said["words"] and "nowhere" in said["words"]


def test_a_worktree_and_a_checkout_in_a_folder_of_another_are_compared_with_their_head(
    checkout: Path, tmp_path: Path
) -> None:
    git(checkout, "worktree", "add", "-q", str(tmp_path / "worktree"), "v1")
    try:
        replace(tmp_path / "worktree" / detect.TIMEKEEPING, BEFORE, AFTER)
        edit = edit_of(tmp_path / "worktree")
    finally:
        git(checkout, "worktree", "remove", "--force", str(tmp_path / "worktree"))
    assert edit and edit.words() == f"{detect.TIMEKEEPING}: timekeeping_adjust()"
    inner = tmp_path / "outer" / "linux"
    for name in (detect.TIMEKEEPING, detect.NTP):
        (inner / name).parent.mkdir(parents=True, exist_ok=True)
        (inner / name).write_text("int f(void)\n{\n\treturn 0;\n}\n")
    git(tmp_path / "outer", "init", "-q")
    assert edit_of(inner) is None
    git(tmp_path / "outer", "add", ".")
    git(tmp_path / "outer", "commit", "-q", "-m", "one")
    assert edit_of(inner) is None
    replace(inner / detect.NTP, "return 0", "return 1")
    edit = edit_of(inner)
    assert edit and (edit.files, edit.functions) == ((str(detect.NTP),), ("f",))


def test_a_neighbouring_revision_is_links_and_needs_neither_kbuild_nor_the_other_unit(
    checkout: Path, scratch: Path
) -> None:
    first = lift.lift(f"{checkout}@v1", UM, scratch, ["linux.o"])
    replace(checkout / detect.TIMEKEEPING, BEFORE, AFTER)
    git(checkout, "commit", "-q", "-a", "-m", "an edit")
    second = lift.lift(f"{checkout}@HEAD", UM, scratch, ["linux.o"])
    assert (second.tree.path / "include").is_symlink() and not (second.tree.path / "kernel/time").is_symlink()
    assert second.stage.timekeeping_sha256 != first.stage.timekeeping_sha256
    kbuild = [(each.folder.parent / "kbuild" / UM.kbuild_name).resolve() for each in (first, second)]
    assert kbuild[0] == kbuild[1]
    objects = [(each.folder / "wrap_ntp.o").read_bytes() for each in (first, second)]
    assert objects[0] == objects[1]
    # An object that was made before is known to read the same files: series asks which patches matter.
    read = [(each.folder / "wrap_ntp.dep").read_text().replace(str(each.tree.path), "").replace("\\\n", " ").split()[1:]
            for each in (first, second)]
    assert "/kernel/time/ntp_internal.h" in read[0] and "/kernel/time/ntp_internal.h" in read[1]
    assert series.compiled_files(first) == series.compiled_files(second)
    last = [(each.folder / f"wrap_{name}.command").read_text().splitlines()[-1]
            for name in ("ntp", "timekeeping") for each in (first, second)]
    assert last[0] == last[1] and last[2] != last[3]


@pytest.mark.parametrize(("name", "before", "after", "anew"), [
    ("kernel/time/Kconfig", "config POSIX_AUX_CLOCKS", "config POSIX_AUX_CLOCKS_RENAMED", True),
    ("kernel/time/Makefile", "obj-y", "CFLAGS_timekeeping.o += -DSEEN=1\nobj-y", True),
    ("include/linux/timekeeping.h", "#include <linux/errno.h>", "#include <linux/errno.h>\n#define SEEN 1", False),
    ("include/linux/mmzone.h", "enum zone_type {", "enum zone_type {\n\tZONE_ADDED,", True),
], ids=["kconfig", "makefile", "header", "sizes"])
def test_only_what_changes_the_preparation_makes_it_anew(
    checkout: Path, scratch: Path, name: str, before: str, after: str, anew: bool
) -> None:
    """A header that sizes depend on counts if a size changes: bounds.h has the number of zones."""
    digests = lift.Digests
    lifts = (scratch / "lift").resolve()

    def serves() -> bool:
        found = lift.prepared.find(lifts, checkout, UM, digests(checkout, scratch / "digests.json"))
        return found is not None

    lift.lift(str(checkout), UM, scratch, ["linux.o"])
    assert serves()
    source = checkout / name
    old = source.stat()
    text = source.read_text()
    replace(source, before, after)
    assert serves() is not anew
    # Put back, with its old time as well, it is what it was.
    source.write_text(text)
    os.utime(source, ns=(old.st_atime_ns, old.st_mtime_ns))
    assert serves()


def test_a_tree_that_defines_a_symbol_of_the_shim_has_its_own_linked(checkout: Path, scratch: Path) -> None:
    with (checkout / detect.TIMEKEEPING).open("a") as source:
        source.write("void clock_was_set(unsigned int bases);\n"
                     "void clock_was_set(unsigned int bases) { tk_core.timekeeper.cs_was_changed_seq += bases; }\n")
    done = lift.lift(str(checkout), UM, scratch, ["linux.o"])
    symbols = subprocess.run(["nm", str(done.folder / "linux.o")], capture_output=True, text=True, check=True).stdout
    assert [line.split()[1] for line in symbols.splitlines() if line.endswith(" clock_was_set")] in (["t"], ["T"])


def test_a_list_of_trees_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotRun) as caught:
        check.main(["a,b", "--build", str(tmp_path)])
    assert caught.value.problem is Problem.USAGE


def test_a_tree_without_git_is_judged_by_the_native_core() -> None:
    assert edit_of(Path("/proc")) is None
    assert trees.words("7.3") == ["7.3"]


def test_the_longest_programs_run_first() -> None:
    tasks = [check.Task(name, ("echo", name), seconds) for name, seconds in (("b", 2.0), ("c", 1.0), ("a", 3.0))]
    with Work(Console(file=io.StringIO()), "check", None) as work:
        done = check.run_tasks(tasks, 1, work)
    assert [(task.name, status, said) for task, status, said, _ in done] == [
        ("a", 0, "a\n"), ("b", 0, "b\n"), ("c", 0, "c\n")]
