"""
How hard hypothesis tries: ``pacing`` in CI, more with ``PACING_EXAMPLES=2000``.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "pacing",
    max_examples=int(os.environ.get("PACING_EXAMPLES", "150")),
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("pacing")
