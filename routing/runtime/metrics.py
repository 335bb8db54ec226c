"""What Prometheus is told. The engine counts here as things happen; `routing.api.machines` adds the rest when
asked."""

import asyncio
import time
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from routing.core.feed import FeedEvent
from routing.core.lifecycle import Decision
from routing.runtime import log

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

INTERACTIONS = Gauge(
    "ringback_interactions", "Interactions that are not closed", ["status", "subtype"], registry=REGISTRY
)
OFFERS = Counter("ringback_offers", "Offers made to agents", ["queue"], registry=REGISTRY)
ACCEPTS = Counter("ringback_accepts", "Offers accepted, by what", ["by"], registry=REGISTRY)
ATTEMPTS = Counter("ringback_attempts", "Dials to customers that ended", ["outcome"], registry=REGISTRY)
CLOSED = Counter("ringback_closed", "Interactions closed", ["outcome"], registry=REGISTRY)
ACCEPT_TO_DIAL = Histogram(
    "ringback_accept_to_dial_seconds",
    "From the event that let us dial (accepted, or the phone rings or was answered) until Asterisk took the dial",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
    registry=REGISTRY,
)
CALLS_REFUSED = Counter(
    "ringback_calls_refused", "Calls in that were turned away, by the reason or the limit", ["why"], registry=REGISTRY
)
NUMBERS_REFUSED = Counter(
    "ringback_numbers_refused", "Promises and dials the number rules refused", ["rule"], registry=REGISTRY
)
EVENTS_IGNORED = Counter(
    "ringback_events_ignored", "Late news from the network, passed over on purpose", ["event"], registry=REGISTRY
)
PROMPTS_FAILED = Counter("ringback_prompts_failed", "Prompts that could not be played", registry=REGISTRY)
UNREADABLE = Counter(
    "ringback_unreadable_rows", "Rows that were passed over as this version cannot read them", registry=REGISTRY
)
PUT_RIGHT = Counter(
    "ringback_put_right",
    "What Asterisk and the rows disagreed on for more than a moment",
    ["what"],
    registry=REGISTRY,
)
CLOCK_JUMPS = Counter(
    "ringback_clock_jumps", "Jumps of Postgres' clock, or this machine suspended", ["direction"], registry=REGISTRY
)
CLOCK_SHIFT = Gauge("ringback_clock_shift_seconds", "All jumps of Postgres' clock, added up", registry=REGISTRY)
CLOCK_AHEAD = Gauge(
    "ringback_clock_ahead_seconds", "By how much this machine's clock is ahead of Postgres'", registry=REGISTRY
)
LOOP_LAG = Histogram(
    "ringback_event_loop_lag_seconds",
    "How much later than asked the event loop woke a sleeper",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
    registry=REGISTRY,
)
ARI_WAITING = Gauge("ringback_ari_events_waiting", "Events read and not yet handed on", registry=REGISTRY)
ARI_ODD = Gauge("ringback_ari_events_odd", "Events not understood since the start", registry=REGISTRY)
ARI_CONNECTS = Gauge("ringback_ari_connects", "How often contact was made since the start", registry=REGISTRY)
ARI_SILENT = Gauge(
    "ringback_ari_silent_seconds", "Since anything was heard over ARI, a pong at least", registry=REGISTRY
)
AMI_SILENT = Gauge("ringback_ami_silent_seconds", "Since the last pong over AMI", registry=REGISTRY)
AMI_STATE = Gauge("ringback_ami_state", "1 for what Asterisk is, seen over AMI", ["state"], registry=REGISTRY)
PART_UP = Gauge("ringback_part_up", "Whether a part answers", ["part"], registry=REGISTRY)
HTTP_REQUESTS = Histogram(
    "ringback_http_request_seconds",
    "Requests by route and status",
    ["method", "route", "status"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
    registry=REGISTRY,
)
STREAM_CLIENTS = Gauge("ringback_stream_clients", "Open live streams", registry=REGISTRY)
LOG_LINES_DROPPED = Gauge("ringback_log_lines_dropped", "Log lines that could not be written", registry=REGISTRY)
LOG_LINES_DROPPED.set_function(log.dropped)

_LAG_EVERY = 0.5


def observe(decision: Decision) -> None:
    """Count what a stored decision means. Called once for each."""
    for line in decision.feed:
        match line.event:
            case FeedEvent.OFFERED:
                OFFERS.labels(queue=decision.interaction.queue).inc()
            case FeedEvent.ACCEPTED:
                ACCEPTS.labels(by=line.data.get("by", "unknown")).inc()
            case FeedEvent.ATTEMPT_ENDED:
                ATTEMPTS.labels(outcome=line.data["outcome"]).inc()
            case FeedEvent.CLOSED:
                CLOSED.labels(outcome=line.data["outcome"]).inc()
            case _:
                pass


def set_interactions(counts: Iterable[tuple[str, str, int]]) -> None:
    """The interactions that are not closed, as (status, subtype, how many)."""
    INTERACTIONS.clear()
    for status, subtype, n in counts:
        INTERACTIONS.labels(status=status, subtype=subtype).set(n)


def set_parts(parts: Mapping[str, bool]) -> None:
    for part, up in parts.items():
        PART_UP.labels(part=part).set(up)


async def watch_loop_lag() -> None:
    """Measure for ever how late the event loop is."""
    while True:
        asked = time.monotonic() + _LAG_EVERY
        await asyncio.sleep(_LAG_EVERY)
        LOOP_LAG.observe(max(0.0, time.monotonic() - asked))
