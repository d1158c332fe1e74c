"""
Run any number of seeds::

    python -m tests.reliability --seeds 10000 --jobs 2
    python -m tests.reliability --seed 4711 --verbose
"""

from __future__ import annotations

from tests.reliability.command import main

raise SystemExit(main())
