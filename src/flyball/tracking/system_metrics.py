"""The load of the machine as metrics: processor, memory, disk, network, graphics processors."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from flyball.errors import InvalidInput, MissingExtra

logger = logging.getLogger(__name__)

_MIB = 1 << 20


class Sampler:
    """Takes a sample every so many seconds, on a thread of its own.

    Args:
        log: Takes the metrics of a sample.
        seconds: Between two samples.

    Raises:
        MissingExtra: psutil is not installed.
        InvalidInput: there are no such seconds.
    """

    def __init__(self, log: Callable[[Mapping[str, float]], None], seconds: float) -> None:
        if not seconds > 0:
            raise InvalidInput(f"The machine's load cannot be taken every {seconds} seconds.")
        self._log = log
        self._seconds = float(seconds)
        self._over = threading.Event()
        self._readers: list[_Machine | _Graphics] = [_Machine(), *_graphics()]
        self._thread = threading.Thread(target=self._work, name="flyball-system-metrics", daemon=True)

    def start(self) -> None:
        """Begins; the first sample is taken at once."""
        self._thread.start()

    def stop(self) -> None:
        """Takes a last sample and ends."""
        self._over.set()
        self._thread.join(2.0)

    def _work(self) -> None:
        is_last = False
        while True:
            try:
                sample: dict[str, float] = {}
                for reader in self._readers:
                    sample |= reader.read()
                self._log(sample)
            except Exception:  # a sample that cannot be taken must not stop the work that it tells of
                logger.debug("a sample of the machine's load failed", exc_info=True)
            if is_last:
                return
            is_last = self._over.wait(self._seconds)


class _Machine:
    """Processor, memory, disk and network, by psutil."""

    def __init__(self) -> None:
        try:
            psutil: Any = import_module("psutil")
        except ImportError as error:
            raise MissingExtra("System metrics need psutil.", hint="pip install 'flyball[system]'") from error
        self._psutil = psutil
        self._process = psutil.Process()
        self._process.cpu_percent()
        psutil.cpu_percent()
        self._last = self._counters()
        self._at = time.monotonic()

    def read(self) -> dict[str, float]:
        """What is so now, and what went through since the last time."""
        now, counters = time.monotonic(), self._counters()
        seconds = max(now - self._at, 1e-3)
        rates = {key: (value - self._last.get(key, value)) / seconds / _MIB for key, value in counters.items()}
        self._at, self._last = now, counters
        memory = self._psutil.virtual_memory()
        found = {
            "system/cpu_percent": self._psutil.cpu_percent(),
            "system/memory_percent": memory.percent,
            "system/memory_used_mib": memory.used / _MIB,
            "system/process_cpu_percent": self._process.cpu_percent(),
            "system/process_memory_mib": self._process.memory_info().rss / _MIB,
        }
        with contextlib.suppress(OSError):
            found["system/disk_used_percent"] = self._psutil.disk_usage(".").percent
        return {key: float(value) for key, value in (found | rates).items()}

    def _counters(self) -> dict[str, float]:
        found: dict[str, float] = {}
        disk, network = None, None
        with contextlib.suppress(OSError, RuntimeError):
            disk = self._psutil.disk_io_counters()
        with contextlib.suppress(OSError, RuntimeError):
            network = self._psutil.net_io_counters()
        if disk is not None:
            found["system/disk_read_mib_s"] = disk.read_bytes
            found["system/disk_write_mib_s"] = disk.write_bytes
        if network is not None:
            found["system/network_received_mib_s"] = network.bytes_recv
            found["system/network_sent_mib_s"] = network.bytes_sent
        return found


class _Graphics:
    """One graphics processor, by NVIDIA's library."""

    def __init__(self, library: Any, number: int) -> None:
        self._library = library
        self._number = number
        self._handle = library.nvmlDeviceGetHandleByIndex(number)

    def read(self) -> dict[str, float]:
        """Load, memory, power and heat; what a card does not tell is left out."""
        library, prefix = self._library, f"system/gpu_{self._number}"
        found: dict[str, float] = {}
        with contextlib.suppress(library.NVMLError):
            found[f"{prefix}_percent"] = library.nvmlDeviceGetUtilizationRates(self._handle).gpu
        with contextlib.suppress(library.NVMLError):
            memory = library.nvmlDeviceGetMemoryInfo(self._handle)
            found[f"{prefix}_memory_mib"] = memory.used / _MIB
            found[f"{prefix}_memory_percent"] = 100.0 * memory.used / max(memory.total, 1)
        with contextlib.suppress(library.NVMLError):
            found[f"{prefix}_power_watts"] = library.nvmlDeviceGetPowerUsage(self._handle) / 1000
        with contextlib.suppress(library.NVMLError):
            found[f"{prefix}_celsius"] = library.nvmlDeviceGetTemperature(self._handle, library.NVML_TEMPERATURE_GPU)
        return {key: float(value) for key, value in found.items()}


def _graphics() -> list[_Graphics]:
    try:
        pynvml: Any = import_module("pynvml")
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
        return [_Graphics(pynvml, number) for number in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:  # no card, or no driver
        return []
