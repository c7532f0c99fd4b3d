# SPDX-License-Identifier: GPL-2.0-or-later
"""What a command keeps in order to go on later: on the disk once it was put, whole whatever ended the
writer, and one file for several processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from runner.errors import CannotRun
from runner.study.store import Store, key_of

ROOM = Path(__file__).resolve().parent.parent
WRITER = """
import sys
sys.path.insert(0, {room!r})
from pathlib import Path
from runner.study.store import Store
store = Store(Path(sys.argv[1]), "c", "k")
n = 0
while n < int(sys.argv[3]):
    store.put(f"{{sys.argv[2]}}{{n}}", {{"n": n, "text": "x" * 300}})
    n += 1
    print(n, flush=True)
"""


def writer(build: Path, name: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", WRITER.format(room=str(ROOM)), str(build), name, str(count)],
                            stdout=subprocess.PIPE, text=True)


def test_a_result_is_there_again(tmp_path: Path) -> None:
    store = Store(tmp_path, "matrix", "k")
    assert store.get("a") is None
    store.put("a", {"x": 1})
    store.put("a", {"x": 2})
    again = Store(tmp_path, "matrix", "k")
    assert again.get("a") == {"x": 2} and again.get("b") is None
    assert Store(tmp_path, "matrix", "other").get("a") is None
    assert (tmp_path / "work/matrix/k/results.jsonl").read_text().count("\n") == 2


@pytest.mark.parametrize("tail", [b'{"name": "c", "resu', b'{"name": "c", "result": {"x": 1}}', b"\0\0\0"])
def test_a_last_line_without_an_end_is_cut_off(tmp_path: Path, tail: bytes) -> None:
    """The writer was ended within it: what comes next must not be glued to it."""
    store = Store(tmp_path, "matrix", "k")
    store.put("a", {"x": 1})
    with store.path.open("ab") as file:
        file.write(tail)
    again = Store(tmp_path, "matrix", "k")
    assert again.get("a") == {"x": 1} and again.get("c") is None
    again.put("b", {"x": 3})
    last = Store(tmp_path, "matrix", "k")
    assert last.get("a") == {"x": 1} and last.get("b") == {"x": 3}


@pytest.mark.parametrize("line", [b"\0\0\0\0", b"[]", b"3", b'{"name": 3, "result": {}}', b'{"name": "a"}', b"\xff"])
def test_a_damaged_line_loses_its_own_result_alone(tmp_path: Path, line: bytes) -> None:
    store = Store(tmp_path, "matrix", "k")
    store.put("a", {"x": 1})
    with store.path.open("ab") as file:
        file.write(line + b"\n")
    store.put("b", {"x": 2})
    again = Store(tmp_path, "matrix", "k")
    assert again.get("a") == {"x": 1} and again.get("b") == {"x": 2}


def test_two_processes_write_one_file(tmp_path: Path) -> None:
    here = Store(tmp_path, "c", "k")
    children = [writer(tmp_path, name, 40) for name in "pq"]
    for n in range(40):
        here.put(f"r{n}", {"n": n})
    assert [child.communicate()[0].count("\n") for child in children] == [40, 40]
    again = Store(tmp_path, "c", "k")
    for name in "pqr":
        for n in range(40):
            assert (again.get(f"{name}{n}") or {})["n"] == n
            assert (here.get(f"{name}{n}") or {})["n"] == n  # put by another process after this one began


def test_what_was_put_outlives_a_kill(tmp_path: Path) -> None:
    """What a writer said that it had put is there after SIGKILL, and the file can be used."""
    child = writer(tmp_path, "p", 10**6)
    assert child.stdout
    for _ in range(20):
        said = int(child.stdout.readline())
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    store = Store(tmp_path, "c", "k")
    assert said == 20 and all(store.get(f"p{n}") for n in range(said))
    store.put("more", {})
    assert Store(tmp_path, "c", "k").get("more") == {}


def test_threads_share_a_store(tmp_path: Path) -> None:
    store = Store(tmp_path, "c", "k")

    def put_all(name: str) -> None:
        for n in range(20):
            store.put(f"{name}{n}", {"n": n})

    threads = [threading.Thread(target=put_all, args=(name,)) for name in "abcd"]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    again = Store(tmp_path, "c", "k")
    assert all(again.get(f"{name}{n}") for name in "abcd" for n in range(20))


def test_results_can_be_forgotten(tmp_path: Path) -> None:
    store = Store(tmp_path, "c", "k")
    store.put("a", {})
    other = Store(tmp_path, "c", "k")
    store.clear()
    other.put("b", {})
    again = Store(tmp_path, "c", "k")
    assert again.get("a") is None and again.get("b") == {}


def test_a_folder_that_cannot_be_made_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("a file")
    with pytest.raises(CannotRun, match="cannot write"):
        Store(tmp_path, "c", "k")


def test_a_key_depends_on_each_part_and_on_their_order() -> None:
    keys = {key_of("a", "b"), key_of("b", "a"), key_of("ab"), key_of("a", b"b", ""), key_of("a")}
    assert len(keys) == 5 and key_of("a", b"b") == key_of("a", "b")
