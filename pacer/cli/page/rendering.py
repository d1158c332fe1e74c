"""
The page as text: a template, a style sheet, the library that draws, and the data.

Nothing in it asks the network for anything, and its content security policy
would not let it: no source is allowed but the two scripts written here, which
are named by their digests. A stranger's text that got around the template's
escaping would still not run.
"""

from __future__ import annotations

import base64
import hashlib
import time
from importlib import resources
from pathlib import Path

from pacer.cli.exits import without_key
from pacer.cli.page.figures import page_of
from pacer.cli.page.words import clean, moment
from pacer.errors import UsageError
from pacer.report import Captures, Report, Timeline
from pacer.version import __version__

MARK = "<!doctype html><!-- pacer report -->"
"""How each page begins: what begins otherwise is somebody else's file."""


def check_extra() -> None:
    """
    Make sure that what the page is made with is installed.

    Errors:
        UsageError: It is not.
    """
    try:
        import jinja2  # noqa: F401 - only to see whether it is there
        import vl_convert  # noqa: F401 - the same
    except ImportError as error:
        raise UsageError(
            "--html needs libraries that draw, which are not installed: pip install 'aisearch-pacer[report]'"
        ) from error


def render(report: Report, timeline: Timeline, captures: Captures, journal: Path) -> str:
    """Return the page; :func:`check_extra` has passed."""
    import vl_convert
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    page = page_of(report, timeline, captures)
    pictures = [picture for _, _, section in page.sections for picture in section]
    specs = {picture.name: picture.spec for picture in pictures if picture.spec is not None}
    scripts = [_resource("page.js")]
    if specs:
        library = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
        scripts.insert(0, library.replace("</script", "<\\/script"))
    environment = Environment(
        loader=PackageLoader("pacer.cli.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template("page.html.j2").render(
        mark=Markup(MARK),
        page=page,
        specs=specs,
        style=Markup(_resource("page.css")),
        scripts=[Markup(script) for script in scripts],
        sources=" ".join(_digest(script) for script in scripts),
        journal=clean(journal),
        version=__version__,
        made_at=moment(time.time()),
    )
    return without_key(text)


def _resource(name: str) -> str:
    return resources.files("pacer.cli.page").joinpath(name).read_text("utf-8")


def _digest(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
