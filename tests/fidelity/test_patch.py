"""A patch turns one JSON tree into another, exactly, and says no more than it must."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtee.fidelity import _align
from llmtee.fidelity._patch import PatchError, apply, apply_checked, diff, exactly
from llmtee.model import Item
from llmtee.testing import strategies


def trees() -> st.SearchStrategy[Any]:
    """Any JSON, with the values that Python holds equal and JSON does not."""
    leaves = (
        st.sampled_from((None, True, False, 0, 1, 0.0, -0.0, 1.0, "", "1", "null", 2**70))
        | st.floats()
        | strategies.texts(30)
    )
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=6)
            | st.dictionaries(st.sampled_from(("", "id", "a", "b", "0", "é")), inner, max_size=4)
        ),
        max_leaves=25,
    )


@st.composite
def edited(draw: st.DrawFn) -> tuple[Any, Any]:
    """A tree, and what a few changes anywhere make of it."""
    tree = draw(trees())
    changed = copy.deepcopy(tree)
    for _ in range(draw(st.integers(0, 4))):
        changed = draw(strategies.broken(changed)) if draw(st.booleans()) else draw(_moved(changed))
    return tree, json.loads(json.dumps(changed, default=str))


def _moved(tree: Any) -> st.SearchStrategy[Any]:
    match tree:
        case list():
            return st.permutations(tree).map(list)
        case dict():
            return st.permutations(list(tree.items())).map(dict)
    return st.just([tree, tree])


def sent(patch: Any) -> Any:
    return None if patch is None else json.loads(json.dumps(patch))


@given(
    pair=st.tuples(trees(), trees()) | edited(),
    shelf=st.lists(trees(), max_size=1),
    key_order=st.booleans(),
)
@settings(max_examples=100)
def test_a_patch_makes_the_one_of_the_other(
    pair: tuple[Any, Any], shelf: list[Any], key_order: bool
) -> None:
    seen, wanted = pair
    shelf = [*shelf, {"all of it": [wanted]}] if shelf else []
    before = exactly(seen), exactly(wanted)
    patch = diff(seen, wanted, shelf=shelf, key_order=key_order)
    made = apply(sent(patch), seen, shelf)
    assert exactly(made, key_order=key_order) == exactly(wanted, key_order=key_order)
    assert (patch is None) == (
        exactly(seen, key_order=key_order) == exactly(wanted, key_order=key_order)
    )
    assert (exactly(seen), exactly(wanted)) == before
    most = len(exactly([wanted])) + 7 * exactly(wanted).count('{"":')  # looks like a reference
    assert patch is None or len(exactly(patch)) <= most


@given(left=strategies.events() | strategies.conversations(), right=strategies.events())
@settings(max_examples=40)
def test_items_are_patched_exactly(left: Item, right: Item) -> None:
    for seen, wanted in ((left, right), (right, left), (left, left)):
        patch = diff(seen.to_json(), wanted.to_json(), key_order=True)
        assert exactly(apply(sent(patch), seen.to_json())) == exactly(wanted.to_json())


@given(patch=trees() | edited().map(lambda pair: diff(*pair)), seen=trees())
@settings(max_examples=100)
def test_any_json_is_applied_or_refused(patch: Any, seen: Any) -> None:
    try:
        apply(patch, seen)
    except PatchError:
        return


@pytest.mark.parametrize(
    ("seen", "wanted", "patch"),
    [
        (1, 1, None),
        (1, 1.0, [1.0]),
        (1, True, [True]),
        (1, "1", ["1"]),
        (0.0, -0.0, [-0.0]),
        (2**70, 2**70 + 1, [2**70 + 1]),
        ({"a": 1}, {"a": None}, {"a": [None]}),
        ({"a": None, "long enough": 2}, {"long enough": 2}, {"a": 0}),
        ({"b": "a text", "c": 3}, {"b": "a text", "c": 3, "a": 0}, {"a": [0]}),
        (["a text", "b text"], ["b text", "a text"], [2, -2, 1, -1, 1]),
        (["one text", "another", "third"], ["one text", "third"], [3, 1, -3, 1]),
        (["one text", "another"], ["one text", "new", 7, "another"], [2, 1, ["new", 7], 1]),
        ([{"id": "x", "n": 1}, 5], [{"id": "x", "n": 2}, 5], [2, {"n": [2]}, 1]),
        ([["a", "b", "c" * 30], 5], [["b", "c" * 30], 5], [2, [], [3, -2, 2], 1]),
        (["a", "b"], [], [[]]),
        ([], [], None),
    ],
)
def test_a_patch_is_as_short_as_the_change(seen: Any, wanted: Any, patch: Any) -> None:
    assert exactly(diff(seen, wanted)) == exactly(patch)
    assert exactly(apply(patch, seen)) == exactly(wanted)


def test_the_order_of_keys_counts_where_it_is_asked_for() -> None:
    seen, wanted = {"a": 1, "b": "two", "c": 3}, {"c": 3, "b": "two", "d": 4, "a": 1}
    assert diff(seen, {"c": 3, "b": "two", "a": 1}) is None
    patch = diff(seen, wanted, key_order=True)
    assert patch == [{"d": [4]}, [2, 1, 3, 0]]
    assert list(apply(patch, seen)) == list(wanted)


def test_what_stands_elsewhere_is_referred_to() -> None:
    said = {"role": "user", "content": "What is the weather like in Lisbon?"}
    seen = {"input": [said], "a/b~c": "a text that is long enough to refer to"}
    native = {"messages": [said, {"content": said["content"]}], "note": seen["a/b~c"]}
    payload = {"config": {"tools": [{"name": "get_the_weather_of_a_city"}]}}
    wanted = {**seen, "native": {**native, "tools": payload["config"]["tools"]}}
    patch = diff(seen, wanted, shelf=[seen, payload])
    assert patch == {
        "native": [
            {
                "messages": [{"": "0/input/0"}, {"content": {"": "0/input/0/content"}}],
                "note": {"": "0/a~1b~0c"},
                "tools": {"": "1/config/tools"},
            }
        ]
    }
    assert apply(patch, seen, [seen, payload]) == wanted
    digests = {
        apply_checked(patch, seen, [seen, shelf])[1]
        for shelf in (payload, {**payload, "more": 1}, {"config": {"tools": ["other"]}})
    }
    assert len(digests) == 2
    with pytest.raises(PatchError, match="1/config/tools"):
        apply(patch, seen, [seen, {}])


def test_what_looks_like_a_reference_is_none() -> None:
    for value in ({"": "0/a"}, {"": [{"": "0/a"}]}, [{"": "x"}], {"": {"": "x"}}, {"": ["x"]}):
        assert apply(sent(diff(1, value)), 1) == value
        assert apply(sent(diff(1, {"k": value})), 1) == {"k": value}


def test_values_nested_deeper_than_any_stack_likes_are_replaced_whole() -> None:
    def deep(bottom: str) -> Any:
        value: Any = bottom
        for _ in range(180):
            value = {"a": value}
        return value

    patch = diff(deep("x"), deep("y"))
    assert apply(patch, deep("x")) == deep("y")


def messages(count: int, **more: Any) -> list[Any]:
    return [{"role": "user", "text": f"message number {i}", **more} for i in range(count)]


def test_a_changed_message_among_many_costs_that_message() -> None:
    seen = messages(2000)
    wanted = [*seen[:999], {**seen[999], "extra": 1}, *seen[1000:1500], *seen[1501:], {"new": 1}]
    patch = diff(seen, wanted)
    assert patch == [2000, 999, {"extra": [1]}, 500, -1502, 499, [{"new": 1}]]


@pytest.mark.parametrize("same", [False, True], ids=["different", "all alike"])
def test_long_lists_take_no_more_steps_than_they_have_items(
    same: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0
    real = _align._longest

    def counted(item: Any) -> str | None:
        nonlocal steps
        steps += 1
        return real(item)

    monkeypatch.setattr(_align, "_longest", counted)
    seen = messages(2000) if not same else [{"text": "always the same text"}] * 2000
    wanted = [{**message, "extra": i} for i, message in enumerate(seen)]
    patch = diff(seen, wanted)
    assert apply(patch, seen) == wanted
    assert steps == 4000
    assert len(exactly(patch)) < 25 * 2000


def test_the_digest_minds_what_is_replaced_and_nothing_else() -> None:
    seen = {"a": 1, "b": "kept", "gone": 3, "list": ["x" * 20, {"id": "y", "n": 1}]}
    wanted = {"a": 2, "b": "kept", "list": [{"id": "y", "n": 1}], "new": 5}
    patch = diff(seen, wanted)
    made, digest = apply_checked(patch, seen)
    assert made == wanted
    for harmless in ({"b": "edited"}, {"added": 1}, {"gone": 4}):
        assert apply_checked(patch, {**seen, **harmless})[1] == digest
    for harmful in ({"a": 7}, {"new": 6}, {"list": ["z" * 20, {"id": "y", "n": 1}]}):
        assert apply_checked(patch, {**seen, **harmful})[1] != digest
