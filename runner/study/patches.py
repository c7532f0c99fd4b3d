# SPDX-License-Identifier: GPL-2.0-or-later
"""Patches as people have them: an mbox from b4 or lore, a folder, or a range of a git tree's revisions. Each becomes
a mail that git am takes. Assumes subjects as git format-patch writes them: [PATCH v3 2/7] what it does."""

from __future__ import annotations

import email.header
import email.message
import gzip
import mailbox
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.errors import CannotRun, Problem
from runner.lift.trees import GIT

TAG = re.compile(r"^\[([^\]]*)\]\s*")
REPLY = re.compile(r"^\s*(re|aw|fwd?)\s*:", re.IGNORECASE)
NUMBER = re.compile(r"\b(\d+)/(\d+)\b")
VERSION = re.compile(r"\bv(\d+)\b", re.IGNORECASE)
DIFF = re.compile(rb"^(diff --git |--- \S)", re.MULTILINE)
# A diff without a mail around it gets a header of its own; the date makes its commit the same each time.
BARE = "From tickbench Thu Jan  1 00:00:00 1970\nFrom: nobody <nobody@localhost>\n" \
       "Date: Thu, 1 Jan 1970 00:00:00 +0000\nSubject: [PATCH] {subject}\n\n---\n"
FOLDER_SUFFIXES = (".patch", ".diff", ".mbox", ".mbx", ".eml")
WITHOUT_REVISION = re.compile(r"(?P<tree>.*?)@?(?P<range>[^@]+\.\.[^@]+)")


@dataclass(frozen=True)
class Patch:
    """One patch of a series."""

    subject: str  # without [PATCH ...]
    mail: bytes  # a whole mail, from its "From " line on
    number: int = 0  # its place as its subject has it, 0 if it has none
    version: int = 1


def _text(value: object) -> str:
    """A header's value as one line of text."""
    try:
        text = str(email.header.make_header(email.header.decode_header(str(value))))
    except (ValueError, LookupError):
        text = str(value)
    return " ".join(text.split())


def parse_subject(subject: str) -> tuple[str, int, int, int, bool]:
    """A subject's text, its place n and count m of "n/m" (0 if it has none), its version, and whether a tag says
    that it is a patch."""
    number = count = 0
    version, patch = 1, False
    while tag := TAG.match(subject):
        words = tag[1]
        if "PATCH" in words.upper():
            patch = True
        if found := NUMBER.search(words):
            number, count = int(found[1]), int(found[2])
        if found := VERSION.search(words):
            version = int(found[1])
        subject = subject[tag.end():]
    return subject, number, count, version, patch


def has_diff(message: email.message.Message) -> bool:
    """Whether any of a mail's parts holds a diff."""
    for part in message.walk():
        content = part.get_payload(decode=True)
        if isinstance(content, bytes) and DIFF.search(content):
            return True
    return False


def _of_message(raw: bytes) -> Patch | None:
    """The patch that a mail holds; None for a cover letter, a reply, or a mail without a diff."""
    message = email.message_from_bytes(raw.split(b"\n", 1)[1] if raw.startswith(b"From ") else raw)
    subject = _text(message.get("Subject", ""))
    if REPLY.match(subject):
        return None
    words, number, count, version, tagged = parse_subject(subject)
    if (count and number == 0) or not has_diff(message):
        return None
    if not tagged and message.get("In-Reply-To"):
        return None
    if not raw.startswith(b"From "):
        raw = b"From tickbench Thu Jan  1 00:00:00 1970\n" + raw
    return Patch(words or "(no subject)", raw, number, version)


def ordered(patches: Sequence[Patch]) -> list[Patch]:
    """In the order that the subjects tell, of the newest version; each number once. Patches without a number
    keep their order, behind the others."""
    newest = max((patch.version for patch in patches), default=1)
    kept: dict[int, Patch] = {}
    rest: list[Patch] = []
    for patch in patches:
        if patch.version != newest:
            continue
        if patch.number:
            kept.setdefault(patch.number, patch)
        elif patch.mail not in [each.mail for each in rest]:
            rest.append(patch)
    return [kept[number] for number in sorted(kept)] + rest


def of_mbox(data: bytes) -> list[Patch]:
    """The patches of an mbox, which may be compressed by gzip."""
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    with tempfile.NamedTemporaryFile(suffix=".mbox") as file:
        file.write(data)
        file.flush()
        box = mailbox.mbox(file.name, create=False)
        try:
            found = [_of_message(box.get_bytes(key, from_=True)) for key in box.keys()]
        finally:
            box.close()
    return ordered([patch for patch in found if patch])


def _of_file(path: Path) -> list[Patch]:
    """The patches of one file: mails, or a diff without a mail around it."""
    data = path.read_bytes()
    if data.startswith(b"From ") or data[:2] == b"\x1f\x8b":
        return of_mbox(data)
    if re.match(rb"[A-Za-z][A-Za-z-]*: ", data) and b"\nSubject: " in b"\n" + data[:8192]:
        found = _of_message(data)
        return [found] if found else []
    if not DIFF.search(data):
        return []
    return [Patch(path.stem, BARE.format(subject=path.stem).encode() + data)]


def of_folder(folder: Path) -> list[Patch]:
    """The patches of a folder, in the order of its file `series` if it has one (as quilt keeps it), else of the
    files' names."""
    listing = folder / "series"
    if listing.is_file():
        lines = (line.split("#")[0].split() for line in listing.read_text().splitlines())
        names = [words[0] for words in lines if words]
    else:
        names = sorted(path.name for path in folder.iterdir() if path.suffix in FOLDER_SUFFIXES)
    return [patch for name in names for patch in _of_file(folder / name)]


def of_range(tree: Path, revisions: str) -> list[Patch]:
    """The patches of REV..REV of a git tree; merges have none."""
    done = subprocess.run(
        [*GIT, "-C", str(tree), "format-patch", "--stdout", "--no-signature", "--no-cover-letter", "--full-index",
         "--binary", "--no-renames", "--zero-commit", "--no-numbered", "--subject-prefix=PATCH", "--end-of-options",
         revisions], stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode:
        raise CannotRun(Problem.PATCHES, f"{tree} has no range {revisions}", done.stderr.decode(errors="replace"))
    return of_mbox(done.stdout)


def read(word: str, base_tree: Path | None = None) -> list[Patch]:
    """The patches that a word names: an mbox, a folder, TREE@REV..REV, or REV..REV of base_tree. CannotRun if it
    names none."""
    path = Path(word).expanduser()
    try:
        if path.is_dir():
            found = of_folder(path)
        elif path.is_file():
            found = _of_file(path)
        elif match := WITHOUT_REVISION.fullmatch(word):
            tree = Path(match["tree"]).expanduser() if match["tree"] else base_tree
            if tree is None or not tree.is_dir():
                raise CannotRun(Problem.PATCHES, f"{word} is a range of revisions, but of no git tree")
            found = of_range(tree, match["range"])
        else:
            raise CannotRun(Problem.PATCHES, f"there are no patches \"{word}\"")
    except (OSError, EOFError) as error:
        raise CannotRun(Problem.PATCHES, f"cannot read {word} ({error})") from error
    if not found:
        raise CannotRun(Problem.PATCHES, f"{word} holds no patch")
    return found
