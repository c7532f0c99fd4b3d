# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages that a Linux guest is made of: a release's kernel and modules as Debian builds them for virtual
machines, a static busybox, and the daemons that steer a clock, with their libraries. Fetched once, as sources are
(runner/lift/debian.py)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.errors import CannotRun, Problem
from runner.lift import debian

FLAVOUR = "-cloud-amd64"
TOOLS = ("busybox-static", "libc6")


@dataclass(frozen=True)
class Daemon:
    """A daemon that steers the clock: its package, and its program there."""

    package: str
    program: str


DAEMONS = {"phc2sys": Daemon("linuxptp", "phc2sys"), "chrony": Daemon("chrony", "chronyd")}


@dataclass(frozen=True)
class Kernel:
    """What was fetched and unpacked: a folder for each package."""

    version: str  # of the package: 7.3.4-1~bpo13+1
    folders: tuple[Path, ...]

    def find(self, name: str) -> Path:
        """A file by its name, or the last parts of its path; CannotRun if no package has it."""
        found = self.find_all(name)
        if not found:
            raise CannotRun(Problem.LIFT_RELEASE, f"Debian's packages of Linux {self.version} have no {name}")
        return found[0]

    def find_all(self, name: str) -> list[Path]:
        return [path for folder in self.folders for path in sorted(folder.rglob(name)) if path.is_file()]

    @property
    def image(self) -> Path:
        return self.find("vmlinuz*")


def abi(offers: debian.Offers, release: str) -> tuple[str, debian.Candidate] | None:
    """The newest kernel of a release: its ABI, as 7.3.4+deb13-cloud-amd64, and its candidate."""
    short = ".".join(release.split(".")[:2])
    names = [name for name in offers.names(f"linux-image-{short}") if name.endswith(FLAVOUR)]
    fitting = [each for each in offers.versions(*names) if debian.fits(release, each.version)]
    if not fitting:
        return None
    newest = max(fitting, key=lambda each: debian.order(each.version))
    return newest.name.removeprefix("linux-image-"), newest


def _libraries(offers: debian.Offers, names: Sequence[str]) -> list[debian.Candidate]:
    """The newest version of each of these packages, and of the libraries that they depend on."""
    found: dict[str, debian.Candidate] = {}
    wanted = list(names)
    while wanted:
        name = wanted.pop(0)
        if name not in found and (newest := offers.newest(name)):
            found[name] = newest
            wanted += [each for each in newest.depends if each.startswith("lib")]
    return list(found.values())


def chosen(offers: debian.Offers, release: str, daemons: Sequence[str]) -> list[debian.Candidate]:
    """The packages to fetch. Newer kernels are split in a binary and its modules; older ones are one package."""
    found = abi(offers, release)
    if not found:
        return []
    name, image = found
    parts = [each for each in offers.versions(f"linux-binary-{name}", f"linux-modules-{name}")
             if each.version == image.version]
    tools = _libraries(offers, [*TOOLS, *(DAEMONS[each].package for each in daemons)])
    unique = {each.name: each for each in [*(parts or [image]), *tools]}
    return list(unique.values())


def _kept(folder: Path, release: str, daemons: Sequence[str]) -> Kernel | None:
    """What a release stood for when it was first fetched; None if that lacks one of the daemons."""
    try:
        version, *names = (folder / release).read_text().splitlines()
    except OSError:
        return None
    folders = tuple(folder / name for name in names)
    there = {name.partition("_")[0] for name in names}
    whole = all(each.is_dir() for each in folders) and there.issuperset(DAEMONS[each].package for each in daemons)
    return Kernel(version, folders) if whole else None


def fetch(release: str, daemons: Sequence[str] = tuple(DAEMONS)) -> Kernel:
    """The kernel of a release, and these daemons, from the cache or from Debian's mirror. CannotRun where there is
    none."""
    if not re.fullmatch(r"\d+\.\d+[\w.+~-]*", release):
        raise CannotRun(Problem.USAGE, f"\"{release}\" is not a release such as 7.3")
    folder = debian.cache() / "binary"
    if kept := _kept(folder, release, daemons):
        return kept
    versions: list[str] = []

    def choose(offers: debian.Offers) -> Sequence[debian.Candidate]:
        found = chosen(offers, release, daemons)
        versions.extend(each.version for each in found[:1])
        return found

    folders = debian.fetch_binaries(release, folder, choose)
    (folder / release).write_text("\n".join([versions[0], *(each.name for each in folders)]) + "\n")
    return Kernel(versions[0], tuple(folders))


def needs(module: bytes) -> list[str]:
    """The modules that a module needs, as its .modinfo names them."""
    found = re.search(rb"(?:^|\0)depends=([^\0]*)\0", module)
    return [name for name in found[1].decode().split(",") if name] if found else []


def modules(kernel: Kernel, name: str) -> Iterator[bytes]:
    """A module and what it needs, in the order in which they are loaded; nothing if the kernel has none such."""
    import lzma

    done: set[str] = set()

    def load(wanted: str) -> Iterator[bytes]:
        found = [path for word in (wanted, wanted.replace("_", "-")) for path in kernel.find_all(f"{word}.ko*")]
        if not found or wanted in done:
            return
        done.add(wanted)
        data = found[0].read_bytes()
        data = lzma.decompress(data) if found[0].suffix == ".xz" else data
        for each in needs(data):
            yield from load(each)
        yield data

    yield from load(name)
