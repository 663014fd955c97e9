"""What a model server counts, as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flyball.serving.endpoint import BUCKETS, Endpoint

_PLAIN: tuple[tuple[str, str, str, Callable[[Endpoint], float]], ...] = (
    ("requests_total", "counter", "Requests.", lambda e: e.counters.requests),
    ("errors_total", "counter", "Requests that failed, and arms that were stood in for.", lambda e: e.counters.errors),
    ("predictions_total", "counter", "Rows answered.", lambda e: e.counters.rows),
    ("logged_total", "counter", "Predictions that rest in the store.", lambda e: e.log.logged),
    ("dropped_total", "counter", "Predictions that found no room in the log.", lambda e: e.log.dropped),
    (
        "features_missing_total",
        "counter",
        "Rows for which a feature could not be looked up.",
        lambda e: e.runtime.lookup.incomplete if e.runtime else 0,
    ),
    ("generation", "gauge", "Generation that answers.", lambda e: e.runtime.manifest.generation if e.runtime else 0),
    ("ready", "gauge", "Whether it answers.", lambda e: int(e.runtime is not None)),
)


def prometheus(endpoints: Iterable[Endpoint]) -> str:
    """The counters of all endpoints in Prometheus' text format."""
    endpoints = list(endpoints)
    lines = []
    for name, kind, text, value in _PLAIN:
        lines += [f"# HELP flyball_serving_{name} {text}", f"# TYPE flyball_serving_{name} {kind}"]
        lines += [f'flyball_serving_{name}{{deployment="{e.name}"}} {value(e)}' for e in endpoints]
    name = "flyball_serving_request_seconds"
    lines += [f"# HELP {name} Time of a request.", f"# TYPE {name} histogram"]
    for endpoint in endpoints:
        label, reached = f'deployment="{endpoint.name}"', 0
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), tuple(endpoint.counters.buckets), strict=True):
            reached += count
            lines.append(f'{name}_bucket{{{label},le="{bound}"}} {reached}')
        lines += [f"{name}_sum{{{label}}} {endpoint.counters.seconds:.6f}", f"{name}_count{{{label}}} {reached}"]
    return "\n".join(lines) + "\n"
