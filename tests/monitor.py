# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's monitor, for tests that stop a machine, press its keys or look at its screen."""

from __future__ import annotations

import json
import socket
from typing import Any

from conftest import SECONDS


class Monitor:
    """QEMU's monitor, on one end of a socket pair."""

    def __init__(self, ours: socket.socket) -> None:
        ours.settimeout(SECONDS)
        self.file = ours.makefile("rw")
        self.file.readline()
        self.send("qmp_capabilities")

    def send(self, what: str, **arguments: object) -> Any:
        """What the command returns."""
        self.file.write(json.dumps({"execute": what, "arguments": arguments}) + "\n")
        self.file.flush()
        for line in self.file:
            answer = json.loads(line)
            assert "error" not in answer, answer
            if "return" in answer:
                return answer["return"]
        raise AssertionError(f"QEMU ended before it answered {what}")
