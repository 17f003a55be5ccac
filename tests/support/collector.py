"""An OpenTelemetry collector that keeps what it is sent: OTLP over HTTP, as protobuf."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Collector:
    """What was sent, and where to send it.

    Attributes:
        url: for `OTEL_EXPORTER_OTLP_ENDPOINT`.
        bodies: the requests as they came, for a search for secrets.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.bodies: list[bytes] = []
        self._sent: list[tuple[str, bytes]] = []

    def take(self, path: str, body: bytes) -> None:
        """Keep one request."""
        self.bodies.append(body)
        self._sent.append((path, body))

    def metrics(self, name: str) -> list[tuple[dict[str, str], Any]]:
        """The data points of one metric, with their attributes, as often as they were sent."""
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

        found = []
        for resource in self._read("/v1/metrics", ExportMetricsServiceRequest, "resource_metrics"):
            for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
                if metric.name == name:
                    points = getattr(metric, metric.WhichOneof("data")).data_points
                    found += [(_plain(point.attributes), point) for point in points]
        return found

    def spans(self) -> list[tuple[str, dict[str, str], list[str]]]:
        """The spans: name, attributes, and the names of their events."""
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        return [
            (span.name, _plain(span.attributes), [event.name for event in span.events])
            for resource in self._read("/v1/traces", ExportTraceServiceRequest, "resource_spans")
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def _read(self, path: str, message: Any, field: str) -> Iterator[Any]:
        for where, body in list(self._sent):
            if where == path:
                yield from getattr(message.FromString(body), field)


def _plain(attributes: Any) -> dict[str, str]:
    return {each.key: str(getattr(each.value, each.value.WhichOneof("value"))) for each in attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a port of loopback, for as long as the block."""
    server: ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing: the test says what matters."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
