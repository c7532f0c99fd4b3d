# SPDX-License-Identifier: GPL-2.0-or-later
"""What the runner does for the guest's page, with a fake QEMU and a fake publisher: the folder in shared
memory, the publisher's life, and the right of a guest to write only the mailbox."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path

import pytest

import fakes
from fakes import GOOD, RunQemu
from conftest import SECONDS, need
from runner.errors import Problem
from runner.guest import boot, publisher, qemu
from runner.guest.addresses import MAILBOX_ADDRESS, PAGE_ADDRESS, PAGE_BYTES


@pytest.mark.parametrize("body", ["echo no room >&2; exit 2", "exec sleep 1000"])
def test_a_publisher_that_makes_no_page(tmp_path: Path, fake_build: Path, run_fake: RunQemu, body: str) -> None:
    fakes.program(fake_build / "vmclock-host", f"#!/bin/sh\n{body}\n")
    ended = run_fake("exit 33")
    assert ended.status == 2
    assert Problem.PUBLISHER.value in ended.stderr
    assert not (tmp_path / "qemu.pid").exists(), "QEMU was started without a page"


def test_without_a_page_there_is_no_publisher(tmp_path: Path, fake_build: Path, run_fake: RunQemu) -> None:
    (fake_build / "vmclock-host").unlink()
    (fake_build / "vmclock.aml").unlink()
    ended = run_fake(fakes.serial(tmp_path, GOOD, 33), "--no-page")
    assert ended.status == 0, ended.stderr
    assert "memory-backend-file" not in (tmp_path / "qemu.args").read_text()


@pytest.mark.parametrize("word, rule", [("live", ""), ("kernel", "--rule kernel")])
def test_the_publisher_follows_the_rule_that_is_asked_for(
        tmp_path: Path, fake_build: Path, run_fake: RunQemu, word: str, rule: str) -> None:
    fakes.program(fake_build / "vmclock-host", f'#!/bin/sh\necho "$*" >{tmp_path}/words\nexit 1\n')
    assert run_fake("exit 33", "--publisher", word).status == 2
    assert ("--rule" in (tmp_path / "words").read_text()) == bool(rule) and rule in (tmp_path / "words").read_text()


def test_no_shared_memory_falls_back_to_a_file(tmp_path: Path, run_fake: RunQemu) -> None:
    ended = run_fake(fakes.serial(tmp_path, GOOD, 33), env={"TICKBENCH_SHM": str(tmp_path / "none"),
                                                            "TMPDIR": str(tmp_path)})
    assert ended.status == 0, ended.stderr
    assert f"no room in {tmp_path}/none: the page is a file in {tmp_path}" in ended.stdout
    assert not list(tmp_path.glob("tickbench-*"))


def test_what_a_killed_run_left_in_shared_memory_goes(tmp_path: Path, run_fake: RunQemu) -> None:
    left = tmp_path / "shm" / f"{publisher.PREFIX}x"
    left.mkdir(parents=True)
    (left / "page").touch()
    assert run_fake(fakes.serial(tmp_path, GOOD, 33)).status == 0
    assert not left.exists()


def test_what_a_run_elsewhere_still_uses_stays(tmp_path: Path) -> None:
    """Also where its process id means nothing here, as in another PID namespace."""
    with publisher.SharedFolder(tmp_path) as shared:
        publisher.sweep(shared.path.parent)
        assert shared.path.is_dir()
    assert not shared.path.exists()


class TestPublisherThatEnds:
    """A guest cannot tell that the publisher of its page is dead: the runner must."""

    HOST = "# metric rms_ns", "# metric host_difference_ns 1.000000 ns\n    # metric rms_ns"

    def log(self, *runs: tuple[str, str]) -> str:
        """Of runs with a clock each, in which the host gave its verdict."""
        text = fakes.log(*((name, ["ok it holds"]) for name, _ in runs)).replace(*self.HOST)
        for _, clock in runs:
            text = text.replace("clock virtual", f"clock {clock}", 1) if clock == "tsc" else text
        return text

    def body(self, folder: Path, text: str, at: str) -> str:
        """Kills the publisher once the log has come as far as `at`."""
        first, rest = text.split(at, 1)
        (folder / "first").write_text(first + at)
        (folder / "rest").write_text(rest)
        return (f"cat {folder}/first; kill -9 $(cat {folder}/build/vmclock-host.pid); sleep 0.5;"
                f" cat {folder}/rest; exit 33")

    def test_one_that_lives_passes(self, tmp_path: Path, run_fake: RunQemu) -> None:
        ended = run_fake(fakes.serial(tmp_path, self.log(("lock", "tsc"), ("compare", "tsc")), 33))
        assert ended.status == 0, ended.stdout

    def test_killed_in_a_run_it_fails_that_run(self, tmp_path: Path, run_fake: RunQemu) -> None:
        ended = run_fake(self.body(tmp_path, self.log(("lock", "tsc"), ("freq", "virtual")), "# metric"))
        assert ended.status == 1, ended.stderr
        assert "publisher ended (signal 9)" in ended.stdout
        runs = json.loads((ended.output / "report.json").read_text())["runs"]
        assert [run["ok"] for run in runs] == [False, True], "the virtual clock needs no publisher"
        assert [claim["ok"] for claim in runs[0]["claims"]] == [True, False]
        assert runs[0]["claims"][-1]["sentence"].endswith("it ended (signal 9)")

    def test_for_a_bisect_it_says_nothing_about_the_commit(self, tmp_path: Path, run_fake: RunQemu) -> None:
        ended = run_fake(self.body(tmp_path, self.log(("lock", "tsc")), "# metric"), "--bisect")
        assert ended.status == 125
        assert Problem.PUBLISHER.value in ended.stderr

    def test_killed_before_the_first_run_it_ends_all(self, tmp_path: Path, run_fake: RunQemu) -> None:
        ended = run_fake(f"echo KTAP version 1; kill -9 $(cat {tmp_path}/build/vmclock-host.pid);"
                         " exec sleep 1000")
        assert ended.status == 2
        assert "the publisher ended (signal 9) before the first run began" in ended.stderr

    def test_a_host_without_a_verdict_is_a_failed_claim(self, tmp_path: Path, run_fake: RunQemu) -> None:
        silent = self.log(("lock", "tsc")).replace("host_difference_ns", "else_ns")
        ended = run_fake(fakes.serial(tmp_path, silent, 33))
        assert ended.status == 1
        claims = json.loads((ended.output / "report.json").read_text())["runs"][0]["claims"]
        assert claims[-1] == {"sentence": f"{boot.VERDICT_CLAIM}: it gave no verdict", "ok": False,
                              "skipped": None}
        # A given line has no publisher behind it that could judge.
        static = "static:counter=0,time=0,period-hz=1000000000"
        assert run_fake(fakes.serial(tmp_path, silent, 33), "--publisher", static).status == 0


def a_page(folder: Path, start: bytes = publisher.PAGE_MAGIC, size: int = PAGE_BYTES) -> Path:
    page = folder / "mine"
    page.write_bytes(start.ljust(size, b"\0")[:size])
    return page


def a_page_that_is(what: str, folder: Path) -> Path:
    page = a_page(folder)
    if what == "missing":
        page.unlink()
    elif what == "a link":
        page = folder / "link"
        page.symlink_to(folder / "mine")
    elif what == "a FIFO":
        page.unlink()
        os.mkfifo(page)
    elif what == "a folder":
        page.unlink()
        page.mkdir()
    elif what == "of another user":
        if os.geteuid():
            return Path("/etc/passwd")
        os.chown(page, 65534, 65534)
    elif what == "short":
        a_page(folder, size=PAGE_BYTES - 1)
    elif what == "something else":
        a_page(folder, b"VCLX")
    return page


@pytest.mark.parametrize(("what", "words"), [
    ("missing", "No such file or directory (name a file that is there and that you may read)"),
    ("a link", "it is a symbolic link (name the file that it leads to)"),
    ("a FIFO", "it is not a regular file (name one"),
    ("a folder", "it is not a regular file (name one"),
    ("of another user", "it belongs to another user (copy it, or run this as its owner)"),
    ("short", "it is 2097151 bytes long, and QEMU maps 2 MiB (make it with vmclock-host)"),
    ("something else", "it does not begin with a vmclock page's magic (make it with vmclock-host)"),
])
def test_a_page_of_the_users_that_is_none_is_refused_before_the_boot(
    tmp_path: Path, run_fake: RunQemu, what: str, words: str
) -> None:
    page = a_page_that_is(what, tmp_path)
    ended = run_fake("exit 1", "--page", str(page))
    assert ended.status == 2
    assert f"{page} is not used as the page: {words}" in ended.stderr
    assert ended.stderr.rstrip().endswith(Problem.PUBLISHER.value)
    assert not (tmp_path / "qemu.args").exists(), "QEMU was started"


def test_a_page_of_the_users_is_mapped(tmp_path: Path, run_fake: RunQemu) -> None:
    page = a_page(tmp_path)
    ended = run_fake(fakes.serial(tmp_path, GOOD, 33), "--page", str(page))
    assert ended.status == 0, ended.stderr
    assert f"mem-path={page}" in (tmp_path / "qemu.args").read_text()
    assert page.read_bytes() == publisher.PAGE_MAGIC.ljust(PAGE_BYTES, b"\0"), "the page was written to"


def test_a_guest_cannot_write_the_page_but_the_mailbox(tmp_path: Path, fake_build: Path) -> None:
    """In QEMU's own memory map, by its test protocol in place of a guest."""
    files = {name: tmp_path / name for name in ("page", "mailbox")}
    for path in files.values():
        path.write_bytes(b"P" * PAGE_BYTES)
    table = fake_build / "vmclock.aml"
    pages = qemu.Pages(files["page"], files["mailbox"], table)
    arguments = [word for word in pages.args() if word not in ("-acpitable", f"file={table}")]
    child = subprocess.Popen(
        [need("qemu-system-x86_64", "qemu-system-x86"), "-M", "q35", "-m", "512M,slots=2,maxmem=16G",
         "-nodefaults", "-display", "none", "-accel", "tcg", "-S", "-qtest", "stdio", *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert child.stdin and child.stdout
    limit = threading.Timer(SECONDS, child.kill)
    limit.start()
    try:
        for address in (PAGE_ADDRESS, MAILBOX_ADDRESS):
            child.stdin.write(f"writeb {address:#x} 0x41\nreadb {address:#x}\n")
            child.stdin.flush()
        answers = [child.stdout.readline().strip() for _ in range(4)]
    finally:
        limit.cancel()
        child.kill()
        child.communicate()
    assert answers == ["OK", f"OK {ord('P'):#018x}", "OK", f"OK {0x41:#018x}"]
    assert files["page"].read_bytes()[:1] == b"P" and files["mailbox"].read_bytes()[:1] == b"A"


def test_counted_instructions_get_a_given_line(tmp_path: Path, fake_build: Path, run_fake: RunQemu) -> None:
    fakes.publisher(fake_build / "vmclock-host", "while :; do sleep 0.05; done")
    program = fake_build / "vmclock-host"
    program.write_text(program.read_text().replace(
        "#!/bin/sh\n", f"#!/bin/sh\nprintf '%s ' \"$@\" >{tmp_path}/publisher.args\n"))
    assert run_fake(fakes.serial(tmp_path, GOOD, 33), "--icount").status == 0
    assert "--static counter=0" in (tmp_path / "publisher.args").read_text()
    assert "sleep=off" in (tmp_path / "qemu.args").read_text()
