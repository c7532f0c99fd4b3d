# SPDX-License-Identifier: GPL-2.0-or-later
"""What kbuild prepares for a configuration of a tree (.config, generated headers, saved commands), kept and used
again: for the same tree after an edit, for another revision of it, for another tree. It is used for a tree if all
files that decide what it contains have the same contents there. Which files these are is read from what kbuild
writes down; where it writes nothing (Makefiles, scripts), all are taken.

The sizes of structures (bounds.h, asm-offsets.h) depend on hundreds of headers. If one of these has changed, the
assembly from which kbuild takes the sizes is made again with the saved commands: only if a size differs too is
the rest prepared again.

An entry: lifts/kbuild/VARIANT/N/ with out/ (kbuild's O=), manifest.json and lock."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from runner.lift import kbuild
from runner.lift.digests import Digests, of_text
from runner.lift.kbuild import UNITS, Variant

KEPT = 8  # entries of a variant
ACCEPTED = 16  # sets of headers that are known to give the same sizes
# Wrappers are generated for what an architecture does not have, so the names decide.
NAMED = ("include/asm-generic", "include/uapi/asm-generic", "arch/x86/include/asm", "arch/x86/include/uapi/asm",
         "arch/um/include/asm", "arch/um/include/uapi/asm", "arch/x86/um/asm")
# Folders of which every file counts, and folders of which the Makefiles count.
WHOLE = ("scripts",)
MAKEFILES = ("arch/x86", "arch/um", "include")
SINGLE = ("Makefile", "Kbuild", "kernel/Makefile", "kernel/time/Makefile", "kernel/time/timeconst.bc",
          "localversion", "kernel/bounds.c")
# Of scripts/, what prepares nothing.
UNUSED = ("scripts/coccinelle", "scripts/gdb", "scripts/kconfig/tests", "scripts/package", "scripts/dtc",
          "scripts/gcc-plugins", "scripts/selinux", "scripts/tracing", "scripts/ksymoops")


@dataclass
class Manifest:
    """The files that decide what an entry contains, by their names in the tree, with digests."""

    tree: str  # that it was prepared for, and whose path stands in its commands
    asked: str  # configuration and compiler
    made_ns: int
    fixed: dict[str, str] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    # Each with the contents of all headers that the sizes depend on.
    accepted: list[dict[str, str]] = field(default_factory=list)

    def key(self) -> str:
        """The same for all trees that the entry serves, another once the entry has been made anew."""
        return of_text(json.dumps([self.asked, self.fixed, self.folders]))


def _asked(variant: Variant) -> str:
    return of_text(json.dumps([variant.arch, kbuild.fragment(variant), kbuild.compiler()]))


def _under(tree: Path, name: str) -> Iterator[str]:
    """The files of a folder, by their names in the tree."""
    for base, folders, files in os.walk(tree / name, followlinks=True):
        relative = os.path.relpath(base, tree)
        folders[:] = [each for each in folders if f"{relative}/{each}" not in UNUSED]
        yield from (f"{relative}/{each}" for each in files)


def _is_makefile(name: str) -> bool:
    return os.path.basename(name).startswith(("Makefile", "Kbuild"))


def _inside(tree: Path, names: list[str]) -> set[str]:
    """Names of files in the tree, relative to it."""
    prefix = f"{tree}/"
    return {os.path.normpath(name[len(prefix):]) for name in names if name.startswith(prefix)}


def _size_files(out: Path) -> list[Path]:
    """The .cmd files of the assembly that sizes are taken from. Those of scripts/ serve the build's programs."""
    return [path for path in out.rglob(".*.s.cmd") if "scripts" not in path.relative_to(out).parts]


def _deciding(tree: Path, out: Path) -> set[str]:
    """The names of the files that decide what kbuild prepares, without what the sizes depend on."""
    names = set(SINGLE)
    for folder in WHOLE:
        names |= set(_under(tree, folder))
    for folder in MAKEFILES:
        names |= {name for name in _under(tree, folder) if _is_makefile(name)}
    kconfig = re.search(r"^deps_config := \\\n((?:\t.*\n)+)",
                        (out / "include/config/auto.conf.cmd").read_text(errors="replace"), re.MULTILINE)
    listed = [line.strip(" \t\\") for line in kconfig.group(1).splitlines()] if kconfig else []
    names |= {name.removeprefix(f"{tree}/") for name in listed if not name.startswith("/")}
    names |= _inside(tree, listed)
    units = {f".{unit}.i.cmd" for unit in UNITS}
    # What is in the tree and stands in a command: tables and scripts that headers are generated from.
    mention = re.compile(rf"{re.escape(str(tree))}/[^\s\"')=;|>]+")
    for path in out.rglob(".*.cmd"):
        if path.name in units or path.name.endswith(".s.cmd") or path.is_dir():
            continue
        found = _inside(tree, mention.findall(path.read_text(errors="replace").split("\n", 1)[0]))
        names |= {name for name in found if (tree / name).is_file()}
    return names - {""}


def _size_headers(tree: Path, out: Path) -> set[str]:
    return set().union(*(_inside(tree, kbuild.saved_dependencies(path)) for path in _size_files(out)))


def _sizes(assembly: Path) -> list[str]:
    """What a file of assembly says of sizes: kbuild's own marks, or lines that sed makes a header of."""
    return [line for line in assembly.read_text(errors="replace").splitlines() if "->" in line]


class Entry:
    """One of the things prepared."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder, folder / "out"

    def read(self) -> Manifest | None:
        try:
            return Manifest(**json.loads((self.folder / "manifest.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, manifest: Manifest) -> None:
        new = self.folder / f"manifest.{os.getpid()}"
        new.write_text(json.dumps(asdict(manifest)))
        new.rename(self.folder / "manifest.json")

    @contextmanager
    def locked(self, how: int) -> Iterator[None]:
        """LOCK_SH while it is used, LOCK_EX while it is made."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, how)
            yield


@dataclass(frozen=True)
class Prepared:
    """An entry that serves a tree."""

    entry: Entry
    manifest: Manifest
    tree: Path

    @property
    def out(self) -> Path:
        """Where its commands run."""
        return self.entry.out.resolve()

    @property
    def key(self) -> str:
        return self.manifest.key()

    def command(self, unit: str) -> list[str]:
        """The compiler and its flags for a unit of this tree."""
        return kbuild.moved(kbuild.command(self.out, unit), Path(self.manifest.tree), self.tree)


def _same_sizes(prepared: Prepared, digests: Digests) -> bool:
    """Makes the assembly of the sizes again, with this tree's headers: whether no size differs."""
    scratch = prepared.entry.folder / f"sizes.{os.getpid()}"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    made: list[tuple[Path, Path, subprocess.Popen[bytes]]] = []
    try:
        for number, path in enumerate(_size_files(prepared.out)):
            words = kbuild.moved(kbuild.saved_command(path), Path(prepared.manifest.tree), prepared.tree)
            if "-o" not in words:
                return False
            old = prepared.out / words[words.index("-o") + 1]
            new = scratch / f"{number}.s"
            words[words.index("-o") + 1] = str(new)
            words = [f"-Wp,-MMD,{scratch}/{number}.d" if word.startswith("-Wp,-M") else word for word in words]
            made.append((old, new, subprocess.Popen(
                words, cwd=prepared.out, env=kbuild.environment(), stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)))
        done = [child.wait() == 0 for _, _, child in made]
        if not all(done) or any(_sizes(old) != _sizes(new) for old, new, _ in made):
            return False
        names: set[str] = set()
        for each in scratch.glob("*.d"):
            words = each.read_text(errors="replace").replace("\\\n", " ").split()
            if any("/../" in word and os.path.realpath(word) != os.path.realpath(os.path.normpath(word))
                   for word in words):
                return False  # a tree of links led to another revision's file
            names |= _inside(prepared.tree, words)
        manifest = prepared.manifest
        *later, first = manifest.accepted
        manifest.accepted = [digests.of_all(sorted(names)), *later][:ACCEPTED] + [first]
        prepared.entry.write(manifest)
        return True
    finally:
        for _, _, child in made:
            if child.poll() is None:
                child.kill()
                child.wait()
        shutil.rmtree(scratch, ignore_errors=True)


def _serves(entry: Entry, tree: Path, variant: Variant, digests: Digests) -> Prepared | None:
    manifest = entry.read()
    if not manifest or manifest.asked != _asked(variant) or not digests.same(manifest.fixed):
        return None
    if any(digests.names_in(name) != digest for name, digest in manifest.folders.items()):
        return None
    prepared = Prepared(entry, manifest, tree)
    if any(digests.same(headers) for headers in manifest.accepted) or _same_sizes(prepared, digests):
        return prepared
    return None


def _entries(folder: Path) -> list[Entry]:
    """The latest first."""
    found = [path for path in folder.glob("*") if (path / "manifest.json").exists()]
    return [Entry(path) for path in sorted(found, key=lambda path: -(path / "manifest.json").stat().st_mtime_ns)]


@contextmanager
def _variant_locked(lifts: Path, variant: Variant) -> Iterator[Path]:
    folder = lifts / "kbuild" / variant.kbuild_name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def find(lifts: Path, tree: Path, variant: Variant, digests: Digests) -> Prepared | None:
    """What is prepared already and serves the tree."""
    with _variant_locked(lifts, variant) as folder:
        for entry in _entries(folder):
            found = _serves(entry, tree, variant, digests)
            if found:
                os.utime(entry.folder / "manifest.json")
                return found
    return None


def _own(folder: Path, tree: Path, variant: Variant, digests: Digests) -> Entry | None:
    """The entry that was made for this tree, if make can bring it up to date: it goes by modification times, so
    nothing that has changed may be older than the entry."""
    for entry in _entries(folder):
        manifest = entry.read()
        if not manifest or manifest.tree != str(tree) or manifest.asked != _asked(variant):
            continue
        before = manifest.fixed | (manifest.accepted[-1] if manifest.accepted else {})
        for name, digest in before.items():
            try:
                newer = (tree / name).stat().st_mtime_ns > manifest.made_ns
            except OSError:
                return None
            if digests.of(name) != digest and not newer:
                return None
        return entry
    return None


def _remove_old(folder: Path) -> None:
    for entry in _entries(folder)[KEPT - 1:]:
        with (entry.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue  # in use
            shutil.rmtree(entry.folder, ignore_errors=True)


def _contents(tree: Path, names: set[str], since_ns: int, digests: Digests) -> dict[str, str]:
    """The digests of what was read. A file that was written meanwhile has one that no content has."""
    found = digests.of_all(sorted(names))
    for name in found:
        try:
            if (tree / name).stat().st_mtime_ns >= since_ns:
                found[name] = "written meanwhile"
        except OSError:
            pass
    return found


def make(lifts: Path, tree: Path, variant: Variant, digests: Digests) -> Prepared:
    """Prepares a configuration of the tree. CannotRun with kbuild's words if that fails."""
    with _variant_locked(lifts, variant) as folder:
        entry = _own(folder, tree, variant, digests)
        if not entry:
            _remove_old(folder)
            taken = [int(path.name) for path in folder.iterdir() if path.name.isdigit()]
            entry = Entry(folder / str(max(taken, default=0) + 1))
        with entry.locked(fcntl.LOCK_EX):
            (entry.folder / "manifest.json").unlink(missing_ok=True)
            entry.out.mkdir(exist_ok=True)
            manifest = Manifest(str(tree), _asked(variant), 0)
            try:
                kbuild.make(tree, entry.out.resolve(), variant)
            except BaseException:
                shutil.rmtree(entry.folder, ignore_errors=True)
                raise
            manifest.made_ns = (entry.out / "wanted.config").stat().st_mtime_ns
            manifest.fixed = _contents(tree, _deciding(tree, entry.out), manifest.made_ns, digests)
            manifest.folders = {name: digests.names_in(name) for name in NAMED}
            manifest.accepted = [_contents(tree, _size_headers(tree, entry.out), manifest.made_ns, digests)]
            entry.write(manifest)
        return Prepared(entry, manifest, tree)
