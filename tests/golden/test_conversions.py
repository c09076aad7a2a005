"""The example payload of each vendor's own documentation, at its own vendor and at the three others.

``REGENERATE_GOLDEN=1 pytest tests/golden`` writes ``fixtures/golden`` anew; read what changed before you keep it.
"""

from __future__ import annotations

import json
import os
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from llmtee import functions, jsontext, registry
from llmtee.spec import WireItem
from llmtee.testing.contract import same_json

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
VENDORS = ("honeyhive", "inkeep", "roark", "voker")
REGENERATE = bool(os.environ.get("REGENERATE_GOLDEN"))


def seed(vendor: str) -> Any:
    return json.loads((FIXTURES / "vendors" / vendor / "seed.json").read_text("utf-8"))


def requests(wires: list[WireItem], target: str) -> list[dict[str, Any]]:
    vendor = registry.vendor(target)
    written = [wire for wire in wires if wire.body is not None]
    # A fingerprint, as Voker's are prepared before the first write; the others need no state.
    packed = vendor.pack(written, vendor.settings(), {"fingerprint_id": "fingerprint-1"})
    return [{"method": r.method, "path": r.path, "body": r.body} for r in packed]


def conversion(source: str, target: str) -> dict[str, Any]:
    items = functions.parse(seed(source), source)
    rendered = functions.render(items, target)
    return {
        "requests": requests([one.wire for one in rendered], target),
        "skipped": [
            {"kind": one.item.kind, "id": one.item.id, "reason": one.skip}
            for one in rendered
            if one.skip
        ],
        "ledger": functions.explain(items, target).to_json(),
    }


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_seed_is_rendered_as_it_was_parsed(vendor: str) -> None:
    payload = seed(vendor)
    rendered = functions.render(functions.parse(payload, vendor), vendor)
    [request] = requests([one.wire for one in rendered], vendor)
    body = request["body"]
    if "fingerprint_id" in payload:
        body = {**body, "fingerprint_id": payload["fingerprint_id"]}
    assert same_json(body, payload)


@pytest.mark.parametrize(("source", "target"), list(permutations(VENDORS, 2)))
def test_a_seed_converts_to_every_other_vendor(source: str, target: str) -> None:
    path = FIXTURES / "golden" / f"{source}-to-{target}.json"
    found = conversion(source, target)
    if REGENERATE:
        path.write_text(jsontext.dumps_pretty(found) + "\n", "utf-8")
    assert same_json(found, json.loads(path.read_text("utf-8")))
