"""A program that sets OpenTelemetry up after its client is made: `python -m processes.traced_program ADDRESS`.

It prints, as a line of JSON, the names of the spans of one call, and whether OpenTelemetry was there before.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from impasto.client import Client

TERMS = {"a": np.ones(2, np.float32), "b": np.ones(2, np.float32)}


def main(address: str) -> None:
    """Call once without and once with it."""
    with Client(address) as client:
        client.predict("add", TERMS)
        early = sorted(name for name in sys.modules if name.startswith("opentelemetry"))

        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        client.predict("add", TERMS)  # imported, but not set up
        exporter, provider = InMemorySpanExporter(), TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
        client.predict("add", TERMS)
    spans = [span.name for span in exporter.get_finished_spans()]
    sys.stdout.write(json.dumps({"early": early, "spans": spans}))


if __name__ == "__main__":
    main(*sys.argv[1:])
