# SPDX-License-Identifier: GPL-2.0-or-later
"""Fetches kernel sources: Debian's linux-source packages, also from suites that the machine does not use.
The machine's configuration stays as it is: apt is given a sources file and folders of its own, and the
mirror is the one that the machine's own configuration names. Packages are kept in a cache (XDG): a release
in the cache is not fetched again. apt checks the index's signature and the package's checksum; the
checksum is checked again here. Assumes Debian's apt."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner import process
from runner.errors import CannotRun, Problem

SUITES = ("bookworm", "bookworm-backports", "trixie", "trixie-backports")
SECURITY_SUITES = ("bookworm-security", "trixie-security")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
INDEX_SECONDS = 86400.0
TOOLS = ("apt-get", "apt-cache", "dpkg-deb", "tar", "xz")
# The part of a tree that kbuild wants for two objects of kernel/time, as tar's patterns.
PARTS = (
    "Makefile", "Kbuild", "Kconfig", "*/Kconfig*", "scripts/*", "include/*", "arch/x86/*",
    "arch/um/*", "kernel/*", "lib/*", "init/*", "tools/include/*", "tools/objtool/*", "tools/lib/*",
    "tools/build/*", "tools/arch/x86/*", "tools/scripts/*", "tools/Makefile",
)


@dataclass(frozen=True)
class Package:
    """A linux-source package that was fetched: its version, where its .deb is and where the needed part of
    it is unpacked."""

    version: str  # 7.3.4-1~bpo13+1
    tree: Path  # the unpacked part
    archive: Path  # the .deb


@dataclass(frozen=True)
class Candidate:
    """A version that an index offers, and what is needed to fetch and check it."""

    name: str  # linux-source-7.3
    version: str
    sha256: str
    depends: tuple[str, ...] = ()  # names, the first of each alternative


def cache() -> Path:
    """The folder that fetched packages are kept in: $XDG_CACHE_HOME/tickbench/linux, or ~/.cache/...."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "tickbench" / "linux"


def order(version: str) -> tuple[tuple[int, ...], bool]:
    """The sort key of the versions of one release: 6.12.107-1 is newer than 6.12.94-1, and also than a
    rebuild of it for an older Debian, 6.12.107-1~deb12u1."""
    own, tilde, _ = version.partition("~")
    return tuple(int(number) for number in re.findall(r"\d+", own)), not tilde


def fits(release: str, version: str) -> bool:
    """Whether a package's version belongs to a release: 6.12 means any 6.12, 6.12.107 only that one."""
    return re.match(re.escape(release) + r"(?![0-9])", version) is not None


def _package(folder: Path, version: str) -> Package:
    return Package(version, folder / "tree" / version, folder / "deb" / f"{version}.deb")


def known(release: str, folder: Path) -> Package | None:
    """The version that a release name stood for when it was first used."""
    try:
        version = (folder / "release" / release).read_text().strip()
    except OSError:
        return None
    package = _package(folder, version)
    return package if package.tree.is_dir() else None


def unpacked(release: str, folder: Path) -> Package | None:
    """The newest version of a release in the cache, under whichever name it was fetched."""
    found = [
        path.name for path in folder.glob("tree/*")
        if fits(release, path.name) and not path.name.endswith(".new")
    ]
    return _package(folder, max(found, key=order)) if found else None


def _unreachable(release: str, reason: str, detail: str = "") -> CannotRun:
    return CannotRun(Problem.LIFT_RELEASE,
                     f"Linux {release} cannot be had from Debian: {reason}", detail)


def _run(arguments: list[str], cwd: Path | None = None) -> tuple[int, str]:
    return process.hear(arguments, cwd, os.environ | {"LC_ALL": "C"})


def mirrors(targets: str) -> tuple[str | None, str | None]:
    """The machine's mirrors of Debian and of its security archive, from `apt-get indextargets` with
    a line "URI RELEASE" for each target."""
    usual = security = None
    for line in targets.splitlines():
        uri, _, release = line.partition(" ")
        if release.endswith("-security"):
            security = security or uri
        elif "debian" in uri:
            usual = usual or uri
    return usual, security


def sources(usual: str | None, security: str | None) -> str:
    """The lines of a sources.list."""
    lines = []
    if usual:
        lines += [f"deb [signed-by={KEYRING}] {usual} {suite} main" for suite in SUITES]
    if security:
        lines += [f"deb [signed-by={KEYRING}] {security} {suite} main" for suite in SECURITY_SUITES]
    return "\n".join(lines) + "\n"


def _apt(folder: Path, program: str, *arguments: str, cwd: Path | None = None) -> tuple[int, str]:
    apt = folder / "apt"
    return _run([
        program,
        "-o", f"Dir::Etc::sourcelist={apt}/sources.list", "-o", "Dir::Etc::sourceparts=/dev/null",
        "-o", f"Dir::State::lists={apt}/lists", "-o", f"Dir::Cache={apt}/cache",
        # A container's configuration may have apt parse the whole index for each call.
        "-o", "Dir::Cache::pkgcache=pkgcache.bin", "-o", "Dir::Cache::srcpkgcache=srcpkgcache.bin",
        "-o", "Acquire::Languages=none", "-o", "Acquire::Retries=1",
        "-o", "Acquire::http::Timeout=20",
        "-o", "APT::Sandbox::User=root", "-q", *arguments,
    ], cwd)


def _index(folder: Path, release: str) -> str:
    """Updates the package index if it is old. Returns what apt printed."""
    apt = folder / "apt"
    stamp = apt / "updated"
    if stamp.exists() and 0 <= _age(stamp) < INDEX_SECONDS:
        return ""
    for each in ("lists/partial", "cache/archives/partial"):
        (apt / each).mkdir(parents=True, exist_ok=True)
    _, listed = _run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)"])
    usual, security = mirrors(listed)
    if not usual and not security:
        raise _unreachable(release, "this machine's apt configuration names no Debian mirror",
                           listed)
    (apt / "sources.list").write_text(sources(usual, security))
    status, said = _apt(folder, "apt-get", "update")
    if status == 0 and "Failed to fetch" not in said:
        stamp.touch()
    return said


def _age(path: Path) -> float:
    import time

    return time.time() - path.stat().st_mtime


def candidates(shown: str) -> list[Candidate]:
    """The candidates in the output of `apt-cache show`."""
    found = []
    for stanza in shown.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Version|SHA256|Depends): (.+)", stanza, re.MULTILINE))
        depends = tuple(re.findall(r"(?:^|, *)([^ ,:(|]+)", fields.pop("Depends", "")))
        if len(fields) == 3:
            found.append(Candidate(fields["Package"], fields["Version"], fields["SHA256"], depends))
    return found


class Offers:
    """What the suites offer, once the index is there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self, prefix: str) -> list[str]:
        """The names of packages that begin so."""
        return _apt(self._folder, "apt-cache", "pkgnames", prefix)[1].split()

    def versions(self, *names: str) -> list[Candidate]:
        """All versions of these packages; of a name that no suite has, none."""
        return candidates(_apt(self._folder, "apt-cache", "show", "--all-versions", *names)[1]) if names else []

    def newest(self, name: str) -> Candidate | None:
        """The newest version of a package."""
        found = self.versions(name)
        return max(found, key=lambda each: order(each.version)) if found else None


def _find(folder: Path, release: str) -> Candidate:
    said = _index(folder, release)
    name = "linux-source-" + ".".join(release.split(".")[:2])
    _, shown = _apt(folder, "apt-cache", "show", "--all-versions", name)
    fitting = [each for each in candidates(shown) if fits(release, each.version)]
    if not fitting:
        there = ", ".join(sorted({each.version for each in candidates(shown)}))
        if there:
            raise _unreachable(release, f"{name} is there as {there} only")
        raise _unreachable(release, f"no suite has {name}, or none was reached", said)
    return max(fitting, key=lambda each: order(each.version))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(folder: Path, release: str, wanted: Candidate, archive: Path) -> Path:
    """The package as the file `archive`, which is taken if it is there and whole."""
    if archive.exists() and _sha256(archive) == wanted.sha256:
        return archive
    partial = archive.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    status, said = _apt(folder, "apt-get", "download", f"{wanted.name}={wanted.version}",
                        cwd=partial)
    got = list(partial.glob("*.deb"))
    if status or len(got) != 1:
        shutil.rmtree(partial)
        raise _unreachable(release, "the download failed", said)
    if _sha256(got[0]) != wanted.sha256:
        shutil.rmtree(partial)
        raise _unreachable(release, "the package's SHA-256 is not what the signed index says")
    got[0].rename(archive)
    shutil.rmtree(partial)
    return archive


def _unpack(archive: Path, name: str, tree: Path) -> None:
    """Unpacks the part of a package's tree that is needed. A failure leaves nothing behind."""
    new = tree.with_name(f"{tree.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    patterns = [f"{name}/{part}" for part in PARTS]
    package = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    member = subprocess.Popen(["tar", "-xO", "--wildcards", f"*/{name}.tar.xz"],
                              stdin=package.stdout, stdout=subprocess.PIPE)
    unpacked = subprocess.run(
        ["tar", "-x", "--xz", "-C", str(new), "--strip-components=1", "--anchored", "--wildcards",
         *patterns],
        stdin=member.stdout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=os.environ | {"LC_ALL": "C", "XZ_OPT": "-T0"})
    for each in (package, member):
        assert each.stdout
        each.stdout.close()
        each.wait()
    if unpacked.returncode or package.returncode or member.returncode:
        shutil.rmtree(new)
        raise CannotRun(Problem.LIFT_RELEASE, f"{archive} cannot be unpacked", unpacked.stdout)
    new.rename(tree)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One fetch at a time, also across processes."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _get(release: str, folder: Path) -> Package:
    try:
        wanted = _find(folder, release)
    except CannotRun:
        found = unpacked(release, folder)
        if found:
            return found
        raise
    package = _package(folder, wanted.version)
    _download(folder, release, wanted, package.archive)
    if not package.tree.exists():
        _unpack(package.archive, wanted.name, package.tree)
    (folder / "release").mkdir(exist_ok=True)
    (folder / "release" / release).write_text(wanted.version + "\n")
    return package


def _need_tools(release: str) -> None:
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        raise _unreachable(release, f"it needs {', '.join(missing)}")


def fetch_binaries(release: str, folder: Path, choose: Callable[[Offers], Sequence[Candidate]]) -> list[Path]:
    """Binary packages of a release, each unpacked in a folder of its own below `folder`, which is below cache().
    `choose` says which of those that the suites offer."""
    _need_tools(release)
    try:
        with _alone(cache()):
            said = _index(cache(), release)
            wanted = choose(Offers(cache()))
            if not wanted:
                raise _unreachable(release, "no suite has a kernel of it, or none was reached", said)
            return [_unpacked_binary(release, folder, each) for each in wanted]
    except OSError as error:
        raise _unreachable(release, f"{error.filename or folder}: {error.strerror}") from error


def _unpacked_binary(release: str, folder: Path, wanted: Candidate) -> Path:
    tree = folder / f"{wanted.name}_{wanted.version}"
    if tree.is_dir():
        return tree
    folder.mkdir(parents=True, exist_ok=True)
    archive = _download(cache(), release, wanted, tree.with_name(f"{tree.name}.deb"))
    new = tree.with_name(f"{tree.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    status, said = _run(["dpkg-deb", "-x", str(archive), str(new)])
    archive.unlink()
    if status:
        shutil.rmtree(new, ignore_errors=True)
        raise CannotRun(Problem.LIFT_RELEASE, f"{wanted.name} cannot be unpacked", said)
    new.rename(tree)
    return tree


def fetch(release: str) -> Package:
    """A release's sources, from the cache or from Debian's mirror."""
    folder = cache()
    found = known(release, folder)
    if found:
        return found
    _need_tools(release)
    try:
        with _alone(folder):
            return known(release, folder) or _get(release, folder)
    except OSError as error:
        raise _unreachable(release, f"{error.filename or folder}: {error.strerror}") from error
