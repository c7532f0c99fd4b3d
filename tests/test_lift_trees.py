# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a kernel's tree comes from: a checkout, a revision of one, a tree that was built in place. The
user's tree is left as it was, and what is no tree is refused with the reason."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from liftable import AFTER, BEFORE, SOURCES, UM, git, metric, refused, replace, sha256, simulate
from runner.errors import Problem
from runner.lift import detect, kbuild, lift, linkfarm, trees


def test_a_checkout_is_lifted_with_its_uncommitted_edit_and_left_alone(
    checkout: Path, scratch: Path
) -> None:
    replace(checkout / detect.TIMEKEEPING, BEFORE, AFTER)
    done = lift.lift(str(checkout), UM, scratch)
    assert done.stage.timekeeping_sha256 == sha256((checkout / detect.TIMEKEEPING).read_bytes())
    assert done.tree.revision == "v1-dirty"
    assert git(checkout, "status", "--porcelain", "--ignored") == f"M {detect.TIMEKEEPING}"
    assert metric(simulate(done.folder, "scenario=lock", "duration=5"), "max_abs_ns") < 0.2


def test_a_revision_is_lifted_while_the_checkout_is_elsewhere(checkout: Path, scratch: Path) -> None:
    released = sha256((checkout / detect.TIMEKEEPING).read_bytes())
    replace(checkout / detect.TIMEKEEPING, BEFORE, AFTER)
    done = lift.lift(f"{checkout}@v1", UM, scratch)
    assert done.stage.timekeeping_sha256 == released
    assert (done.tree.kernel, done.tree.revision) == (trees.release_of(checkout), "v1")
    assert sha256((checkout / detect.TIMEKEEPING).read_bytes()) != released
    assert git(checkout, "status", "--porcelain", "--ignored") == f"M {detect.TIMEKEEPING}"


def test_trees_of_one_name_are_told_apart_and_two_words_for_one_are_one(
    checkout: Path, scratch: Path, tmp_path: Path
) -> None:
    other = tmp_path / checkout.name
    other.symlink_to(checkout)
    git(checkout, "branch", "-f", "topic/a")
    words = [str(checkout), str(other), f"{checkout}@v1", f"{checkout}@topic/a"]
    made = lift.images(words, 1000, "sim", scratch, lambda text: None)
    # The link is the same tree, and topic/a the same commit as v1.
    assert [image.label for image in made] == ["linux", "linux@topic_a"]
    assert all(image.sim.exists() for image in made)


def listing(tree: Path) -> dict[str, tuple[int, int]]:
    return {str(path.relative_to(tree)): (path.lstat().st_mtime_ns, path.lstat().st_size)
            for path in tree.rglob("*") if ".git" not in path.parts and not path.is_dir()}


def test_a_tree_built_in_place_is_lifted_and_left_alone(
    checkout: Path, scratch: Path, tmp_path: Path
) -> None:
    make = ["make", "-s", "-j2", "-C", str(checkout), "ARCH=um"]
    options = tmp_path / "options"
    options.write_text(kbuild.fragment(UM))
    for goals in ([f"KCONFIG_ALLCONFIG={options}", "allnoconfig"],
                  ["kernel/time/ntp.o", "kernel/time/timekeeping.o"]):
        subprocess.run([*make, *goals], check=True, capture_output=True, env=kbuild.environment())
    assert linkfarm.built_in_place(checkout)
    before = listing(checkout)
    done = lift.lift(str(checkout), UM, scratch)
    assert listing(checkout) == before
    assert metric(simulate(done.folder, "scenario=lock", "duration=5"), "max_abs_ns") < 0.2
    # An edit goes through the links.
    replace(checkout / detect.TIMEKEEPING, BEFORE, AFTER)
    again = lift.lift(str(checkout), UM, scratch)
    assert again.stage.timekeeping_sha256 == sha256((checkout / detect.TIMEKEEPING).read_bytes())


def test_a_folder_without_a_kernel_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, tmp_path / "build")
    assert error.problem is Problem.LIFT_TREE
    assert "has no kernel/time/timekeeping.c" in error.sentence


def test_a_word_that_means_nothing_is_refused(tmp_path: Path) -> None:
    assert refused("no/such/tree", tmp_path).sentence == 'there is no tree "no/such/tree"'


def test_a_revision_that_is_not_there_is_refused(checkout: Path, scratch: Path) -> None:
    assert "has no revision v9.99" in refused(f"{checkout}@v9.99", scratch).sentence


def test_a_revision_that_is_no_kernel_is_refused_each_time_in_the_same_words(tmp_path: Path) -> None:
    """What was unpacked of it stays."""
    tree = tmp_path / "linux"
    for source in [*map(str, SOURCES), "lib/Kconfig"]:
        (tree / source).parent.mkdir(parents=True, exist_ok=True)
        (tree / source).touch()
    git(tree, "init", "-q")
    git(tree, "add", "-A")
    git(tree, "commit", "-qm", "two files")
    said = [refused(f"{tree}@HEAD", tmp_path / "build").sentence for _ in range(2)]
    assert "has no kernel's Makefile" in said[0]
    assert said[0] == said[1]


def test_a_path_that_kbuild_cannot_bear_is_refused(tmp_path: Path) -> None:
    tree = tmp_path / "my linux"
    for source in SOURCES:
        (tree / source).parent.mkdir(parents=True, exist_ok=True)
        (tree / source).touch()
    assert "a space" in refused(tree, tmp_path / "build").sentence


def test_farm_links_sources_and_leaves_out_what_was_built(tmp_path: Path) -> None:
    tree, folder = tmp_path / "tree", tmp_path / "farm"
    sources = ("Makefile", "kernel/time/ntp.c", "scripts/basic/fixdep.c", "include/linux/a.h",
               "arch/x86/include/asm/a.h", "drivers/Kconfig")
    products = (".config", "kernel/time/ntp.o", "kernel/time/.ntp.o.cmd", "scripts/basic/fixdep",
                "scripts/basic/.fixdep.cmd", "include/generated/a.h", "include/config/auto.conf",
                "arch/x86/include/generated/a.h", "kernel/bounds.s")
    for name in sources + products:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
    linkfarm.plant(tree, folder)
    assert all((folder / name).read_text() == name for name in sources)
    assert not [name for name in products if (folder / name).exists()]
    # A source that goes, goes from the farm too; one that comes, comes.
    (tree / "kernel/time/ntp.c").unlink()
    (tree / "kernel/time/new.c").write_text("new")
    linkfarm.plant(tree, folder)
    assert not os.path.lexists(folder / "kernel/time/ntp.c")
    assert (folder / "kernel/time/new.c").read_text() == "new"
