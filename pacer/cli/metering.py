"""
``--metrics-port``: serving a run's metrics while it runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pacer.cli.display import Display
from pacer.errors import UsageError


@contextmanager
def metered(display: Display, port: int | None, host: str) -> Iterator[Display]:
    """
    Serve metrics on *host* and *port* inside the context; without a port, do nothing.

    The server is prometheus-client's own, in a thread of its own: it answers
    also while a large input is read.

    Args:
        port: 0 takes a free one; the display says which.

    Returns:
        What to show the run on instead of *display*.

    Errors:
        UsageError: prometheus-client is missing, or the port is not to be had.
    """
    if port is None:
        yield display
        return
    try:
        from prometheus_client import disable_created_metrics, start_http_server
    except ImportError:
        raise UsageError(
            "--metrics-port needs prometheus-client. Install it with: pip install 'aisearch-pacer[metrics]'"
        ) from None
    from pacer.cli.display.metered import MeteredDisplay
    from pacer.instrumentation.metrics import to_prometheus

    # A series more for each counter, which nobody asks for.
    disable_created_metrics()  # type: ignore[no-untyped-call] # it takes and returns nothing
    metrics = to_prometheus()
    try:
        server, thread = start_http_server(port, host, metrics.registry)
    except OSError as error:
        raise UsageError(
            f"Metrics cannot be served on {host} port {port}: {error.strerror}. Name another with "
            "--metrics-port (0 takes a free one) or --metrics-host, or end what listens there."
        ) from error
    try:
        shown = f"[{host}]" if ":" in host else host
        display.note(f"metrics: http://{shown}:{server.server_port}/metrics")
        yield MeteredDisplay(display, metrics)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
