"""The part of `Tee` that says whose an event is: sessions, agents, and the work that it is a step of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar, overload

from llmtee.errors import UsageError
from llmtee.model import Agent, Person
from llmtee.tee import _scope
from llmtee.tee._blocks import AgentBlock, SessionBlock
from llmtee.tee._capturing import Capturing
from llmtee.tee._functions import Passing, wrapped
from llmtee.tee._observed import About, observing

F = TypeVar("F", bound=Callable[..., Any])

Kind = Literal["tool", "step"]


class Attribution(Capturing):
    """Blocks and decorators that attribute what is recorded inside them."""

    def session(
        self,
        id: object = None,  # noqa: A002 - the name that users type
        *,
        agent: str | Agent | None = None,
        agent_version: str | None = None,
        person: str | Person | None = None,
        parent: str | None = None,
        properties: Mapping[str, Any] | None = None,
        tags: Sequence[str] = (),
    ) -> SessionBlock:
        """A block in which every record belongs to a session, for ``with`` and ``async with``.

        Blocks nest, and follow tasks as context variables do; for threads see `propagate`.

        Leaving the block does not end the session: see `end_session`.

        Args:
            id: the session, in the application's own words; by default that of the block around it.
            agent: who acts.
            agent_version: its version.
            person: whom it talks to.
            parent: id of the event that what is recorded here is a step of, such as one of another process; by
                default the observed function or the agent around, where that is of the same session.
            properties: of every event; an inner block adds to the outer one's.
            tags: of every event; an inner block adds to the outer one's.
        """
        own = _scope.make_scope(
            id,
            agent=agent,
            agent_version=agent_version,
            person=person,
            parent=parent,
            properties=properties,
            tags=tags,
        )
        return SessionBlock(self, own)

    def agent(
        self,
        name: str | Agent,
        *,
        version: str | None = None,
        capture_arguments: bool = True,
        capture_result: bool = True,
    ) -> AgentBlock:
        """A block in which an agent acts, for ``with``, ``async with``, or as the decorator of a function.

        What is recorded inside belongs to the agent, and is a step of its turn: a `Step` of the type ``agent``, which
        is recorded when the block ends. An agent inside of another one, or inside of a tool, is a sub-agent: its calls
        stand beside the transcript.

        Enter it inside of `session`: a turn belongs to the session that it began in. ``as`` gives the step's id.

        Args:
            name: of the agent, or all that is to say of it.
            version: its version.
            capture_arguments: as a decorator, whether the function's arguments become the step's inputs.
            capture_result: as a decorator, whether its result becomes the step's outputs.
        """
        own = _scope.make_scope(None, agent=name, agent_version=version, properties=None, tags=())
        assert own.agent is not None  # noqa: S101 - says to the type checker what it was given
        about = About(
            kind="agent",
            name=own.agent.name,
            agent=own.agent,
            arguments=capture_arguments,
            result=capture_result,
        )
        return AgentBlock(self, about)

    @overload
    def observe(self, function: F, /) -> F: ...

    @overload
    def observe(
        self,
        *,
        kind: Kind = "step",
        name: str | None = None,
        capture_arguments: bool = True,
        capture_result: bool = True,
    ) -> Callable[[F], F]: ...

    def observe(
        self,
        function: Any = None,
        *,
        kind: Kind = "step",
        name: str | None = None,
        capture_arguments: bool = True,
        capture_result: bool = True,
    ) -> Any:
        """Decorates a function: each run of it is recorded, and what is recorded inside is a step of that.

        For functions, methods, class methods and static methods; asynchronous ones and generators too. The function
        stays what it is: its kind, its signature, what it gives and what it raises. An exception is recorded with its
        type and message. A generator's result is what it yielded, up to where it was closed.

        Arguments and results are copied, 65,536 characters of each at most; ``self`` and ``cls`` are left out, and so
        are arguments left to their defaults.

        Args:
            function: the function, where the decorator stands without parentheses.
            kind: ``tool`` records a `ToolRun`, ``step`` a `Step` of the type ``chain``.
            name: of the event; by default that of the function. For a tool, the name by which a model calls it.
            capture_arguments: whether to record the arguments.
            capture_result: whether to record the result.

        Raises:
            UsageError: it is no function, or ``kind`` is neither of the two.
        """
        if kind not in ("tool", "step"):
            raise UsageError(f"kind must be 'tool' or 'step', not {kind!r}")
        about = About(kind=kind, name=name, arguments=capture_arguments, result=capture_result)
        if function is not None:
            return observing(self, function, about)
        return lambda decorated: observing(self, decorated, about)

    def propagate(self, function: F) -> F:
        """``function``, to be run by other threads as if it were called here: in this session, by this agent.

        A thread begins outside of all blocks, and so does what an executor runs. Tasks of asyncio do not need this.

            with tee.session("s-1"), ThreadPoolExecutor() as pool:
                pool.map(tee.propagate(answer), questions)

        Args:
            function: a function of any kind. It may run in several threads at once.

        Raises:
            UsageError: it is no function.
        """
        here = _scope.Place()
        return wrapped(function, lambda _args, _kwargs: Passing(here.copy()))
