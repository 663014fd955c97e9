"""The machine's load as metrics."""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest

from flyball.errors import InvalidInput, MissingExtra
from flyball.tracking.system_metrics import Sampler


def sample(**given: float) -> list[dict[str, float]]:
    found: list[dict[str, float]] = []
    sampler = Sampler(lambda metrics: found.append(dict(metrics)), **({"seconds": 0.02} | given))
    sampler.start()
    time.sleep(0.1)
    sampler.stop()
    return found


def test_processor_memory_disk_and_network_are_told() -> None:
    found = sample()
    assert len(found) >= 3
    assert all(key.startswith("system/") and isinstance(value, float) for key, value in found[-1].items())
    assert 0 < found[-1]["system/memory_percent"] < 100
    assert found[-1]["system/process_memory_mib"] > 1


class Cards:
    """NVIDIA's library with one card that does not tell its power."""

    class NVMLError(Exception):
        """What it raises."""

    NVML_TEMPERATURE_GPU = 0

    def __getattr__(self, name: str) -> Any:
        answers: dict[str, Any] = {
            "nvmlInit": None,
            "nvmlDeviceGetCount": 1,
            "nvmlDeviceGetHandleByIndex": "card",
            "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=40),
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(used=1 << 30, total=4 << 30),
            "nvmlDeviceGetTemperature": 60,
        }

        def call(*_: object) -> Any:
            if name not in answers:
                raise self.NVMLError(name)
            return answers[name]

        return call


def test_graphics_processors_are_told_where_there_are_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", Cards())
    found = sample()[-1]
    assert {key: value for key, value in found.items() if "gpu" in key} == {
        "system/gpu_0_percent": 40.0,
        "system/gpu_0_memory_mib": 1024.0,
        "system/gpu_0_memory_percent": 25.0,
        "system/gpu_0_celsius": 60.0,
    }


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_no_such_seconds_are_refused(seconds: float) -> None:
    with pytest.raises(InvalidInput):
        Sampler(lambda _: None, seconds)


def test_without_psutil_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(MissingExtra, match=r"flyball\[system\]"):
        Sampler(lambda _: None, 1)
