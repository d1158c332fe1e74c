"""
Packages that only some need: imported when they are, by the name of the extra that brings them.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from pacer.errors import UsageError


def from_extra(extra: str, module: str, *, needed_for: str) -> ModuleType:
    """
    Return *module*, which ``pip install 'aisearch-pacer[EXTRA]'`` brings.

    Errors:
        UsageError: It is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise UsageError(
            f"{needed_for} needs the package {package}: pip install 'aisearch-pacer[{extra}]'"
        ) from error
