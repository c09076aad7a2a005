"""In asyncio: records from tasks, waiting without blocking, and giving up the waiting."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from llmtee import Tee
from llmtee.model import ModelCall
from llmtee.testing.emulators import HoneyHiveEmulator, RoarkEmulator, faults

Make = Callable[..., Any]


def call(name: str) -> ModelCall:
    return ModelCall(name=name, started_at="2026-01-01T10:00:00Z")


def test_tasks_record_and_aflush_waits_without_blocking(
    tee: Callable[..., Tee], honeyhive: HoneyHiveEmulator, sent: Make
) -> None:
    async def main() -> list[str]:
        async with tee() as one:

            async def work(number: int) -> list[str]:
                with one.session(f"session {number}"):
                    ids = [one.record(call("before"))]
                    await asyncio.sleep(0)
                    return [*ids, one.record(call("after"))]

            found = await asyncio.gather(*map(work, range(20)))
            turns = 0
            flushing = asyncio.create_task(one.aflush(60))
            while not flushing.done():
                turns += 1
                await asyncio.sleep(0)
            assert await flushing
            assert turns > 1
            return [event_id for ids in found for event_id in ids]

    ids = asyncio.run(main())
    assert sent() == dict.fromkeys(ids, 1)
    sessions = [event["session_id"] for event in map(honeyhive.events.__getitem__, ids)]
    assert len(set(sessions)) == 20
    assert sessions[0::2] == sessions[1::2]


@pytest.mark.parametrize("leader", [True, False])
def test_a_cancelled_aflush_gives_up_its_thread_too(
    leader: bool, tee: Callable[..., Tee], honeyhive: HoneyHiveEmulator
) -> None:
    honeyhive.always(faults.hang())
    one, other = tee(), tee()
    one.record(call("hangs"))
    assert honeyhive.wait_for(lambda: bool(honeyhive.requests), 60)
    waiting = one if leader else other
    waiting.record(call("waits"))
    before = set(threading.enumerate())

    async def main() -> None:
        flushing = asyncio.create_task(waiting.aflush(600))
        await asyncio.sleep(0)
        flushing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await flushing
        # Leaving waits for the thread that flushed: it has given up as well.

    asyncio.run(main())
    new = set(threading.enumerate()) - before
    assert not [thread for thread in new if thread.name.startswith("asyncio_")]
    assert waiting.stats()["honeyhive"].counts.pending == 2


def test_a_cancelled_aclose_closes_without_waiting(
    tee: Callable[..., Tee], honeyhive: HoneyHiveEmulator, rest: Make
) -> None:
    honeyhive.always(faults.hang())
    one = tee()
    event_id = one.record(call("hangs"))
    assert honeyhive.wait_for(lambda: bool(honeyhive.requests), 60)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await one.aclose(600)

    asyncio.run(main())
    assert one.close()["honeyhive"].pending == 1
    honeyhive.always(None)
    assert rest().delivered == 1
    assert set(honeyhive.events) == {event_id}


def test_one_tee_serves_one_loop_after_the_other(
    tee: Callable[..., Tee], honeyhive: HoneyHiveEmulator, sent: Make
) -> None:
    one, ids = tee(), []

    async def main() -> None:
        ids.append(one.record(call("call")))
        assert await one.aflush(60)

    for _ in range(3):
        asyncio.run(main())
    ids.append(one.record(call("without a loop")))
    assert one.flush(60)
    assert sent() == dict.fromkeys(ids, 1)


@pytest.mark.slow
@pytest.mark.parametrize("end", ["", "await asyncio.sleep(600)"])
def test_asyncio_run_and_the_exit_of_the_process(
    end: str, script: Make, ended: Make, honeyhive: HoneyHiveEmulator, sent: Make
) -> None:

    child = script(f"""
        import asyncio
        tee = open_tee()
        async def work():
            say(tee.record(event()))
            await asyncio.sleep(0)
            say(tee.record(event()))
        async def main():
            await asyncio.gather(*[work() for _ in range(10)])
            asyncio.create_task(tee.aflush(600))
            await asyncio.sleep(0)
            if {bool(end)}:
                asyncio.get_running_loop().call_later(0.2, os.kill, os.getpid(), signal.SIGINT)
            {end or "pass"}
        asyncio.run(main())
    """)
    ids = ended(child, -signal.SIGINT if end else 0, None if end else "")
    assert len(ids) == 20
    assert sent() == dict.fromkeys(ids, 1)


@pytest.mark.slow
def test_conversations_leave_at_exit_side_by_side_with_a_vendor_that_hangs(
    script: Make, ended: Make, environ: dict[str, str], honeyhive: HoneyHiveEmulator
) -> None:
    # A Tee whose vendor hangs uses up all of its time; the other one would have waited two seconds by itself.
    honeyhive.always(faults.hang())
    with RoarkEmulator() as roark:
        environ |= {"ROARK_API_BEARER_TOKEN": roark.key, "ROARK_BASE_URL": roark.url}
        child = script("""
            from llmtee import Message, Roark
            hanging = open_tee(exit_timeout=1, dir=LOG)
            hanging.record(event())
            other = Tee([Roark()], dir=LOG + "-2", exit_timeout=1)
            with other.session("s"):
                other.record(ModelCall(
                    started_at="2026-01-01T10:00:00Z", ended_at="2026-01-01T10:00:01Z",
                    input=[Message(role="user", parts=[{"type": "text", "text": "Hi"}])]))
            other.end_session("s")
        """)
        ended(child, 0, None)
        assert len(roark.chats) == 1
