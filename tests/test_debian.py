# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels as Debian packages them: which version a release means, where it is fetched from, and that the
sources which are compiled are byte for byte those of the package."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from liftable import KERNELS, Kernel, SOURCES, lift_command, lifted
from runner.lift import debian, trees


# Unpacking a package again takes some 20 s of CPU time. One of each of Debian's forms is enough: a stable
# release's, and a backport's.
@pytest.mark.parametrize("kernel", [KERNELS[0], KERNELS[-1]], ids=lambda kernel: kernel.word)
def test_the_lifted_sources_are_byte_for_byte_what_was_fetched(kernel: Kernel) -> None:
    if not trees.RELEASE.fullmatch(kernel.word):
        pytest.skip(f"{kernel.word} did not come from a package")
    done = lifted(kernel, 1000)
    archive = debian.fetch(kernel.word).archive
    if not archive.exists():
        pytest.skip(f"{archive} is no longer in the cache")
    name = f"linux-source-{'.'.join(done.tree.kernel.split('.')[:2])}"
    package = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE)
    member = subprocess.Popen(["tar", "-xO", "--wildcards", f"*/{name}.tar.xz"],
                              stdin=package.stdout, stdout=subprocess.PIPE)
    assert package.stdout and member.stdout
    package.stdout.close()
    packed = subprocess.run(
        ["tar", "-xJO", "--occurrence=1", *(f"{name}/{source}" for source in sorted(SOURCES))],
        stdin=member.stdout, capture_output=True, check=True).stdout
    member.stdout.close()
    package.wait(), member.wait()
    built = [(done.tree.path / source).read_bytes() for source in sorted(SOURCES)]
    # tar gives them in its own order.
    assert packed in (b"".join(built), b"".join(reversed(built)))


def test_a_release_out_of_reach_says_so_and_names_a_way_out(tmp_path: Path) -> None:
    if missing := [tool for tool in debian.TOOLS if not shutil.which(tool)]:
        pytest.skip(f"there is no {missing[0]}")
    # Nothing listens there.
    nowhere = "http://127.0.0.1:9/"
    done = lift_command("7.3", "--build", str(tmp_path / "build"), XDG_CACHE_HOME=str(tmp_path / "cache"),
                        http_proxy=nowhere, https_proxy=nowhere)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("tickbench: Linux 7.3 cannot be had from Debian: ")
    assert "LINUX=PATH" in last


@pytest.mark.parametrize(
    ("release", "version", "expected"),
    [("6.12", "6.12.107-1", True), ("6.1", "6.12.107-1", False), ("6.12.107", "6.12.107-1", True),
     ("6.12.10", "6.12.107-1", False), ("7.3", "7.3.4-1~bpo13+1", True)],
)
def test_a_release_is_a_whole_prefix_of_its_version(
    release: str, version: str, expected: bool
) -> None:
    assert debian.fits(release, version) is expected


def test_the_newest_version_is_neither_the_first_by_letters_nor_a_rebuild() -> None:
    shown = "\n\n".join(
        f"Package: linux-source-6.12\nVersion: {version}\nSHA256: 00"
        for version in ("6.12.94-1", "6.12.107-1~deb12u1", "6.12.107-1", "6.12.99-1"))
    assert max(debian.candidates(shown), key=lambda each: debian.order(each.version)).version == \
        "6.12.107-1"


def test_the_mirrors_are_the_machines_own() -> None:
    usual, security = debian.mirrors(
        "http://one.example/debian/ bookworm\nhttp://one.example/debian/ bookworm-updates\n"
        "http://two.example/debian-security/ bookworm-security\n")
    assert (usual, security) == ("http://one.example/debian/", "http://two.example/debian-security/")
    text = debian.sources(usual, security)
    assert "http://one.example/debian/ trixie-backports main\n" in text
    assert "http://two.example/debian-security/ trixie-security main\n" in text
