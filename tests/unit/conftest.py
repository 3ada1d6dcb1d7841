"""What the unit tests share."""

from __future__ import annotations

from hypothesis import settings

# Machines are noisy: how long an example takes is no property.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
