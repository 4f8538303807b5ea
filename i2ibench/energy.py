"""Energy that the machine used during a run, where the platform tells (Linux powercap counters)."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from pathlib import Path

_POWERCAP = Path("/sys/class/powercap")
# Whole processor packages; their parts (cores, memory) are named intel-rapl:0:0.
_PACKAGE = re.compile(r"intel-rapl:\d+")
# A counter of 262 kJ wraps after nine minutes at 500 W, so it is read well before that.
_INTERVAL_SECONDS = 60.0


@dataclass(slots=True)
class _Counter:
    """One counter in microjoules that starts again at ``wraps_at``."""

    file: Path
    wraps_at: int
    last: int
    used: int = 0

    def read(self) -> None:
        now = int(self.file.read_text(encoding="ascii"))
        self.used += (now - self.last) % self.wraps_at
        self.last = now


@dataclass(slots=True)
class EnergyMeter:
    """Adds up what the processor packages use from ``start`` on, whatever program uses it."""

    root: Path = _POWERCAP
    _counters: list[_Counter] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Begin to count from zero, also where it counts already."""
        if self._counters:
            self._read()
            for counter in self._counters:
                counter.used = 0
            return
        self._counters = _find_counters(self.root)
        if self._counters:
            threading.Thread(target=self._keep_reading, daemon=True).start()

    def joules(self) -> float | None:
        """Return the joules used since ``start``; None where the platform does not tell."""
        if not self._counters or not self._read():
            return None
        return round(sum(counter.used for counter in self._counters) / 1e6, 1)

    def _read(self) -> bool:
        with self._lock:
            try:
                for counter in self._counters:
                    counter.read()
            except (OSError, ValueError):
                return False
        return True

    def _keep_reading(self) -> None:
        pause = threading.Event()
        while self._read():
            pause.wait(_INTERVAL_SECONDS)


def _find_counters(root: Path) -> list[_Counter]:
    """Return the readable counters of all processor packages; the kernel hides them from users."""
    found = []
    for folder in sorted(root.glob("intel-rapl:*")):
        if not _PACKAGE.fullmatch(folder.name):
            continue
        try:
            last = int((folder / "energy_uj").read_text(encoding="ascii"))
            largest = int((folder / "max_energy_range_uj").read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        found.append(_Counter(folder / "energy_uj", largest + 1, last))
    return found


# The meter of this process.
meter = EnergyMeter()
