# SPDX-License-Identifier: GPL-2.0-or-later
"""What the word after LINUX= means: a path (the tree as it stands), PATH@REV (any git revision,
without touching the checkout), or a release that Debian packages. Assumes git only for trees that
have a .git; a tree is never written to."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from runner.errors import CannotRun, Problem
from runner.lift import debian, linkfarm, overlay
from runner.lift.detect import NTP, TIMEKEEPING
from runner.lift.overlay import GIT, PATHSPECS
from runner.report.names import kernel_name

RELEASE = re.compile(r"\d+\.\d+(\.\d+)?")
VERSION = re.compile(r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION)\s*=[ \t]*(\S*)", re.MULTILINE)


@dataclass(frozen=True)
class Tree:
    """A kernel's sources, ready for kbuild."""

    label: str  # for people
    folder: str  # for file names
    path: Path
    kernel: str  # 7.3.4
    revision: str  # git's, or the package's; empty if it has none
    # Of a revision: the repository and the commit that it was unpacked from.
    origin: tuple[Path, str] | None = None

    def name(self) -> str:
        """For people who compare several: the tree, and which revision of it."""
        return kernel_name(self.label, self.kernel, self.revision)


def words(text: str) -> list[str]:
    """LINUX=a,b,c"""
    return [word for word in text.split(",") if word]


def release_of(tree: Path) -> str:
    """What `make kernelversion` says."""
    try:
        found = dict(VERSION.findall((tree / "Makefile").read_text(errors="replace")))
    except OSError:
        found = {}
    if not {"VERSION", "PATCHLEVEL"} <= set(found):
        raise CannotRun(Problem.LIFT_TREE, f"{tree} has no kernel's Makefile")
    parts = (found.get(part) for part in ("VERSION", "PATCHLEVEL", "SUBLEVEL"))
    return ".".join(part for part in parts if part) + found.get("EXTRAVERSION", "")


def _git(tree: Path, *arguments: str) -> str | None:
    """git's answer, None if it has none."""
    try:
        done = subprocess.run([*GIT, "-C", str(tree), *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _revision(tree: Path) -> str:
    """What git says of the sources that matter; quick also in a big tree."""
    if not (tree / ".git").exists():
        return ""
    described = _git(tree, "describe", "--tags", "--always", "HEAD") or ""
    dirty = _git(tree, "status", "--porcelain", "--", "kernel/time", "include/linux")
    return f"{described}-dirty" if described and dirty else described


def _check(tree: Path) -> None:
    for source in (TIMEKEEPING, NTP):
        if not (tree / source).is_file():
            raise CannotRun(Problem.LIFT_TREE, f"{tree} has no {source}")


def _folder(path: Path) -> str:
    """A name for a path: its last part, told from others of that name."""
    plain = re.sub(r"[^A-Za-z0-9._+-]", "_", path.name) or "linux"
    return f"{plain}-{hashlib.sha256(str(path).encode()).hexdigest()[:6]}"


def _from_path(path: Path, lifts: Path) -> Tree:
    _check(path)
    if re.search(r"[\s:]", str(path)):
        raise CannotRun(Problem.LIFT_TREE,
                        f"kbuild cannot work in \"{path}\", which has a space or a colon in it")
    name = _folder(path)
    kernel = release_of(path)
    source = path
    if linkfarm.built_in_place(path):
        source = linkfarm.plant(path, lifts / name / "tree")
    return Tree(path.name, name, source, kernel, _revision(path))


def _from_revision(path: Path, revision: str, lifts: Path) -> Tree:
    if not shutil.which("git"):
        raise CannotRun(Problem.LIFT_TOOL, "a revision of a tree needs git")
    commit = _git(path, "rev-parse", "--verify", "--quiet", "--end-of-options",
                  f"{revision}^{{commit}}")
    if not commit:
        raise CannotRun(Problem.LIFT_TREE, f"{path} has no revision {revision}")
    name = f"{_folder(path)}@{commit[:12]}"
    tree = lifts / name / "tree"
    if not tree.exists():  # it is there whole or not at all
        if not overlay.lay(lifts, _folder(path), path, commit, tree):
            _extract(path, commit, tree)
    _check(tree)
    described = _git(path, "describe", "--tags", "--always", commit) or commit[:12]
    return Tree(f"{path.name}@{revision}", name, tree, release_of(tree), described, (path, commit))


def complete(tree: Tree) -> None:
    """Before kbuild prepares a tree: one that is links to another revision's files becomes whole, as scripts
    may find the other revision's files through a link to a folder."""
    if tree.origin and not overlay.is_whole(tree.path):
        path, commit = tree.origin
        shutil.rmtree(tree.path)
        _extract(path, commit, tree.path)


def _extract(path: Path, commit: str, tree: Path) -> None:
    """The needed part of a revision; whole or not at all."""
    new = tree.with_name("tree.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    present = set((_git(path, "ls-tree", "--name-only", commit, "--", *(
        spec for spec in PATHSPECS if not spec.startswith(":"))) or "").splitlines())
    overlay.unpack(path, commit, [spec for spec in PATHSPECS if spec.startswith(":") or spec in present], new)
    new.rename(tree)
    overlay.mark_whole(tree, commit)


def resolve(word: str, lifts: Path) -> Tree:
    """The tree that a word names. `lifts` is our folder for what must be unpacked or linked."""
    path = Path(word).expanduser()
    if path.is_dir():
        return _from_path(path.resolve(), lifts)
    before, at, revision = word.rpartition("@")
    if at and Path(before).expanduser().is_dir():
        return _from_revision(Path(before).expanduser().resolve(), revision, lifts)
    if RELEASE.fullmatch(word):
        package = debian.fetch(word)
        _check(package.tree)
        return Tree(f"linux-{release_of(package.tree)}", f"debian-{package.version}", package.tree,
                    release_of(package.tree), package.version)
    raise CannotRun(Problem.LIFT_TREE, f"there is no tree \"{word}\"")
