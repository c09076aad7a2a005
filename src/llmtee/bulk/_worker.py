"""What a worker process runs. Ends when the line to whoever started it does."""

from __future__ import annotations

import contextlib
import pickle
import traceback
from multiprocessing.connection import Connection

from llmtee.bulk._collecting import seldom_collected
from llmtee.bulk._work import Claims, Work


def main(descriptor: int, events: int) -> None:
    """Does the tasks that come, one after the other.

    Args:
        descriptor: of the line to whoever started this process.
        events: descriptor of the file in which items wait for their sessions; ``descriptor`` where there is none.
    """
    with (
        Connection(descriptor) as line,
        seldom_collected(),
        contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError),
    ):
        _serve(line, None if events == descriptor else events)


def _serve(line: Connection, events: int | None) -> None:
    try:
        work = Work(pickle.loads(line.recv_bytes()), events)  # noqa: S301 - from the process that started this one
    except (EOFError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - a function of somebody's own that is not there, or whatever it does
        line.send(("refused", f"{type(error).__name__}: {error}"))
        return

    line.send(("ready", None))
    while True:
        task, patient = line.recv()
        claimed = b""

        def resolve(claims: Claims, patient: bool = patient) -> dict[int, int]:
            nonlocal claimed
            claimed = claims.tobytes()
            if not claimed or not patient:
                return {}
            line.send(("claims", claimed))
            answer: dict[int, int] = line.recv()
            return answer

        try:
            line.send(("result", (work.do(task, resolve), claimed)))
        except (EOFError, OSError):
            raise
        except Exception:  # noqa: BLE001 - told where somebody sees it
            line.send(("broken", traceback.format_exc()))
            return
