# SPDX-License-Identifier: GPL-2.0-or-later
"""Cuts a script that shows a difference down to what is needed for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Judge = Callable[[Sequence[str]], bool]
FINE = 4096  # numbers below this become as small as they can be; larger ones lose binary digits


def _fewer(differs: Judge, script: list[str]) -> list[str]:
    """Without each run of lines that is not needed, long runs first; the init stays."""
    size = len(script) // 2
    while size:
        start, shorter = 1, False
        while start < len(script):
            candidate = [*script[:start], *script[start + size:]]
            if differs(candidate):
                script, shorter = candidate, True
            else:
                start += size
        # What was needed may no longer be, once later lines are gone.
        if not (shorter and size == 1):
            size //= 2
    return script


def _smallest(differs: Callable[[int], bool], value: int) -> int:
    """The number nearest to zero that bisection finds. differs(value) is true."""
    sign, value = (-1 if value < 0 else 1), abs(value)
    if not value or differs(0):
        return 0
    # Fewest digits first: value >> low differs, value >> high does not.
    low, high = 0, value.bit_length()
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if differs(sign * (value >> middle)) else (low, middle)
    best, refused = value >> low, value >> high
    while best < FINE and best - refused > 1:
        middle = (best + refused) // 2
        best, refused = (middle, refused) if differs(sign * middle) else (best, middle)
    return sign * best


def _smaller(differs: Judge, script: list[str]) -> list[str]:
    """With each number as near to zero as bisection finds."""
    for i, line in enumerate(script):
        name, *numbers = line.split()
        for j in range(len(numbers)):
            def with_number(number: int) -> list[str]:
                changed = [*numbers[:j], str(number), *numbers[j + 1:]]
                return [*script[:i], " ".join([name, *changed]), *script[i + 1:]]

            least = _smallest(lambda number: differs(with_number(number)), int(numbers[j], 0))
            script = with_number(least)
            numbers[j] = str(least)
    return script


def shrink(differs: Judge, script: Sequence[str], tries: int = 1000) -> list[str]:
    """A shorter script that differs still: fewer operations, then smaller numbers. `tries` bounds the calls of
    differs()."""
    left = tries

    def bounded(candidate: Sequence[str]) -> bool:
        nonlocal left
        left -= 1
        return left >= 0 and differs(candidate)

    return _smaller(bounded, _fewer(bounded, list(script)))
