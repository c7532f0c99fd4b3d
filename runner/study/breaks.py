# SPDX-License-Identifier: GPL-2.0-or-later
"""Single-line breaks of a C file: a dropped statement, a wrong operator, a comparison that is off by its edge,
a constant that is off by one, a condition inverted, one name in place of its sibling. Finds them with a
tokenizer of its own, in the bodies of functions alone. Whether a break compiles is for the compiler to say.

A break is named by its file, function, rule and ordinal, so that a list of breaks need not quote a line."""

from __future__ import annotations

import difflib
import hashlib
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

TOKEN = re.compile(r"""
    (?P<space>\s+|//[^\n]*|/\*.*?\*/)
  | (?P<directive>^[ \t]*\#(?:[^\n\\]|\\.)*)
  | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
  | (?P<number>\d[\w.]*)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<operator><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|.)
""", re.VERBOSE | re.DOTALL | re.MULTILINE)

# An operator with two operands, and what stands in its place.
BINARY = {
    "<": ("edge", "<="), "<=": ("edge", "<"), ">": ("edge", ">="), ">=": ("edge", ">"),
    "==": ("compare", "!="), "!=": ("compare", "=="),
    "+": ("sign", "-"), "-": ("sign", "+"), "+=": ("sign", "-="), "-=": ("sign", "+="),
    "<<": ("shift", ">>"), ">>": ("shift", "<<"), "<<=": ("shift", ">>="), ">>=": ("shift", "<<="),
    "&": ("bits", "|"), "|": ("bits", "&"), "^": ("bits", "|"), "|=": ("bits", "="), "&=": ("bits", "|="),
    "&&": ("logic", "||"), "||": ("logic", "&&"), "*": ("factor", "+"), "/": ("factor", "*"),
}
# Names that are easily taken for one another. Each is replaced by the next of its row.
SIBLINGS = (
    ("offs_real", "offs_tai", "offs_boot"), ("TK_OFFS_REAL", "TK_OFFS_TAI", "TK_OFFS_BOOT"),
    ("tkr_mono", "tkr_raw"), ("base_mono", "base_raw"), ("xtime_sec", "raw_sec"), ("tv_sec", "tv_nsec"),
    ("timekeeper", "shadow_timekeeper"), ("true", "false"), ("min", "max"), ("min_t", "max_t"),
    ("STA_INS", "STA_DEL"), ("TIME_INS", "TIME_DEL"), ("TIME_OOP", "TIME_WAIT"), ("STA_PLL", "STA_FLL"),
    ("STA_PPSFREQ", "STA_PPSTIME"), ("STA_NANO", "STA_FREQHOLD"), ("NSEC_PER_SEC", "USEC_PER_SEC"),
    ("NSEC_PER_USEC", "NSEC_PER_MSEC"), ("ADJ_MAXERROR", "ADJ_ESTERROR"), ("ADJ_NANO", "ADJ_MICRO"),
    ("time_maxerror", "time_esterror"), ("xtime_interval", "raw_interval"),
    ("cycle_interval", "xtime_interval"), ("ntp_tick", "ntp_error"), ("tick_length", "tick_length_base"),
    ("wall_to_monotonic", "monotonic_to_boot"), ("CS_RAW", "CS_HRES_COARSE"),
    ("TK_CLEAR_NTP", "TK_CLOCK_WAS_SET"), ("TK_ADV_TICK", "TK_ADV_FREQ"),
)
NEXT = {name: row[(at + 1) % len(row)] for row in SIBLINGS for at, name in enumerate(row)}
KEYWORDS = frozenset(("if", "for", "while", "switch", "do", "else", "case", "default"))
TYPES = frozenset("""struct union enum const static unsigned signed int long short char bool void u8 u16 u32 u64
    s8 s16 s32 s64 u128 s128 size_t ktime_t time64_t instant __le16 __le32 __le64 typeof __typeof__""".split())


@dataclass(frozen=True)
class Token:
    kind: str  # string, number, name or operator
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


@dataclass(frozen=True)
class Break:
    """One change of a file's text, from start to end (offsets in characters)."""

    file: str
    function: str
    rule: str
    ordinal: int  # counts the breaks of this rule in this function, from 1
    start: int
    end: int
    replacement: str
    mark: str  # 8 hexadecimal digits of the hash of what is replaced and its line

    @property
    def name(self) -> str:
        return f"{self.file} {self.function} {self.rule} {self.ordinal}"

    def apply(self, text: str) -> str:
        """The broken file. It has as many lines as the whole one."""
        return text[:self.start] + self.replacement + text[self.end:]

    def line(self, text: str) -> int:
        return text.count("\n", 0, self.start) + 1

    def diff(self, text: str) -> str:
        """For the terminal: the changed lines. It quotes the file, so it is not for this repository."""
        lines = difflib.unified_diff(text.splitlines(), self.apply(text).splitlines(), self.file, self.file,
                                     n=0, lineterm="")
        return "\n".join(list(lines)[2:])


def tokens(text: str) -> list[Token]:
    """The C tokens of a text; comments and preprocessor directives are left out."""
    found = []
    for match in TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind not in ("space", "directive"):
            found.append(Token(kind, match.group(), match.start()))
    return found


def _closing(code: Sequence[Token], at: int) -> int:
    """The index of the token that closes the bracket at `at`."""
    depth = 0
    for i in range(at, len(code)):
        depth += code[i].text in "([{" and code[i].kind == "operator"
        depth -= code[i].text in ")]}" and code[i].kind == "operator"
        if not depth:
            return i
    return len(code) - 1


def functions(code: Sequence[Token]) -> Iterator[tuple[str, int, int]]:
    """Each function's name, and the indices of its body's braces."""
    at, name = 0, ""
    while at < len(code):
        text = code[at].text
        if text == "(" and not name and at and code[at - 1].kind == "name":
            name = code[at - 1].text
            at = _closing(code, at)
        elif text == "{":
            end = _closing(code, at)
            if name and code[at - 1].text != "=":
                yield name, at, end
            at, name = end, ""
        elif text in ";=":
            name = ""
        at += 1


def _is_declaration(code: Sequence[Token], at: int) -> bool:
    if code[at].text in TYPES:
        return True
    if code[at].kind != "name" or code[at].text in ("return", "goto", "break", "continue"):
        return False
    after = at + 1
    while code[after].text == "*":
        after += 1
    return code[after].kind == "name" and code[after + 1].text in "=;,["


def _statements(code: Sequence[Token], begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Simple statements between two braces: the indices of the first token and of the semicolon."""
    at = begin + 1
    while at < end:
        text = code[at].text
        if text in KEYWORDS:
            at += 1
            if text == "case":
                while code[at].text != ":":
                    at += 1
            elif code[at].text == "(" and text not in ("do", "else", "default"):
                at = _closing(code, at) + 1
            continue
        if text in "{};:" or (code[at].kind == "name" and code[at + 1].text == ":"):
            at += 1
            continue
        last, braces = at, False
        while last < end and code[last].text != ";":
            braces |= code[last].text == "{"
            last = _closing(code, last) if code[last].text in "([{" else last
            last += 1
            if braces and code[last - 1].text == "}" and code[last].text not in ";,":
                break  # the body of a macro's loop
        if braces and code[last].text != ";":
            # Look at its head and body as statements of their own.
            while code[at].text != "{":
                at = _closing(code, at) + 1 if code[at].text == "(" else at + 1
            continue
        if not _is_declaration(code, at):
            yield at, last
        at = last + 1


def _has_left_operand(code: Sequence[Token], at: int) -> bool:
    before = code[at - 1]
    return before.kind in ("number", "string") or before.text in (")", "]") or (
        before.kind == "name" and before.text not in ("return", "case", "else"))


def _more(number: str) -> str | None:
    """The number plus one, or None if it is not an integer."""
    match = re.fullmatch(r"(0[xX][0-9a-fA-F]+|\d+)([uUlL]*)", number)
    if not match:
        return None
    return f"{int(match[1], 0) + 1 if not re.fullmatch('0[0-7]+', match[1]) else int(match[1], 8) + 1}{match[2]}"


def _operator_breaks(code: Sequence[Token], at: int) -> Iterator[tuple[str, int, int, str]]:
    token = code[at]
    if token.text in BINARY and _has_left_operand(code, at):
        rule, other = BINARY[token.text]
        yield rule, token.start, token.end, other
    elif token.text in ("++", "--"):
        yield "sign", token.start, token.end, "--" if token.text == "++" else "++"
    elif token.text in "-!~":
        yield "unary", token.start, token.end, " "


def _in_function(code: Sequence[Token], text: str, begin: int, end: int) -> Iterator[tuple[str, int, int, str]]:
    """Rule, start, end and replacement of each break in a body."""
    for first, last in _statements(code, begin, end):
        start, stop = code[first].start, code[last].start
        yield "drop", start, stop, "\n" * text.count("\n", start, stop)
        assigns = any(code[i].text in ("=", "+=", "-=") for i in range(first, last))
        if assigns or (code[first].text == "return" and last > first + 1):
            yield "plus", stop, stop, " + 1"
    for at in range(begin + 1, end):
        token = code[at]
        if token.text in ("if", "while") and code[at + 1].text == "(":
            closing = _closing(code, at + 1)
            yield "negate", code[at + 1].start, code[closing].end, (
                f"(!{text[code[at + 1].start:code[closing].end]})")
        elif token.kind == "operator":
            yield from _operator_breaks(code, at)
        elif token.kind == "number" and _more(token.text):
            yield "constant", token.start, token.end, str(_more(token.text))
        elif token.text in NEXT:
            yield "sibling", token.start, token.end, NEXT[token.text]


def find(file: str, text: str) -> list[Break]:
    """All breaks of a file, in the order of its functions."""
    code = tokens(text)
    found = []
    ordinals: dict[tuple[str, str], int] = defaultdict(int)
    for name, begin, end in functions(code):
        for rule, start, stop, replacement in _in_function(code, text, begin, end):
            ordinals[name, rule] += 1
            line = text[text.rfind("\n", 0, start) + 1:].split("\n", 1)[0]
            mark = hashlib.sha256(" ".join([*line.split(), "\0", *text[start:stop].split()]).encode()).hexdigest()[:8]
            found.append(Break(file, name, rule, ordinals[name, rule], start, stop, replacement, mark))
    return found


def draw(breaks: Sequence[Break], seed: int) -> list[Break]:
    """All breaks in a random order that begins with one of each function, so that a sample of any size from
    its front reaches as many functions as it can."""
    shuffled = list(breaks)
    random.Random(seed).shuffle(shuffled)
    first: dict[tuple[str, str], Break] = {}
    for each in shuffled:
        first.setdefault((each.file, each.function), each)
    front = set(first.values())
    return [*first.values(), *(each for each in shuffled if each not in front)]
