"""Where in a thread of messages a call belongs.

Each call repeats (some of) the history. How a call's messages relate to what stands decides what it adds:

- it begins with the end of the thread: a growing history, or a window of it. What follows is new.
- it and its answer stand in the thread already: a late or repeated record. It adds what it knows about them.
- it shares a start with the thread and then differs: an edited or regenerated turn. The newest wins.
- it shares nothing: the application sends only the new turn. All of it is new.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from llmtee.assembly._align import longest_run, overlap
from llmtee.assembly._calls import Call
from llmtee.assembly._histories import Histories
from llmtee.model import Message

INCOMPLETE = "history_incomplete"
"""Flag of a call that was sent only what is new, as with OpenAI's ``previous_response_id``."""


@dataclass(slots=True, eq=False)
class Entry:
    """A message that stands, stood, or was put aside, under the id it keeps."""

    id: str
    key: int
    message: Message


class Reply(NamedTuple):
    """The answer of a call as it will stand."""

    key: int
    message: Message


class Spot(NamedTuple):
    """Where a call belongs in a thread."""

    start: int
    """Where its history begins in the thread."""
    skip: int
    """How many of its messages are no news."""
    end: int
    """Where in the thread what it adds will stand."""
    connected: bool = True
    """Whether it has anything in common with the thread."""
    repeated: bool = False
    """Whether it and its answer stand already."""


class Place:
    """What stands in a thread, and where a call belongs in it."""

    histories: Histories
    entries: list[Entry]
    keys: list[int]
    """The keys of the entries; ``paths``: the path of the thread up to each; ``places``: where each key stands."""
    paths: list[int]
    places: dict[int, list[int]]
    only_new_turns: bool

    def spot(self, call: Call, reply: Reply | None) -> Spot:
        """Where a call belongs in a thread that does not fork from another."""
        tree = self.histories
        path, total = tree.paths[call.history], len(self.keys)
        size = tree.depth[path]
        if self._stands_already(call, path, reply):
            return Spot(0, size, size, repeated=True)
        if not total or not size:
            return Spot(total, 0, total, connected=not size)
        common = self.common(path)
        if common == total:
            return Spot(0, total, total)
        return self._window(call, path, common) or self._rest(path)

    def common(self, path: int) -> int:
        """With how many messages both begin: walks over what differs, not over what is common."""
        tree = self.histories
        if not self.keys or tree.first[path] != self.keys[0]:
            return 0
        depth = min(tree.depth[path], len(self.paths))
        path = tree.walk_up(path, depth)
        while depth and self.paths[depth - 1] != path:
            tree.visited += 1
            path, depth = tree.up[path], depth - 1
        return depth

    def _window(self, call: Call, path: int, common: int) -> Spot | None:
        """Where the history continues the end of the thread, else the longest start of it anywhere."""
        tree, total = self.histories, len(self.keys)
        start, length = 0, common
        places = self.places.get(tree.first[path])
        if places and places[-1] > 0:  # its first message stands elsewhere than at the start
            seen = [*tree.tail(path)][::-1]
            shared = overlap(self.keys, seen)
            if shared:
                return Spot(total - shared, shared, total)
            # Without an answer in it, and from one who sends new turns only, nothing found would be evidence.
            if common < len(seen) and (tree.answered[path] or not self.is_new_turn(call)):
                tree.visited += total
                start, length = longest_run(self.keys, seen)
        if not length:
            return None
        shared_path = tree.walk_up(path, length)
        # Messages that stand here and there are the same ones, and not said twice ("yes", "go on"), ...
        if tree.answered[shared_path] or (start == 0 and not self.is_new_turn(call)):
            return Spot(start, length, start + length)
        return None

    def _rest(self, path: int) -> Spot:
        tree, total = self.histories, len(self.keys)
        newest = self.keys[-1]
        if tree.answers[newest]:
            for back, key in enumerate(tree.tail(path)):
                if key == newest:
                    # What stands before our last answer was rewritten, as by a summary; what follows it is new.
                    return Spot(total, tree.depth[path] - back, total)
        return Spot(total, 0, total, connected=False)

    def _stands_already(self, call: Call, path: int, reply: Reply | None) -> bool:
        """Whether the thread begins with this call's input and answer, known only from later histories."""
        end, total = self.histories.depth[path], len(self.paths)
        if end > total or (end and self.paths[end - 1] != path):
            return False
        if reply is None:
            return end == 0 or (end < total and not self.is_new_turn(call))
        if end == total or self.keys[end] != reply.key:
            return False
        generation = self.entries[end].message.generation
        return generation is None or generation.event == call.event.id

    def is_new_turn(self, call: Call) -> bool:
        """Whether the application sends only what is new."""
        return self.only_new_turns or INCOMPLETE in call.event.flags
