"""The lease that lets one controller act, by name, so that who only asks for it need not import the controller."""

from __future__ import annotations

LEASE = "controller"
