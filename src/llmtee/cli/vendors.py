"""``llmtee vendors``: what each vendor's API takes, how it behaves, and whether the key is right."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from llmtee import registry
from llmtee.cli import _console as console
from llmtee.cli._check import check_vendor
from llmtee.cli._options import JsonOption, settings_of, variables
from llmtee.cli._run import SOME_FAILED, command
from llmtee.spec import Vendor

app = typer.Typer(
    add_completion=False,
    help="Vendors: how they behave, and is the key right?",
    no_args_is_help=True,
    rich_markup_mode=None,
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Such as honeyhive.")]


def listing(as_json: JsonOption = False) -> None:
    """List the vendors: what one write holds, limits, and where the key comes from.

    Example: llmtee vendors list --json
    """
    vendors = [registry.vendor(name) for name in registry.vendor_names()]
    if as_json:
        console.print_json([_card(vendor) for vendor in vendors])
        return
    console.show(
        console.table("vendor", "a write holds", "semantics", "a repetition is", "key"),
        [
            (
                vendor.name,
                _holds(vendor),
                vendor.semantics,
                _repetition(_card(vendor)),
                variables(vendor.settings, "api_key")[0],
            )
            for vendor in vendors
        ],
    )
    console.line("\nllmtee vendors show NAME tells more", "dim")


def show(name: NameArgument, as_json: JsonOption = False) -> None:
    """Show one vendor's card: capabilities, limits, retries, settings.

    Example: llmtee vendors show honeyhive
    """
    vendor = registry.vendor(name)
    card = _card(vendor)
    if as_json:
        console.print_json(card)
        return
    console.line(f"{vendor.title}  {vendor.docs}", "bold")
    facts = [
        ("a write holds", f"{_holds(vendor)} ({vendor.semantics})"),
        ("is sent", _when(vendor)),
        ("limits", _limits(vendor)),
        ("a repetition is", _repetition(card)),
        ("past times", "yes" if card["capabilities"]["past_times"] else "no: stored as of now"),
        ("partial answers", "yes" if card["capabilities"]["partial_answers"] else "no"),
        ("reads back", "yes" if card["capabilities"]["reads_back"] else "no"),
        ("retries", _waits(vendor)),
    ]
    console.facts([*facts, *(("", note) for note in card["capabilities"]["notes"])])
    console.heading("Settings")
    console.facts((setting["name"], _setting_text(setting)) for setting in card["settings"])
    if card["loses"]:
        console.heading("What it has no place for, or another one")
        console.facts(card["loses"].items())


def check(name: NameArgument, as_json: JsonOption = False) -> int:
    """Send the vendor's harmless check request: are key and address right?

    Example: llmtee vendors check honeyhive
    """
    vendor = registry.vendor(name)
    settings = settings_of(vendor, need_key=True)
    result = check_vendor(vendor, settings)
    if as_json:
        console.print_json(
            {
                "vendor": name,
                "url": settings.base_url,
                "ok": result.ok,
                "status": result.status,
                "says": result.says,
            }
        )
    else:
        mark = "ok" if result.ok else "failed"
        console.line(f"{mark}: {vendor.title} at {settings.base_url}: {result.says}")
    return 0 if result.ok else SOME_FAILED


app.command("list")(command(listing))
app.command("show")(command(show))
app.command("check")(command(check))


def _card(vendor: Vendor[Any]) -> dict[str, Any]:
    capabilities = vendor.capabilities(settings_of(vendor, need_key=False))
    return {
        "name": vendor.name,
        "title": vendor.title,
        "docs": vendor.docs,
        "grain": vendor.grain,
        "semantics": vendor.semantics,
        "sent": _when(vendor),
        "limits": {
            "items": vendor.limits.items,
            "bytes": vendor.limits.bytes,
            "concurrency": vendor.limits.concurrency,
        },
        "retry": {
            "initial": vendor.retry.initial,
            "multiplier": vendor.retry.multiplier,
            "jitter": vendor.retry.jitter,
            "maximum": vendor.retry.maximum,
            "attempts": vendor.retry.attempts,
            "give_up_after": vendor.retry.give_up_after,
        },
        "capabilities": {
            "past_times": capabilities.past_times,
            "idempotent_by": capabilities.idempotent_by,
            "partial_answers": capabilities.partial_answers,
            "reads_back": capabilities.reads_back,
            "notes": list(capabilities.notes),
        },
        "settings": _settings(vendor),
        "loses": dict(vendor.reasons),
    }


def _settings(vendor: Vendor[Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "default": "" if field.default is None else str(field.get_default()),
            "environment": list(variables(vendor.settings, name)),
            "description": " ".join((field.description or "").replace("``", "`").split()),
        }
        for name, field in vendor.settings.model_fields.items()
    ]


def _when(vendor: Vendor[Any]) -> str:
    if vendor.grain == "event":
        return "at once"
    if vendor.send_when == "ended":
        return f"once, when it ended or was idle for {console.seconds(vendor.quiet)}"
    late = "" if vendor.patience is None else f", at most {console.seconds(vendor.patience)} behind"
    return f"whenever it changed, {console.seconds(vendor.quiet)} after the last event{late}"


def _waits(vendor: Vendor[Any]) -> str:
    retry = vendor.retry
    ends = f"{retry.attempts} tries" if retry.attempts else console.seconds(retry.give_up_after)
    return (
        f"after {console.seconds(retry.initial)}, each wait {retry.multiplier:g} times the last, "
        f"at most {console.seconds(retry.maximum)}; given up after {ends}"
    )


def _setting_text(setting: dict[str, Any]) -> str:
    origins = f" From {' or '.join(setting['environment'])}." if setting["environment"] else ""
    default = f" Default: {setting['default']}." if setting["default"] else ""
    return f"{setting['description']}{origins}{default}"


def _limits(vendor: Vendor[Any]) -> str:
    at_once = console.plural(vendor.limits.concurrency, "request")
    return f"{console.size(vendor.limits.bytes)} a request, {at_once} at a time"


def _holds(vendor: Vendor[Any]) -> str:
    count = vendor.limits.items
    return f"one {vendor.grain}" if count == 1 else f"up to {console.plural(count, vendor.grain)}"


def _repetition(card: dict[str, Any]) -> str:
    known_by = card["capabilities"]["idempotent_by"]
    return "stored twice" if known_by is None else f"known by {known_by}"
