"""The list of flags is complete: each word that the code sets is in it, and each in it is set somewhere."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import llmtee
from llmtee import registry
from llmtee._data_files import data_dir
from llmtee.model.flags import FLAGS, name_of

SOURCE = Path(llmtee.__file__).parent


def strings(node: ast.AST, constants: dict[str, str]) -> Iterator[str]:
    """The texts in an expression: literals, the fixed start of f-strings, and constants of the package."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.JoinedStr):
            head = inner.values[0]
            if isinstance(head, ast.Constant) and isinstance(head.value, str):
                yield head.value
        elif isinstance(inner, ast.Name) and inner.id in constants:
            yield constants[inner.id]
        elif isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value


def assigned(tree: ast.AST, constants: dict[str, str]) -> Iterator[str]:
    """The texts that stand where flags are set."""
    for node in ast.walk(tree):
        places: list[ast.AST] = []
        if isinstance(node, ast.keyword) and node.arg == "flags":
            places = [node.value]
        elif isinstance(node, ast.Dict):
            places = [
                value
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant) and key.value == "flags"
            ]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "_flag":
            places = list(node.args[:1])
        elif isinstance(node, ast.FunctionDef) and "flags" in node.name:
            places = [
                one.value for one in ast.walk(node) if isinstance(one, ast.Return) and one.value
            ]
        for place in places:
            yield from strings(place, constants)


def words() -> set[str]:
    """The names of flags that the package sets."""
    trees = [ast.parse(path.read_text("utf-8")) for path in sorted(SOURCE.rglob("*.py"))]
    constants = {
        target.id: node.value.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found = {text for tree in trees for text in assigned(tree, constants)}
    # Ledgers say why a vendor loses flags, in sentences; flags are lower case.
    return {name_of(text) for text in found if re.fullmatch(r"[a-z_ ]{3,}(:.*)?", text)} - {"flags"}


def test_every_flag_that_the_code_sets_is_listed_and_every_listed_one_is_set() -> None:
    assert words() - FLAGS.keys() == set()
    told = "".join(
        path.read_text("utf-8") for path in SOURCE.rglob("*.py") if path.name != "flags.py"
    )
    assert [name for name in FLAGS if name not in told] == []


def test_every_flag_in_the_golden_files_is_listed() -> None:
    found: set[str] = set()
    for path in (data_dir("fixtures") / "formats").rglob("*.expected.json"):
        value = json.loads(path.read_text("utf-8"))
        for item in value if isinstance(value, list) else [value]:
            found.update(name_of(flag) for flag in item.get("flags", ()))
    assert found
    assert found <= FLAGS.keys()


def test_every_flag_of_an_assembled_session_is_listed() -> None:
    files = sorted((data_dir("fixtures") / "conversations").glob("*.jsonl"))
    conversations = llmtee.assemble(llmtee.read([*files]))  # type: ignore[arg-type]
    flags = {name_of(flag) for one in conversations for flag in one.flags}
    for name in registry.vendor_names():
        for one in llmtee.render(conversations, name):
            if one.skip is None:
                for item in llmtee.parse(one.body, name):
                    flags.update(name_of(flag) for flag in item.flags)
    assert flags
    assert flags <= FLAGS.keys()
