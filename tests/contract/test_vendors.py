"""The contract kit, run over our own vendors."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from llmtee import OTLP, HoneyHive, Inkeep, Roark, Voker, registry
from llmtee._data_files import data_dir
from llmtee.spec import Request
from llmtee.testing.contract import VendorContract


@cache
def validator(vendor: str, name: str) -> Any:
    path = data_dir("schemas") / "vendors" / vendor / name
    return Draft202012Validator(json.loads(path.read_text("utf-8")))


class Schema(VendorContract):
    schema: str

    def schema_error(self, request: Request) -> str | None:
        error = best_match(validator(self.vendor.name, self.schema).iter_errors(request.body))
        return None if error is None else f"{error.json_path}: {error.message}"


class TestVoker(Schema):
    vendor = registry.vendor("voker")
    settings = Voker(api_key="k")
    schema = "event.json"


class TestHoneyHive(Schema):
    vendor = registry.vendor("honeyhive")
    settings = HoneyHive(api_key="k")
    schema = "legacy-batch.json"


class TestHoneyHiveV1(Schema):
    vendor = registry.vendor("honeyhive")
    settings = HoneyHive(api_key="k", api="v1")
    schema = "v1-batch.json"


class TestHoneyHiveMixed(Schema):
    vendor = registry.vendor("honeyhive")
    settings = HoneyHive(api_key="k", sessions="mixed")
    schema = "legacy-batch.json"


class TestInkeep(Schema):
    vendor = registry.vendor("inkeep")
    settings = Inkeep(api_key="k")
    schema = "conversation.json"


class TestOTLP(Schema):
    vendor = registry.vendor("otlp")
    settings = OTLP(api_key="k")
    schema = "traces.json"


class TestRoark(Schema):
    vendor = registry.vendor("roark")
    settings = Roark(api_key="k")
    schema = "chat.json"


class TestRoarkWithoutExternalIds(Schema):
    vendor = registry.vendor("roark")
    settings = Roark(api_key="k", external_id=False)
    schema = "chat.json"


del Schema, VendorContract  # pytest would run the base classes, too
