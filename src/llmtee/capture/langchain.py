"""LangChain and LangGraph: a callback handler that records runs as events of a Tee.

    from llmtee.capture.langchain import LlmteeCallbackHandler

    chain.invoke(question, config={"callbacks": [LlmteeCallbackHandler(tee)], "metadata": {"thread_id": "s-1"}})

A run of a model is a `ModelCall`, of a tool a `ToolRun`, any other a `Step`. What they hold is read as LangSmith's runs
are (the format ``langsmith``), which are made of the same. Needs ``langchain-core`` (the extra ``langchain``).
"""

from __future__ import annotations

from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from llmtee import registry
from llmtee.capture import _active
from llmtee.capture._extras import needs
from llmtee.tee import DEFAULT, Tee, get_tee

with needs("llmtee.capture.langchain", "LangChain", "langchain"):
    from langchain_core.tracers.base import BaseTracer

if TYPE_CHECKING:
    from langchain_core.tracers.schemas import Run

__all__ = ["LlmteeCallbackHandler"]

_LAYER = "langchain"
_HIDDEN = "langsmith:hidden"
"""Tag of the runs that LangGraph makes for itself."""
_CALLS = ("llm", "chat_model")


@dataclass
class _Begun:
    variables: Context
    parent: UUID | None
    claim: _active.Claim | None = None
    is_left_out: bool = False


class LlmteeCallbackHandler(BaseTracer):
    """Records what LangChain runs: models with their first token, tools, chains; with parents, errors and metadata.

    The session is ``thread_id``, ``session_id`` or ``conversation_id`` in the metadata of a run, which those below it
    inherit; else that of ``tee.session``. A call that is captured already is not recorded again, and a wrapped client
    within a recorded call records nothing.

    Args:
        tee: where to; by default the default Tee.
        steps: whether chains, agents and retrievers are recorded, too, and not models and tools alone.
    """

    run_inline = True
    """In the task that runs, so that wrapped clients below see who captures."""
    log_missing_parent = False

    def __init__(self, tee: Tee | None = None, *, steps: bool = True) -> None:
        super().__init__(_schema_format="original+chat")
        self.duplicates = 0
        """Model calls that another layer recorded."""
        self._given = tee
        self._steps = steps
        self._begun: dict[UUID, _Begun] = {}

    def on_llm_new_token(self, token: Any, *, run_id: UUID, **kwargs: Any) -> Any:  # noqa: ARG002
        """Notes when the first token came; the others say nothing that the end does not."""
        run = self.run_map.get(str(run_id))
        if run is None or any(event["name"] == "new_token" for event in run.events):
            return run
        kwargs.pop("chunk", None)
        return super().on_llm_new_token("", run_id=run_id, **kwargs)

    def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,
        *,
        run_id: UUID,
        inputs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Run:
        """Takes the arguments as they are; older versions keep no more than their text."""
        run = super().on_tool_start(serialized, input_str, run_id=run_id, inputs=inputs, **kwargs)
        if isinstance(inputs, dict):
            run.inputs = dict(inputs)
        return run

    def _persist_run(self, run: Run) -> None:
        """Each run is recorded by itself, when it ends."""

    @staticmethod
    def _add_child_run(parent_run: Run, child_run: Run) -> None:
        """Runs are not kept within one another: a long one would keep everything."""

    def _start_trace(self, run: Run) -> None:
        parent = run.parent_run_id  # which LangChain takes away where it does not know the parent
        super()._start_trace(run)
        try:
            begun = _Begun(copy_context(), parent)
            if run.run_type in _CALLS:
                begun.is_left_out = _active.claimed(_LAYER)
                begun.claim = None if begun.is_left_out else _active.claim(_LAYER)
            self._begun[run.id] = begun
        except Exception as error:  # noqa: BLE001 - our bug is never the application's exception
            self._failed(error)

    def _end_trace(self, run: Run) -> None:
        super()._end_trace(run)
        self.order_map.pop(run.id, None)
        begun = self._begun.get(run.id)
        try:
            if begun is not None:
                self._ended(run, begun)
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(error)
        finally:
            if begun is not None and begun.claim is not None:
                begun.claim.under_way = False
            self._begun.pop(run.id, None)

    def _ended(self, run: Run, begun: _Begun) -> None:
        if begun.is_left_out:
            self.duplicates += 1
            return
        if not self._is_recorded(run):
            return
        tee = get_tee() if self._given is None else self._given
        for event in registry.format("langsmith").decode(self._as_run(run)):
            if event.kind != "conversation":
                begun.variables.copy().run(tee.record, event)

    def _is_recorded(self, run: Run) -> bool:
        is_step = run.run_type not in (*_CALLS, "tool")
        return not is_step or (self._steps and _HIDDEN not in (run.tags or ()))

    def _as_run(self, run: Run) -> dict[str, Any]:
        """A run as LangSmith has it."""
        parent = self._begun[run.id].parent
        while parent is not None and (above := self.run_map.get(str(parent))) is not None:
            if self._is_recorded(above):
                break
            parent = self._begun[parent].parent if parent in self._begun else None
        return {
            "id": str(run.id),
            "name": run.name,
            "run_type": "llm" if run.run_type in _CALLS else run.run_type,
            "parent_run_id": None if parent is None else str(parent),
            "trace_id": str(run.trace_id),
            "start_time": run.start_time.isoformat(),
            "end_time": None if run.end_time is None else run.end_time.isoformat(),
            "inputs": run.inputs,
            "outputs": run.outputs,
            "error": run.error,
            "extra": run.extra,
            "tags": [tag for tag in run.tags or () if not tag.startswith(("seq:", "langsmith:"))],
            "events": [
                {"name": event["name"], "time": event["time"].isoformat()} for event in run.events
            ],
        }

    def _failed(self, error: Exception) -> None:
        (DEFAULT if self._given is None else self._given).capture_failed(error)
