# SPDX-License-Identifier: GPL-2.0-or-later
"""Git repositories of our own in the build folder, in which git applies patches. A user's tree is read
alone: a repository of ours borrows the objects of one that is a git tree, and copies the files of one that is not.
Assumes git 2.30 or later."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner import process
from runner.errors import CannotRun, Problem
from runner.lift import trees

# Neither a user's settings nor a system's change what git does here, and the same patch is the same commit each time.
SETTINGS = {
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "nobody", "GIT_AUTHOR_EMAIL": "nobody@localhost", "GIT_AUTHOR_DATE": "@0 +0000",
    "GIT_COMMITTER_NAME": "nobody", "GIT_COMMITTER_EMAIL": "nobody@localhost", "GIT_COMMITTER_DATE": "@0 +0000",
    "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C",
}
# Objects that are used once need no compression, and nothing here has to outlive a crash of the machine.
FAST = ("-c", "core.compression=0", "-c", "core.looseCompression=0", "-c", "core.fsync=none", "-c", "gc.auto=0",
        "-c", "safe.directory=*", "-c", "core.autocrlf=false", "-c", "advice.detachedHead=false")


def environment() -> dict[str, str]:
    """This process's environment, without what tells git where to work."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | SETTINGS


@dataclass(frozen=True)
class Repository:
    """One of our repositories."""

    path: Path

    def run(self, *arguments: str, more: Mapping[str, str] | None = None) -> tuple[int, str]:
        """git's status and its words."""
        return process.hear(["git", *FAST, "-C", str(self.path), *arguments], env=environment() | dict(more or {}))

    def ask(self, *arguments: str) -> str:
        """git's answer; CannotRun with its own words if it has none."""
        status, said = self.run(*arguments)
        if status:
            raise CannotRun(Problem.GIT, f"git {arguments[0]} failed in {self.path}", said)
        return said.strip()

    def files(self, before: str, after: str) -> list[str]:
        """The files in which two commits differ."""
        return self.ask("diff-tree", "-r", "--name-only", "--no-renames", before, after).splitlines()


def create(folder: Path) -> Repository:
    """An empty repository, with nothing in its folder but .git."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    made = Repository(folder)
    made.ask("init", "-q", "--template=")
    return made


def keep(folder: Path) -> Repository:
    """The repository that an earlier command left in the folder, or a new one. Its files and references are of no
    use; objects, and the index of take_files(), save time."""
    made = Repository(folder)
    if not (folder / ".git/HEAD").is_file() or made.run("rev-parse", "--git-dir")[0]:
        return create(folder)
    for lock in (folder / ".git").rglob("*.lock"):  # of a git that was killed
        lock.unlink()
    return made


def borrow(folder: Path, tree: Path) -> Repository:
    """A repository that reads the objects of a git tree; nothing is written there."""
    objects = trees._git(tree, "rev-parse", "--path-format=absolute", "--git-path", "objects")
    if not objects:
        raise CannotRun(Problem.LIFT_TREE, f"{tree} is no git tree")
    made = create(folder)
    (folder / ".git/objects/info").mkdir(parents=True, exist_ok=True)
    (folder / ".git/objects/info/alternates").write_text(f"{objects}\n")
    shallow = trees._git(tree, "rev-parse", "--path-format=absolute", "--git-path", "shallow")
    if shallow and Path(shallow).is_file():
        shutil.copy(shallow, folder / ".git/shallow")
    return made


def take_files(made: Repository, tree: Path, also: Sequence[str]) -> str:
    """Commits what a lift needs of a plain tree, and the files of `also` that it has; the commit."""
    there = [spec for spec in trees.PATHSPECS if spec.startswith(":") or (tree / spec).exists()]
    there += [name for name in also if (tree / name).is_file() and not Path(name).is_absolute() and ".." not in name]
    if not (tree / trees.TIMEKEEPING).is_file():
        raise CannotRun(Problem.LIFT_TREE, f"{tree} has no {trees.TIMEKEEPING}")
    # An index of its own, which patches do not touch: files that have not changed since are not read again.
    where = {"GIT_DIR": str(made.path / ".git"), "GIT_INDEX_FILE": str(made.path / ".git/base-index")}
    status, said = made.run("--work-tree", str(tree), "add", "-A", "--", *there, more=where)
    if status:
        raise CannotRun(Problem.GIT, f"the files of {tree} cannot be read", said)
    status, said = made.run("write-tree", more=where)
    if status:
        raise CannotRun(Problem.GIT, f"the files of {tree} cannot be kept", said)
    return made.ask("commit-tree", "-m", f"{tree.name} as it was found", said.strip())


def start_at(made: Repository, commit: str) -> None:
    """Makes a commit the one that patches go on: it is in the index, and no file is in the folder."""
    made.ask("update-ref", "--no-deref", "HEAD", commit)
    made.run("am", "--quit")
    (made.path / ".git/index").unlink(missing_ok=True)
    for left in made.path.iterdir():
        if left.name != ".git":
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
    made.ask("config", "core.sparseCheckout", "true")
    checkout(made, [])


def checkout(made: Repository, names: Sequence[str]) -> None:
    """Makes these files of HEAD stand in the folder: a merge is made of files."""
    (made.path / ".git/info").mkdir(exist_ok=True)
    (made.path / ".git/info/sparse-checkout").write_text("".join(f"/{name}\n" for name in [".nothing", *names]))
    made.ask("read-tree", "-m", "-u", "HEAD")


@dataclass(frozen=True)
class Applied:
    """What became of one patch."""

    commit: str  # the last good one if it did not apply
    ok: bool
    said: str  # git's own words
    left_out: tuple[str, ...] = ()  # files that the tree lacks
    merged: tuple[str, ...] = ()  # files to which it applies by a three-way merge only


def _touched(made: Repository, mail: Path) -> list[tuple[str, bool]]:
    """The files that a patch changes, each with whether it makes it."""
    status, said = made.run("apply", "--numstat", "--summary", "--allow-empty", str(mail))
    if status:
        return []
    created = set(re.findall(r"^ create mode \d+ (.*)$", said, re.MULTILINE))
    return [(name, name in created) for name in re.findall(r"^(?:\d+|-)\t(?:\d+|-)\t(.*)$", said, re.MULTILINE)]


def apply(made: Repository, mail: bytes) -> Applied:
    """git am --3way of one mail on what HEAD is; the state stays as it was if it fails. A merge needs the files
    that the patch was made of: those of a borrowed tree, and of this tree with any of the patches applied before.
    Files that the tree lacks and the patch does not make are left out, for a tree may be a part of a kernel's."""
    before = made.ask("rev-parse", "HEAD")
    file = made.path / ".git/patch"
    file.write_bytes(mail)
    touched = _touched(made, file)
    names = [name for name, _ in touched]
    known = set(made.ask("ls-files", "--", *names).splitlines()) if names else set()
    parts = {str(parent) for name in made.ask("ls-files").splitlines() for parent in Path(name).parents}
    absent = tuple(name for name, makes in touched if name not in known and not makes
                   and str(Path(name).parent) not in parts)
    if touched and len(absent) == len(touched):
        return Applied(before, True, "", absent)
    status, said = _am(made, file, absent, "--no-3way")
    merged: tuple[str, ...] = ()
    if status:
        _give_up(made, before)
        checkout(made, names)
        status, words = _am(made, file, absent, "--3way")
        merged = tuple(MERGED.findall(words))
        said = words if merged else said  # else there was nothing to merge with
    if status:
        _give_up(made, before)
        return Applied(before, False, _plain(said), absent)
    return Applied(made.ask("rev-parse", "HEAD"), True, "", absent, merged)


def _am(made: Repository, mail: Path, absent: Sequence[str], how: str) -> tuple[int, str]:
    return made.run("am", "--no-gpg-sign", how, "--patch-format=mboxrd", "--committer-date-is-author-date",
                    *(f"--exclude={name}" for name in absent), str(mail))


def _give_up(made: Repository, before: str) -> None:
    made.run("am", "--abort")
    made.run("am", "--quit")
    start_at(made, before)


MERGED = re.compile(r"^Auto-merging (.*)$", re.MULTILINE)
HINTS = ("hint:", "When you have", "If you", "To restore")


def _plain(said: str) -> str:
    """git's words without its hints."""
    return "\n".join(line for line in said.splitlines() if not line.startswith(HINTS))
