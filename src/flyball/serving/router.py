"""Which arm answers a key: by weight, and always the same one for the same key."""

from __future__ import annotations

from collections.abc import Sequence

import blake3

from flyball.errors import InvalidInput
from flyball.serving.manifest import Arm

_SPAN = float(1 << 64)


class Router:
    """Sends keys to the arms of one deployment.

    A key's hash is a point between 0 and 1. The first challenger answers from 0 upwards, the second from 1 downwards,
    further ones next to these; the champion answers what is left. So a challenger that grows keeps every key it had.

    Args:
        deployment: Hashed along with the key, as is the first challenger: another rollout tries other keys first.
        arms: Exactly one champion, any number of challengers and shadows.

    Raises:
        InvalidInput: there is not exactly one champion, or a weight is no share.
    """

    def __init__(self, deployment: str, arms: Sequence[Arm]) -> None:
        champions = [place for place, arm in enumerate(arms) if arm.role == "champion"]
        if len(champions) != 1:
            raise InvalidInput(f"Deployment '{deployment}' has {len(champions)} champions; it needs exactly one.")
        routed = [(place, arm) for place, arm in enumerate(arms) if arm.role != "shadow"]
        for _, arm in routed:
            if not 0 <= arm.weight < float("inf"):
                raise InvalidInput(f"Revision '{arm.revision}' has the weight {arm.weight}.", hint="Give a share of 1.")
        total = sum(arm.weight for _, arm in routed) or 1.0
        challengers = [(place, arm.weight / total) for place, arm in routed if arm.role == "challenger"]
        self.champion = champions[0]
        self._spans = _spans([(place, share) for place, share in challengers if share > 0])
        first = arms[challengers[0][0]].revision if challengers else ""
        self._salt = f"{deployment}/{first}/".encode()

    @property
    def is_shared(self) -> bool:
        """Whether any challenger answers keys."""
        return bool(self._spans)

    def places(self, keys: Sequence[str]) -> list[int]:
        """The place of the answering arm, for each key."""
        if not self._spans:
            return [self.champion] * len(keys)
        return [self._place(self.point(key)) for key in keys]

    def point(self, key: str) -> float:
        """Where the key lies between 0 and 1."""
        hashed = blake3.blake3(self._salt + key.encode("utf-8", "surrogatepass")).digest(8)
        return int.from_bytes(hashed) / _SPAN

    def _place(self, point: float) -> int:
        for place, low, high in self._spans:
            if low <= point < high:
                return place
        return self.champion


def _spans(challengers: Sequence[tuple[int, float]]) -> list[tuple[int, float, float]]:
    low, high, spans = 0.0, 1.0, []
    for turn, (place, share) in enumerate(challengers):
        if turn % 2 == 0:
            spans.append((place, low, low + share))
            low += share
        else:
            # The hash may round to 1.0, which belongs to whoever answers from above.
            spans.append((place, high - share, high if high < 1 else 2.0))
            high -= share
    return spans
