"""The task between a shot's quote and its render: may it be spent, and has it a share?"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator

from renderjuice_provider.xcom_keys import QUOTE
from stages.compat import AirflowFailException
from stages.defaults import ANSWER_HOURS, CONNECTION, POLL_INTERVAL
from stages.leaving import leave, rendered, show
from stages.quotes import Quote, whole
from stages.refusals import no_use_to_retry

_WAITED_OUT = ("planned", "probing", "waiting")
_LOOK_AFTER = 10
"""Polls without news of the night, after which one that waits looks for runs that have died."""
_TAKES_TIMEOUT = "response_timeout" in inspect.signature(HITLOperator.__init__).parameters
_TIMEOUT = "response_timeout" if _TAKES_TIMEOUT else "execution_timeout"
"""What limits the wait for an answer: earlier releases of the standard provider take the latter."""
_NOTHING_MORE = "This run has ordered nothing more."


class ShareOperator(ApprovalOperator):
    """Quote a shot, have it a share of the night's ceiling, and ask whether it may be spent.

    Nothing of this costs a worker while it waits. The share is taken before somebody is asked: the
    others need not wait for the answer, and nobody is asked about a shot that cannot be rendered. A
    shot that gets no share, that is refused, or about which nobody answers in time, is `held`: its
    entry says so, and all tasks after this one are skipped.

    Pushes `before`: by layer, the jobs that the share is not for.

    Raises:
        AirflowFailException: when there is no log any more, or another run has the shot.
        RenderjuiceError: when Renderjuice cannot be asked what the run's jobs have cost.
    """

    template_fields = ()
    """Names of a shot list are no templates."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs[_TIMEOUT] = timedelta(hours=ANSWER_HOURS)
        super().__init__(subject="May this be rendered?", **kwargs)

    def execute(self, context: Any) -> Any:
        """Quote the shot, settle its probe, and ask for its share."""
        from stages import history, share_log, shares, sharing

        ti, order, decision = _of(context)
        with no_use_to_retry(order["shot"], _NOTHING_MORE):
            if no_probe := ti.xcom_pull(task_ids="decide", key="no_probe"):
                return self._hold(context, no_probe)
            quotes = history.quotes_of(order, decision, CONNECTION)
            has_all = quotes.keys() == {*order["layers"]}
            if sharing.share_of(order) is not None:
                spent, _ = sharing.cost_of_run(sharing.shot_folder(order), ti.run_id)

                def asked(found: Any) -> Any:
                    found = sharing.joined(order, ti.run_id, found)
                    found = shares.settled(found, order["shot"], ti.run_id, spent, is_probe=True)
                    return shares.quoted(found, order["shot"], ti.run_id, quotes) if has_all else found

                share_log.change(sharing.folder_of(order), asked)
            if not has_all:
                return self._hold(context, "Renderjuice does not say what its probe has cost, so there is no quote")
            return self._go_on(context, quotes)

    def share_came(self, context: Any, event: Mapping[str, Any]) -> Any:
        """The log has another word about the shot; or nothing has come for long."""
        from stages import sharing
        from stages.runs import run_state

        ti, order, _ = _of(context)
        with no_use_to_retry(order["shot"], _NOTHING_MORE):
            if event["value"] not in {"given", "held"}:
                sharing.settle_the_dead(order, lambda dag_id, run_id: run_state(ti, dag_id, run_id))
            return self._go_on(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Somebody has answered, or nobody has."""
        if event.get("error_type") == "timeout":
            return self._hold(context, f"nobody has answered within {ANSWER_HOURS:g} h whether it may be rendered")
        if event.get("chosen_options") == [self.REJECT]:
            who = (event.get("responded_by_user") or {}).get("name") or "somebody"
            self._leave_held(context, f"{who} has refused it")
        answered = super().execute_complete(context, event)  # skips what follows when it is refused
        return self._take(context) if answered["chosen_options"] == [self.APPROVE] else None

    def _go_on(self, context: Any, quotes: Mapping[str, Quote] | None = None) -> Any:
        """As the log says: held, a share, or to wait for one."""
        from stages import ceiling_alerts, sharing

        ti, order, _ = _of(context)
        found = sharing.share_of(order)
        if found is not None:
            night, mine = found
            ceiling_alerts.alert(sharing.folder_of(order), night, context)
            if mine is None or mine.run_id != ti.run_id:
                raise AirflowFailException(f"Another run has {order['shot']} now. {_NOTHING_MORE}")
            if mine.state == "held":
                return self._hold(context, mine.why)
            if mine.state in _WAITED_OUT and mine.quote:
                _push_quote(ti, mine.quote, None, night.ceiling)
                left = f"{night.left:,.0f} s of {night.ceiling:,.0f} s are left"
                show(ti, "waiting", f"waits for its share: needs {mine.quote.most:,.0f} s, {left}")
                self._wait(sharing.folder_of(order), order["shot"])
            if mine.state != "given":
                raise AirflowFailException(f"The share of {order['shot']} was settled meanwhile: clear this task")
            quotes = mine.quotes
        if self._is_to_be_asked(context, quotes or {}):
            return super().execute(context)
        return self._take(context)

    def _wait(self, folder: str, shot: str) -> None:
        from renderjuice_provider.triggers.records import RenderjuiceRecordTrigger

        trigger = RenderjuiceRecordTrigger(
            folder=folder,
            path=["shots", shot, "state"],
            while_in=_WAITED_OUT,
            poll_interval=POLL_INTERVAL,
            look_after=_LOOK_AFTER * POLL_INTERVAL,
        )
        self.defer(trigger=trigger, method_name="share_came")

    def _is_to_be_asked(self, context: Any, quotes: Mapping[str, Quote]) -> bool:
        from stages import asking

        above, quote = asking.amount(context["params"].get("ask_above"), "ask_above"), whole(quotes)
        if above is None or quote is None or quote.most <= above:
            return False
        ti, order, decision = _of(context)
        self.subject = f"{order['shot']}: may it be rendered for up to {quote.most:,.0f} normalized seconds?"
        self.body = asking.question(order, decision, quotes, above, (ti.dag_id, ti.run_id))
        show(ti, "waiting", f"waits for an answer: it may cost {quote.most:,.0f} s, and `ask_above` is {above:,.0f} s")
        return True

    def _take(self, context: Any) -> None:
        """The shot has its share, and may be rendered."""
        from stages import sharing

        ti, order, decision = _of(context)
        if found := sharing.share_of(order):
            night, mine = found
            if mine and mine.quote:
                _push_quote(ti, mine.quote, sum(mine.given.values()), night.ceiling)
        self.log.info("%s: %s", order["shot"], decision["why"])
        ti.xcom_push("before", sharing.jobs_before(order, ti.run_id))

    def _hold(self, context: Any, why: str) -> None:
        self._leave_held(context, why)
        self.skip(ti=context["ti"], tasks=context["task"].get_direct_relatives(upstream=False))

    def _leave_held(self, context: Any, why: str) -> None:
        from stages import share_log, shares, sharing
        from stages.entries import about, render_facts

        ti, order, decision = _of(context)
        if sharing.share_of(order):
            spent, _ = sharing.cost_of_run(sharing.shot_folder(order), ti.run_id)

            def held(found: Any) -> Any:
                found = shares.settled(found, order["shot"], ti.run_id, spent)
                return shares.held(found, order["shot"], ti.run_id, why)

            share_log.change(sharing.folder_of(order), held)
        self.log.warning("%s is held: %s", order["shot"], why)
        show(ti, "held", f"{why}.")
        facts = {"state": "held", "reason": why, "decision": decision}
        leave(about(order, ti.run_id) | render_facts(order, ti.run_id, rendered(ti)) | facts, context)


def _of(context: Any) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    ti = context["ti"]
    order = ti.xcom_pull(task_ids="take_order", key="order")
    return ti, order, ti.xcom_pull(task_ids="decide", key="decision")


def _push_quote(ti: Any, quote: Quote, share: float | None, ceiling: float) -> None:
    amounts = quote.model_dump(include={"likely", "least", "most", "source"})
    ti.xcom_push(QUOTE, {**amounts, "share": share, "ceiling": ceiling})
