"""What people write as amounts, and what they are asked about a shot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from renderjuice_provider.links.renderjuice import picture_of_run
from stages import sharing
from stages.amounts import normalized_seconds
from stages.defaults import CONNECTION
from stages.entries import JOBS
from stages.quotes import Quote, whole
from stages.storage import join, read_json


def amount(value: Any, what: str) -> float | None:
    """An amount in normalized seconds; None where there is none. See `stages.amounts`.

    Raises:
        ValueError: when it cannot be right, such as money without a rate.
    """
    if value is None or value == "":
        return None
    from renderjuice_provider.hooks.renderjuice import RenderjuiceHook

    return normalized_seconds(value, what, RenderjuiceHook(CONNECTION).get_price())


def question(
    order: Mapping[str, Any],
    decision: Mapping[str, Any],
    quotes: Mapping[str, Quote],
    above: float,
    run: tuple[str, str],
) -> str:
    """What is asked, in Markdown: the quote, the reason, and a frame that is rendered already."""
    quote = whole(quotes)
    if quote is None:
        return ""
    made = "by three frames of it" if quote.source == "probe" else f"by its last {quote.nights} nights"
    lines = [
        f"**{quote.likely:,.0f} normalized seconds** are likely, {quote.least:,.0f} to {quote.most:,.0f}: {made}.",
        f"You are asked since that may be more than `ask_above`, {above:,.0f}. Settings: {decision['why']}.",
    ]
    if found := sharing.share_of(order):
        night, _ = found
        lines.append(
            f"The night's ceiling is {night.ceiling:,.0f}. Of it {night.spent:,.0f} are spent, and {night.handed_out:,.0f} handed "
            f"out, this shot's {quote.most:,.0f} among them."
        )
    lines.append("**Reject**, or no answer: nothing more of it is rendered this night.")
    if job := _newest_job(order):
        lines.append(f"![A frame that is rendered]({picture_of_run(*run, job)})")
    return "\n\n".join(lines)


def _newest_job(order: Mapping[str, Any]) -> str:
    for layer in reversed(order["layers"]):
        jobs = read_json(join(order["work"], layer, JOBS))
        if isinstance(jobs, list) and jobs and isinstance(jobs[-1], dict):
            return str(jobs[-1].get("job_id") or "")
    return ""
