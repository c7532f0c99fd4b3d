# SPDX-License-Identifier: GPL-2.0-or-later
"""Which accelerator the runner chooses: KVM where it is fast enough, and the reason where it is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import fakes
from fakes import alive
from conftest import need_kvm
from runner.errors import CannotRun
from runner.guest import accel, qemu


class TestAccelerator:
    def test_a_fast_kvm_is_used(self) -> None:
        assert accel.judge((12 << 1) | 1, "").reason == ""

    @pytest.mark.parametrize("log2", [18, 21, 25])
    def test_a_kvm_that_interprets_is_not(self, log2: int) -> None:
        assert "cycles an instruction" in accel.judge((log2 << 1) | 1, "").reason

    def test_a_qemu_that_fails_is_quoted(self) -> None:
        assert "no MSR" in accel.judge(1, "first\nno MSR\n").reason

    def test_no_device_is_named(self, tmp_path: Path) -> None:
        assert accel.kvm_obstacle(tmp_path / "kvm") == f"there is no {tmp_path}/kvm"

    def test_a_probe_that_hangs_is_given_up(self, tmp_path: Path) -> None:
        path = fakes.qemu(tmp_path, "exec sleep 1000")
        found = accel.measure(str(path), tmp_path / "rom", tmp_path / "elf", seconds=0.3)
        assert "within 0.3 s" in found.reason
        assert not alive(tmp_path / "qemu.pid")

    def test_the_answer_is_kept_until_qemu_changes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        (tmp_path / "elf").write_text("")
        count = tmp_path / "count"
        path = fakes.qemu(tmp_path, f"echo x >>{count}; exit 25")
        for _ in range(2):
            assert accel.probe(str(path), tmp_path / "rom", tmp_path / "elf").reason == ""
        assert count.read_text().count("x") == 1
        os.utime(path, ns=(1, 1))
        accel.probe(str(path), tmp_path / "rom", tmp_path / "elf")
        assert count.read_text().count("x") == 2

    def test_kvm_is_judged_on_this_machine(self, built: Path) -> None:
        need_kvm()
        from runner.guest import firmware

        found = accel.measure(qemu.find(None).path, firmware.qboot(), built / "probe.elf")
        # Either a figure or QEMU's own words: never a silence.
        assert found.cycles > 0 or "KVM does not run" in found.reason


KVM_CHOSEN = accel.Accel("kvm", ("-accel", "kvm", "-cpu", "host,+invtsc"))


@pytest.mark.parametrize("asked, host, cpu", [
    (None, accel.HostTsc(2400000, False), "host,+invtsc,tsc-frequency=2400000000"),
    (None, accel.HostTsc(0, False), "host,+invtsc"),
    (2400000000, accel.HostTsc(2400000, False), "host,+invtsc,tsc-frequency=2400000000"),
    (2000000000, accel.HostTsc(2400000, True), "host,+invtsc,tsc-frequency=2000000000"),
])
def test_an_invariant_tsc_is_migrated_with_its_frequency(asked: int | None, host: accel.HostTsc, cpu: str) -> None:
    assert accel.migratable(KVM_CHOSEN, asked, lambda: host).args[-1] == cpu


def test_a_frequency_that_the_guest_cannot_have_is_refused() -> None:
    with pytest.raises(CannotRun) as caught:
        accel.migratable(KVM_CHOSEN, 2000000000, lambda: accel.HostTsc(2400000, False))
    assert "no TSC scaling: --tsc-frequency can be 2400000000 only" in caught.value.sentence
    tcg = accel.Accel("tcg", accel.TCG_ARGS)
    assert accel.migratable(tcg, None) == tcg
    with pytest.raises(CannotRun) as caught:
        accel.migratable(tcg, 2000000000)
    assert "needs KVM" in caught.value.sentence
