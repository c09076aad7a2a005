from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtee.model import ids, times
from llmtee.testing.fixed import fixed_ids
from llmtee.testing.strategies import times as any_time

MOMENT = dt.datetime(2024, 5, 6, 6, 59, 24, 301000, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "value",
    [
        MOMENT,
        MOMENT.replace(tzinfo=None),
        MOMENT.astimezone(dt.timezone(dt.timedelta(hours=5, minutes=30))),
        "2024-05-06T06:59:24.301Z",
        "2024-05-06T06:59:24.301",
        "2024-05-06T08:59:24.301+02:00",
        "2024-05-06 06:59:24.3010000Z",
        1714978764301,
        1714978764.301,
        "1714978764301",
        "1714978764.301",
        Decimal("1714978764.301"),
        1714978764301000,
        1714978764301000000,
        "1714978764301000000",
    ],
)
def test_every_spelling_of_a_moment_is_that_moment(value: Any) -> None:
    assert times.parse_time(value) == MOMENT


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_time_stays_missing(value: Any) -> None:
    assert times.parse_time(value) is None


@pytest.mark.parametrize(
    "value",
    ["yesterday", True, {}, 10**30, "2024-13-01", float("inf"), "0001-01-01T00:00:00+05:00"],
)
def test_what_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="not a"):
        times.parse_time(value)


def test_milliseconds_round_down_and_iso_is_short() -> None:
    assert times.to_unix_ms(MOMENT + dt.timedelta(microseconds=999)) == 1714978764301
    assert times.to_iso(MOMENT) == "2024-05-06T06:59:24.301Z"
    assert times.to_iso(MOMENT.replace(microsecond=0)) == "2024-05-06T06:59:24Z"


@given(any_time())
def test_unix_milliseconds_come_back(moment: dt.datetime) -> None:
    whole = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert times.from_unix_ms(times.to_unix_ms(whole)) == whole
    assert times.parse_time(times.to_iso(whole)) == whole


def test_uuid7_holds_the_time_and_sorts_by_it() -> None:
    early = ids.uuid7(1_000, b"\xff" * 10)
    late = ids.uuid7(1_001, b"\x00" * 10)
    assert (early.version, early.variant) == (7, uuid.RFC_4122)
    assert early.int >> 80 == 1_000
    assert early < late
    assert ids.is_uuid(ids.new_id())


@given(
    st.lists(st.text(max_size=5), min_size=1, max_size=3),
    st.lists(st.text(max_size=5), min_size=1, max_size=3),
)
def test_derived_ids_differ_exactly_when_names_do(left: list[str], right: list[str]) -> None:
    if any("\x1f" in name for name in left + right):
        return
    assert (ids.derive_id(*left) == ids.derive_id(*right)) == (left == right)


def test_derived_ids_never_change() -> None:
    # Changing them would import everything a second time.
    assert ids.derive_id("openai", "chatcmpl-123") == "5b5f6cb4-1604-54a6-bb30-30938a0e4b22"


def test_uuids_are_kept_and_others_derived() -> None:
    text = "CAF77ACE-3417-4da4-944d-f4a0688f3c23"
    assert ids.as_uuid(text, "session") == text
    assert ids.is_uuid(ids.as_uuid("s-1", "session"))
    assert not ids.is_uuid("{caf77ace-3417-4da4-944d-f4a0688f3c23}")


def test_fixed_ids_count_and_end() -> None:
    with fixed_ids():
        assert [ids.new_id(), ids.new_id()] == [
            "00000000-0000-7000-8000-000000000001",
            "00000000-0000-7000-8000-000000000002",
        ]
    assert not ids.new_id().startswith("00000000")


@given(
    st.uuids().map(str)
    | st.uuids().map(lambda one: str(one).upper())
    | st.text("0123456789abcdefABCDEFg-{}_ \u0663\u212a", min_size=35, max_size=37)
)
def test_a_uuid_is_what_the_standard_library_writes(text: str) -> None:
    try:
        usual = str(uuid.UUID(text)) == text.lower()
    except ValueError:
        usual = False
    assert ids.is_uuid(text) == (usual and len(text) == 36)


@given(st.integers(0, 10**11 - 1))
def test_whole_seconds_are_read_as_other_numbers_are(number: int) -> None:
    assert times.from_unix(number) == times.from_unix(Decimal(number))
