# SPDX-License-Identifier: GPL-2.0-or-later
"""Patches as people have them, and git's applying them in a repository of our own: an mbox of a mailing list, a
folder, a range; a plain folder as base, and a git tree that must stay as it was."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path

import pytest

from liftable import git
from runner.errors import CannotRun, Problem
from runner.study import bench_patches, own_git, patches
from runner.study.series import BUILD_FILES

TEXT = "one\ntwo\nthree\nfour\nfive\nsix\n"


def diff_of(path: str, before: str, after: str) -> str:
    """A diff that changes one line of TEXT."""
    at = TEXT.splitlines().index(before)
    context = TEXT.splitlines()
    lines = [f"-{each}\n+{after}\n" if n == at else f" {each}\n" for n, each in enumerate(context)]
    return (f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1,{len(context)} +1,{len(context)} @@\n"
            + "".join(lines))


def mail(subject: str, body: str, headers: str = "", identity: str = "") -> str:
    return (f"From mboxrd@z Thu Jan  1 00:00:00 1970\nFrom: A <a@localhost>\nMessage-ID: <{identity or subject}>\n"
            f"Date: Thu, 1 Jan 2026 00:00:00 +0000\nSubject: {subject}\n{headers}\n{body}\n")


def subjects(found: list[patches.Patch]) -> list[str]:
    return [patch.subject for patch in found]


def mbox() -> str:
    """A thread: a cover letter, two patches out of order, replies, an older version, a mail without a diff."""
    one, two = diff_of("f", "one", "ONE"), diff_of("f", "six", "SIX")
    return "".join([
        mail("[PATCH v3 0/2] a series", "what it is for\n f | 2 +-\n"),
        mail("[PATCH v2 1/2] old", "words\n---\n" + diff_of("f", "two", "OLD")),
        mail("[PATCH v3 2/2] second", "words\n---\n" + two),
        mail("Re: [PATCH v3 2/2] second", "> a quoted line\n" + two, "In-Reply-To: <x>\n"),
        mail("[PATCH v3 1/2] first", "words\n>From here on\n---\n" + one),
        mail("[PATCH v3 1/2] first", "words\n---\n" + one),
        mail("a question", "no diff in here"),
        mail("a question", one, "In-Reply-To: <x>\n"),
    ])


def test_mbox_of_a_list_gives_the_newest_version_in_order_without_cover_letter_and_replies(tmp_path: Path) -> None:
    (tmp_path / "t.mbox").write_text(mbox())
    (tmp_path / "t.mbox.gz").write_bytes(gzip.compress(mbox().encode()))
    assert subjects(patches.read(str(tmp_path / "t.mbox"))) == ["first", "second"]
    assert subjects(patches.read(str(tmp_path / "t.mbox.gz"))) == ["first", "second"]


@pytest.mark.parametrize("subject, expected", [
    ("[PATCH v3 2/7] tk: words", ("tk: words", 2, 7, 3, True)),
    ("[RFC PATCH 01/12] x", ("x", 1, 12, 1, True)),
    ("[tip: timers] [PATCH net-next v10 0/3] x", ("x", 0, 3, 10, True)),
    ("[PATCH] x [1/2]", ("x [1/2]", 0, 0, 1, True)),
    ("x", ("x", 0, 0, 1, False)),
])
def test_subjects(subject: str, expected: tuple[str, int, int, int, bool]) -> None:
    assert patches.parse_subject(subject) == expected


def test_multi_part_and_encoded_mails_are_applied(tmp_path: Path) -> None:
    """One part in base64, another mail in several parts, of which one has the diff."""
    tree = plain_tree(tmp_path)
    encoded = base64.encodebytes(("words\n---\n" + diff_of("kernel/time/f", "one", "ONE")).encode()).decode()
    parts = ("--b\nContent-Type: text/plain\n\nwords\n--b\nContent-Type: text/x-patch\n\n"
             + diff_of("kernel/time/g", "six", "SIX") + "\n--b--\n")
    box = tmp_path / "t.mbox"
    box.write_text(mail("[PATCH 1/2] =?utf-8?q?gr=C3=B6=C3=9Fer?=", encoded, "MIME-Version: 1.0\nContent-Type: "
                        "text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n")
                   + mail("[PATCH 2/2] parts", parts, "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n"))
    found = patches.read(str(box))
    assert subjects(found) == ["größer", "parts"]
    repository, _ = based_on(tree, tmp_path)
    done = [own_git.apply(repository, patch.mail) for patch in found]
    assert all(each.ok for each in done), [each.said for each in done]
    assert repository.ask("show", "HEAD:kernel/time/f").startswith("ONE")
    assert repository.ask("show", "HEAD:kernel/time/g").endswith("SIX")


def test_folder_in_the_order_of_names_or_of_its_series_file(tmp_path: Path) -> None:
    folder = tmp_path / "patches"
    folder.mkdir()
    (folder / "0000-cover-letter.patch").write_text(mail("[PATCH 0/2] cover", "words"))
    (folder / "0002-b.patch").write_text(mail("[PATCH 2/2] b", "words\n---\n" + diff_of("f", "two", "b")))
    (folder / "0001-a.patch").write_text(mail("[PATCH 1/2] a", "words\n---\n" + diff_of("f", "one", "a")))
    (folder / "0003-bare.diff").write_text(diff_of("f", "six", "c"))
    (folder / "notes.txt").write_text("no patch")
    assert subjects(patches.read(str(folder))) == ["a", "b", "0003-bare"]
    (folder / "series").write_text("# quilt\n0003-bare.diff\n0001-a.patch -p1\n")
    assert subjects(patches.read(str(folder))) == ["0003-bare", "a"]


def test_what_holds_no_patch_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("no patch")
    for word in (tmp_path / "empty", tmp_path / "text", tmp_path / "absent", "a..b"):
        with pytest.raises(CannotRun) as caught:
            patches.read(str(word))
        assert caught.value.problem is Problem.PATCHES


def plain_tree(tmp_path: Path) -> Path:
    """A folder that is no git tree, with a kernel's names."""
    tree = tmp_path / "plain"
    for name in ("kernel/time/timekeeping.c", "kernel/time/f", "kernel/time/g", "Documentation/d", "Makefile",
                 "Kconfig"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(TEXT)
    return tree


def based_on(tree: Path, tmp_path: Path, also: tuple[str, ...] = ()) -> tuple[own_git.Repository, str]:
    repository = own_git.create(tmp_path / "own")
    commit = own_git.take_files(repository, tree, also)
    own_git.start_at(repository, commit)
    return repository, commit


def state(tree: Path) -> dict[str, tuple[int, bytes]]:
    """All files of a tree, with their modification times; git renews the times of objects that it meets again."""
    return {str(path): (0 if "objects" in path.parts else path.stat().st_mtime_ns, path.read_bytes())
            for path in sorted(tree.rglob("*")) if path.is_file()}


def of_text(text: str) -> bytes:
    return mail("[PATCH] x", "words\n---\n" + text).encode()


def test_git_applies_on_a_folder_that_is_no_git_tree_and_leaves_it_alone(tmp_path: Path) -> None:
    tree = plain_tree(tmp_path)
    before = state(tree)
    repository, base = based_on(tree, tmp_path, ("Documentation/d",))
    done = own_git.apply(repository, of_text(diff_of("kernel/time/f", "one", "ONE")
                                             + diff_of("Documentation/d", "two", "TWO")))
    assert done.ok and done.commit != base and not done.left_out, done.said
    assert repository.files(base, done.commit) == ["Documentation/d", "kernel/time/f"]
    assert state(tree) == before


def test_the_same_patch_is_the_same_commit(tmp_path: Path) -> None:
    """So that what was lifted and measured of it serves again."""
    tree = plain_tree(tmp_path)
    commits = set()
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        repository, _ = based_on(tree, tmp_path / name)
        commits.add(own_git.apply(repository, of_text(diff_of("kernel/time/f", "one", "ONE"))).commit)
    assert len(commits) == 1


def test_a_patch_that_does_not_apply_is_told_in_gits_words_and_the_next_goes_on(tmp_path: Path) -> None:
    repository, base = based_on(plain_tree(tmp_path), tmp_path)
    wrong = diff_of("kernel/time/f", "one", "ONE").replace(" six", " 6").replace(" two", " 2")
    refused = own_git.apply(repository, of_text(wrong))
    assert not refused.ok and "kernel/time/f: patch does not apply" in refused.said and "hint" not in refused.said
    assert refused.commit == base == repository.ask("rev-parse", "HEAD")
    assert own_git.apply(repository, of_text(diff_of("kernel/time/g", "one", "ONE"))).ok


def test_a_patch_of_another_state_that_was_seen_is_merged(tmp_path: Path) -> None:
    """Also in a tree that is no git tree: as git am --3way does with the object that the patch was made of. The
    second patch stands beside what the first changed; without the first it applies by a merge alone."""
    tree = plain_tree(tmp_path)
    repository, base = based_on(tree, tmp_path)
    first = own_git.apply(repository, of_text(diff_of("kernel/time/f", "two", "2")))
    assert first.ok and not first.merged
    index = repository.ask("rev-parse", "HEAD:kernel/time/f")
    second = diff_of("kernel/time/f", "six", "6").replace(" two", " 2")
    mail_ = of_text(second.replace("--- a/", f"index {index}..{'1' * 40} 100644\n--- a/", 1))
    own_git.start_at(repository, base)
    done = own_git.apply(repository, mail_)
    assert done.ok and done.merged == ("kernel/time/f",), done.said
    assert repository.ask("show", f"{done.commit}:kernel/time/f") + "\n" == TEXT.replace("six", "6")
    assert not [path for path in (tmp_path / "own").iterdir() if path.name != ".git" and path.name != "kernel"]
    # Where both changed the same line, git says so, and nothing is changed.
    own_git.start_at(repository, base)
    assert own_git.apply(repository, of_text(diff_of("kernel/time/f", "six", "SIX"))).ok
    at = repository.ask("rev-parse", "HEAD")
    refused = own_git.apply(repository, mail_)
    assert not refused.ok and "Merge conflict in kernel/time/f" in refused.said and refused.commit == at
    assert repository.ask("rev-parse", "HEAD") == at
    assert own_git.apply(repository, of_text(diff_of("kernel/time/g", "one", "ONE"))).ok


def test_files_in_folders_that_a_part_of_a_tree_lacks_are_left_out(tmp_path: Path) -> None:
    repository, base = based_on(plain_tree(tmp_path), tmp_path)
    driver = diff_of("drivers/clocksource/x.c", "one", "ONE")
    done = own_git.apply(repository, of_text(diff_of("kernel/time/f", "one", "ONE") + driver))
    assert done.ok and done.left_out == ("drivers/clocksource/x.c",), done.said
    assert repository.files(base, done.commit) == ["kernel/time/f"]
    alone = own_git.apply(repository, of_text(driver))
    assert alone.ok and alone.commit == done.commit and alone.left_out == ("drivers/clocksource/x.c",)


def test_a_git_tree_is_read_alone(tmp_path: Path) -> None:
    """Objects are borrowed; checkout, index, references and a bisection of the user's are not touched."""
    tree = plain_tree(tmp_path)
    git(tree, "init", "-q")
    git(tree, "add", ".")
    git(tree, "commit", "-q", "-m", "base")
    (tree / "kernel/time/f").write_text(TEXT.replace("one", "ONE"))
    git(tree, "commit", "-q", "-a", "-m", "time: a range")
    git(tree, "bisect", "start", "HEAD", "HEAD~1")
    (tree / "kernel/time/g").write_text("an edit")
    before = state(tree)
    found = patches.read(f"{tree}@HEAD~1..refs/bisect/bad", None)
    assert subjects(found) == subjects(patches.read("HEAD~1..refs/bisect/bad", tree)) == ["time: a range"]
    repository = own_git.borrow(tmp_path / "own", tree)
    base = git(tree, "rev-parse", "refs/bisect/bad~1")
    own_git.start_at(repository, base)
    done = own_git.apply(repository, found[0].mail)
    assert done.ok and repository.files(base, done.commit) == ["kernel/time/f"], done.said
    assert state(tree) == before


@pytest.mark.parametrize("name, builds", [
    ("kernel/time/Kconfig", True), ("Makefile", True), ("kernel/time/Makefile", True), ("kernel/bounds.c", True),
    ("arch/x86/kernel/asm-offsets_64.c", True), ("scripts/Makefile.extrawarn", True), ("kernel/fork.c", False),
    ("drivers/net/Makefile", False), ("Documentation/Makefile", False),
])
def test_files_that_decide_how_a_unit_is_compiled(name: str, builds: bool) -> None:
    assert bool(BUILD_FILES.search(name)) is builds


def test_a_history_of_whole_kernels_has_an_edit_after_each(tmp_path: Path) -> None:
    """What bench measures bisect far apart on: a file that only the older kernel has is gone with it."""
    kernels = [tmp_path / name for name in ("older", "newer")]
    for kernel in kernels:
        for name in ("Makefile", "Kconfig", "kernel/time/timekeeping.c", f"kernel/only-{kernel.name}.c"):
            (kernel / name).parent.mkdir(parents=True, exist_ok=True)
            (kernel / name).write_text(f"/* {kernel.name} {name} */\n")
    made = own_git.create(tmp_path / "history")
    assert bench_patches.far_history(made, kernels) == 4
    assert made.ask("log", "--reverse", "--format=%s").splitlines() == [
        "all of older", "an edit of older", "all of newer", "an edit of newer"]
    assert [made.files(f"HEAD~{n + 1}", f"HEAD~{n}") for n in (2, 0)] == [["kernel/time/timekeeping.c"]] * 2
    assert made.ask("ls-tree", "-r", "--name-only", "HEAD", "kernel").splitlines() == [
        "kernel/only-newer.c", "kernel/time/timekeeping.c"]
    assert made.ask("show", "HEAD:kernel/time/timekeeping.c").startswith("/* newer kernel/time/timekeeping.c */\n/* An")
