"""Records as they are found after years: fields missing, of another type, nested, huge, half encoded."""

from __future__ import annotations

import copy
import json
import multiprocessing
import resource
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from llmtee import jsontext, registry
from llmtee._data_files import data_dir
from llmtee.errors import InputError
from llmtee.model import Item, ModelCall

ODD: tuple[Any, ...] = (
    *(None, True, -1, 2**80, 10**400, 1e308, float("nan")),
    *("", "text", "cut \ud83d", "data:image/png;base64,%%%", "2024-13-45"),
    *([], [[]], {}, {"type": "nobody knows"}, {"cut \udc00": 1}, [None, 1, "x", {}]),
)
LONG = 5_000_000
MEMORY = 512 * 2**20
"""Bytes that a process may take beside what it has, whatever it reads: a hundred times the longest record."""


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a record with every key or index in it."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)


def deep(depth: int) -> Any:
    value: Any = "bottom"
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


def removed(holder: Any, key: Any, random: Random, others: list[tuple[Any, Any]]) -> None:
    del holder[key]


def retyped(holder: Any, key: Any, random: Random, others: list[tuple[Any, Any]]) -> None:
    holder[key] = copy.deepcopy(random.choice(ODD))


def nested(holder: Any, key: Any, random: Random, others: list[tuple[Any, Any]]) -> None:
    holder[key] = deep(random.choice((3, 60, 190, 200)))


def swapped(holder: Any, key: Any, random: Random, others: list[tuple[Any, Any]]) -> None:
    other, its = random.choice(others)
    holder[key] = copy.deepcopy(other[its])


def repeated(holder: Any, key: Any, random: Random, others: list[tuple[Any, Any]]) -> None:
    value = holder[key]
    holder[key] = value * 3 if isinstance(value, str | list) else [value]


def doubled(holder: Any, key: Any, random: Random, others: list[tuple[Any, Any]]) -> None:
    """The key twice in its object, as only JSON text can have it."""
    if isinstance(holder, dict):
        holder[key] = Twice(holder[key], copy.deepcopy(random.choice(ODD)))


def lengthened(holder: Any, key: Any, random: Random, others: list[tuple[Any, Any]]) -> None:
    holder[key] = random.choice(("x", "\u00fc", "{", "\ud83d")) * LONG


MUTATIONS = {removed: 40, retyped: 80, nested: 40, swapped: 40, repeated: 40, doubled: 40}


class Twice:
    """Two values of one key."""

    def __init__(self, first: Any, second: Any) -> None:
        self.values = (first, second)


def written(record: Any) -> str:
    """The record as JSON text. What writes it here goes three calls deep for each level."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10 * limit)
    try:
        return text_of(record)
    finally:
        sys.setrecursionlimit(limit)


def text_of(value: Any) -> str:
    """JSON text, in which a key may stand twice."""
    if isinstance(value, Twice):  # copied to where there is no key
        return text_of(value.values[0])
    if isinstance(value, dict):
        pairs = (
            f"{json.dumps(key)}:{text_of(one)}"
            for key, inner in value.items()
            for one in (inner.values if isinstance(inner, Twice) else (inner,))
        )
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(text_of, value)) + "]"
    return json.dumps(value)


def broken(record: Any, random: Random) -> tuple[Any, list[str]]:
    """The record with one to three things wrong with it, and which."""
    record = copy.deepcopy(record)
    done: list[str] = []
    for _ in range(random.randint(1, 3)):
        found = [(holder, key) for holder, key in places(record) if not isinstance(holder, Twice)]
        if not found:
            break
        # Five million characters take their time, so there are few of them.
        mutate = random.choices([*MUTATIONS, lengthened], [*MUTATIONS.values(), 0.5])[0]
        holder, key = random.choice(found)
        mutate(holder, key, random, found)
        done.append(mutate.__name__)
    return record, done


def fixtures(name: str) -> list[Any]:
    folder = data_dir("fixtures") / "formats" / name
    paths = (*folder.glob("*.json"), *folder.glob("streams/*.json"))
    files = sorted(path for path in paths if not path.stem.endswith((".expected", ".whole")))
    return [json.loads(path.read_text("utf-8")) for path in files]


NAMES = [name for name in registry.format_names() if fixtures(name)]


def places_itself(error: InputError) -> bool:
    """Whether an error says where: by its path, or that it is the record as a whole."""
    return error.path is not None or "keys" in error.reason


def check(name: str, count: int, seed: int) -> Counter[str]:
    """Reads ``count`` broken records, and writes what was read of them; how often each thing was wrong."""
    form, random, records = registry.format(name), Random(seed), fixtures(name)
    seen: Counter[str] = Counter()
    for _ in range(count):
        record, done = broken(random.choice(records), random)
        seen.update(done)
        if "doubled" in done or random.random() < 0.2:
            try:
                record = jsontext.loads(written(record))
            except ValueError:  # too deep, or an integer of too many digits: the reader says so
                seen["no JSON"] += 1
                continue
        form.detect(record)
        refused: InputError | None = None
        items: list[Item] = []
        try:
            items = form.decode(record)
        except InputError as error:
            refused = error
        seen["refused" if refused else "read"] += 1
        assert refused is None or places_itself(refused), refused
        for item in items:
            jsontext.dumps(item.to_json())
            if form.encode is not None and isinstance(item, ModelCall):
                jsontext.dumps(form.encode(item))
    return seen


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_record_is_read_or_refused_with_its_place(name: str) -> None:
    seen = check(name, 300, seed=1)
    assert all(seen[mutation.__name__] for mutation in MUTATIONS)
    assert seen["read"]
    assert seen["refused"]


def in_bounds(work: Callable[[], Any], memory: int) -> Any:
    """What ``work`` gives in a process of its own, which may take ``memory`` bytes more than this one has."""
    context = multiprocessing.get_context("fork")
    answers, answer = context.Pipe(duplex=False)

    def run() -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            answer.send(work())
        except BaseException:  # noqa: BLE001 - whatever it is, the test has to know
            answer.send(traceback.format_exc()[-2000:])

    process = context.Process(target=run)
    process.start()
    answer.close()
    try:
        return answers.recv()
    finally:
        process.join()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells how much memory a process has")
@pytest.mark.parametrize("name", NAMES)
def test_ten_thousand_broken_records_in_bounded_memory(name: str) -> None:
    seen = in_bounds(lambda: check(name, 10_000, seed=2), MEMORY)
    assert isinstance(seen, Counter), seen
    sys.stdout.write(f"{name}: {dict(sorted(seen.items()))}\n")
    assert sum(seen[word] for word in ("read", "refused", "no JSON")) == 10_000
    assert all(seen[mutation.__name__] for mutation in (*MUTATIONS, lengthened))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells how much memory a process has")
def test_the_bound_is_one() -> None:
    assert in_bounds(lambda: len(bytes(MEMORY * 2)), MEMORY).endswith("MemoryError\n")


@pytest.mark.parametrize("name", NAMES)
def test_a_very_long_text_is_kept(name: str) -> None:
    decode = registry.format(name).decode
    for record in fixtures(name):
        text = json.dumps(record).replace("?", "x" * 5_000_000, 1)
        if len(text) > 5_000_000:
            assert any(
                len(jsontext.dumps(item.to_json())) > 5_000_000 for item in decode(json.loads(text))
            )
            return
