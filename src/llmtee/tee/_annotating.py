"""What a `Tee` takes of things that were recorded before: feedback, measurements, what people did with an answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from llmtee.model import Annotation, Person, Reason
from llmtee.model.ids import new_id
from llmtee.tee import _scope
from llmtee.tee._recording import Recording

TargetType = Literal["event", "session", "message"]


class Annotating(Recording):
    """The part of a Tee that says something of what was recorded before. Nothing here raises.

    Each call is recorded as events are: stored first, delivered to every vendor that has a place for it, after what it is
    about, and skipped at the others.
    """

    def feedback(
        self,
        target: str,
        rating: Literal["positive", "negative"] | bool | None = None,
        *,
        of: TargetType = "event",
        comment: str | None = None,
        reasons: Iterable[str | Reason] = (),
        person: str | Person | None = None,
        properties: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> str:
        """Records what somebody thinks of an answer.

        Args:
            target: id of the event (what ``record`` and ``record_call`` return), or what ``of`` says.
            rating: ``positive`` (or ``True``) or ``negative`` (or ``False``).
            of: ``session`` where ``target`` is the name of a session, ``message`` where it is a message's id.
            comment: in the person's own words.
            reasons: in a word or two each, or as ``Reason`` with details.
            person: who said it; by default whom the surrounding ``session`` names.
            properties: anything else.
            more: other feedback by name, such as ``ground_truth=…``.

        Returns:
            The id of the record.
        """
        if isinstance(rating, bool):
            rating = "positive" if rating else "negative"
        found = [one if isinstance(one, Reason) else {"label": one} for one in reasons]
        return self._annotate(
            target,
            of,
            rating=rating,
            comment=comment,
            reasons=found,
            person=person,
            properties=properties,
            feedback=more,
        )

    def metric(
        self,
        target: str,
        name: str,
        value: float | str | bool,
        *,
        of: TargetType = "event",
        properties: Mapping[str, Any] | None = None,
    ) -> str:
        """Records a measurement or a score, such as an evaluation that ran later.

        Args:
            target: as in `feedback`.
            name: of the metric.
            value: a number, a boolean or text.
            of: as in `feedback`.
            properties: anything else.
        """
        return self._annotate(target, of, metrics={name: value}, properties=properties)

    def usage(
        self,
        target: str,
        action: str,
        *,
        of: TargetType = "event",
        person: str | Person | None = None,
        properties: Mapping[str, Any] | None = None,
    ) -> str:
        """Records what somebody did with an answer, such as ``answer_copied``.

        Args:
            target: as in `feedback`.
            action: in a word.
            of: as in `feedback`.
            person: who did it; by default whom the surrounding ``session`` names.
            properties: anything else.
        """
        return self._annotate(target, of, action=action, person=person, properties=properties)

    def _annotate(self, target: str, of: TargetType, **said: Any) -> str:
        try:
            scope = _scope.current(self)
            person = said.pop("person", None) or (None if scope is None else scope.person)
            if person is not None and not isinstance(person, Person):
                person = Person(id=person)
            given = {key: value for key, value in said.items() if value is not None}
            now = dt.datetime.now(dt.UTC)
            made = Annotation(target=target, target_type=of, at=now, person=person, **given)
        except Exception as error:  # noqa: BLE001 - what is passed may be anything, and nothing here raises
            self._wrong(f"this cannot be said of {target!r:.80}: {type(error).__name__}")
            return new_id()
        return self.record(made)
