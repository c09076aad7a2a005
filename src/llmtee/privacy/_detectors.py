"""What is looked for in text: each detector gives the spans that it knows by their shape.

Every pattern is linear in the length of the text: runs are taken whole by possessive quantifiers, a match begins only
where a run begins, and whatever is tried several times has a bounded length. So no text can make a detector slow.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]
Detector: TypeAlias = Callable[[str], Iterator[Span]]

# Prefixes by which the issuers' own documentation, and secret scanners, know a key.
_KEY_PREFIXES = (
    *("sk-", "sk_", "rk_", "whsec_", "AIza", "ya29.", "GOCSPX-", "AKIA", "ASIA", "ghp_", "gho_"),
    *("ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "xapp-", "hf_", "gsk_", "xai-"),
    *("pplx-", "lsv2_", "npm_", "pypi-", "SG.", "eyJ", "hh_", "pk-lf-"),
)
_KEY = re.compile(
    r"(?<![A-Za-z])(?:"
    r"sk-[A-Za-z0-9_-]{16,}+"  # OpenAI, Anthropic (sk-ant-), OpenRouter, Langfuse
    r"|[sr]k_(?:live|test)_[A-Za-z0-9]{10,}+|whsec_[A-Za-z0-9+/=]{20,}+"  # Stripe
    r"|AIza[A-Za-z0-9_-]{30,}+|ya29\.[A-Za-z0-9_-]{20,}+|GOCSPX-[A-Za-z0-9_-]{20,}+"  # Google
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"  # AWS key ids
    r"|gh[pousr]_[A-Za-z0-9]{20,}+|github_pat_[A-Za-z0-9_]{20,}+|glpat-[A-Za-z0-9_-]{16,}+"
    r"|xox[a-z]-[A-Za-z0-9-]{10,}+|xapp-[A-Za-z0-9-]{10,}+"  # Slack
    r"|(?:hf_|gsk_|xai-|pplx-|npm_|hh_)[A-Za-z0-9_-]{16,}+"  # hh_: HoneyHive
    r"|(?:lsv2_|pk-lf-|pypi-)[A-Za-z0-9_-]{16,}+"
    r"|SG\.[A-Za-z0-9_-]{10,}+\.[A-Za-z0-9_-]{10,}+"  # SendGrid
    r"|eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]++)?"  # a JWT
    r")"
)
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----")

# A name that says what its value is, before = or :, as in an environment, a query or a line of a log.
_NAMES = {
    "api_key": r"api[_-]?key|integration[_-]key|access[_-]?key(?:[_-]id)?|secret[_-]?access[_-]?key",
    "bearer": r"(?:auth|access|refresh|bearer|session|id)[_-]?token|authorization[_-]token",
    "password": r"password|passwd|pwd|passphrase|client[_-]?secret|secret[_-]?key|private[_-]?key",
}
_HINTS = {
    "api_key": ("key",),
    "bearer": ("token",),
    "password": ("passw", "pwd", "passphrase", "secret", "private"),
}
_ASSIGNED = {
    kind: re.compile(
        rf"(?:{names})[\"']?[ \t]{{0,3}}(=|:)[ \t]{{0,3}}[\"']?([^\s\"'<>\[\](){{}}&,;\\]{{6,}}+)",
        re.IGNORECASE,
    )
    for kind, names in _NAMES.items()
}
_NAMED = {kind: re.compile(rf"(?:{names})\Z") for kind, names in _NAMES.items()}

# A pattern that begins with a set of characters is searched for much faster than one that begins by looking back; so
# the look back comes after the first character.
_EMAIL = re.compile(r"(?<![\w.%+'-])[\w.%+'-]++@([\w-]++(?:\.[\w-]++)++)")
_DIGIT_RUN = re.compile(r"[0-9](?<![A-Za-z0-9_].)(?<![0-9]\..)(?:[ \u00a0-]?[0-9]){12,}+")
_DIGIT_GROUP = re.compile(r"[0-9]++")
_V4 = re.compile(r"[0-9](?<![\w.].)[0-9]{0,2}(?:\.[0-9]{1,3}){3}(?![\w])(?!\.[0-9])")
_V6_COLON = re.compile(r":(?=[0-9A-Fa-f:])")
_V6 = re.compile(r"[0-9A-Fa-f:.]++")
_PHONE_PLACE = re.compile(r"[+(0-9][0-9 \u00a0.()/-]{8,}+")
_PHONE = re.compile(
    r"(?<![\w+])(?:\+|00)[1-9](?:[ \u00a0.()/-]{0,2}[0-9]){6,14}(?![0-9])"
    r"|(?<![\w.+-])(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-])[2-9][0-9]{2}[ .-][0-9]{4}(?![\w-])"
)
_BEARER = re.compile(r"(?<!\w)bearer[ \t]{1,3}([A-Za-z0-9._~+/-]{8,}+=*+)", re.IGNORECASE)
_BASIC = re.compile(r"(?<!\w)basic[ \t]{1,3}([A-Za-z0-9+/]{8,}+={0,2})", re.IGNORECASE)
_URL_USER = re.compile(r"://([^\s/@:\"'<>\[\]]{0,256}:[^\s/@\"'<>\[\]]{1,1024})@")
_LONGEST_V6 = 45
_HEX = frozenset("0123456789abcdefABCDEF")


def _email(text: str) -> Iterator[Span]:
    if "@" in text:
        for match in _EMAIL.finditer(text):
            last = match[1].rpartition(".")[2]
            if len(last) >= 2 and not last.isdigit():
                yield match.span()


def _card(text: str) -> Iterator[Span]:
    for match in _DIGIT_RUN.finditer(text):
        for start, end in _cards_in(match[0], match.start()):
            if not (text[end : end + 1].isalpha() or text[end : end + 1] == "_"):
                yield start, end


def _cards_in(run: str, at: int) -> Iterator[Span]:
    """Card numbers in a run of digits; each begins and ends where a group of digits does."""
    groups = [found.span() for found in _DIGIT_GROUP.finditer(run)]
    digits = [int(char) for char in run if char.isdigit()]
    # Sums of the digits as they stand, and doubled, by parity of the place: any stretch is then checked in one step.
    plain = [
        list(accumulate((d if i % 2 == p else 0 for i, d in enumerate(digits)), initial=0))
        for p in (0, 1)
    ]
    twice = [
        list(
            accumulate(
                (sum(divmod(2 * d, 10)) if i % 2 == p else 0 for i, d in enumerate(digits)),
                initial=0,
            )
        )
        for p in (0, 1)
    ]
    starts = list(accumulate((end - start for start, end in groups), initial=0))
    first = 0
    while first < len(groups):
        low, found = starts[first], None
        for last in range(first, min(first + 19, len(groups))):
            high = starts[last + 1]
            if high - low > 19:
                break
            odd = (high - 1) % 2
            total = plain[odd][high] - plain[odd][low] + twice[1 - odd][high] - twice[1 - odd][low]
            if total % 10 == 0 and _is_card(digits[low:high]):
                found = last
        if found is None:
            first += 1
        else:
            yield at + groups[first][0], at + groups[found][1]
            first = found + 1


def _is_card(digits: list[int]) -> bool:
    """Whether length and first digits are those of a card network (ISO/IEC 7812 ranges as the networks publish them)."""
    size, head = len(digits), int("".join(map(str, digits[:4])))
    if not 13 <= size <= 19 or len(set(digits)) == 1:
        return False
    if head // 1000 == 4:  # Visa
        return size in (13, 16, 19)
    if 5100 <= head <= 5599 or 2221 <= head <= 2720:  # Mastercard
        return size == 16
    if head // 100 in (34, 37):  # American Express
        return size == 15
    if head // 100 in (30, 36, 38, 39):  # Diners Club
        return 14 <= size <= 19
    # Discover, UnionPay, Maestro; JCB
    return head // 1000 == 6 or head // 100 in (50, 56, 57, 58) or 3528 <= head <= 3589


def _phone(text: str) -> Iterator[Span]:
    for place in _PHONE_PLACE.finditer(text):
        # One more character, for what must not follow.
        yield from (match.span() for match in _PHONE.finditer(text, place.start(), place.end() + 1))


def _ip(text: str) -> Iterator[Span]:
    if "." in text:
        for match in _V4.finditer(text):
            if all(int(part) < 256 for part in match[0].split(".")):
                yield match.span()
    yield from _v6(text)


def _v6(text: str) -> Iterator[Span]:
    done = 0
    # From colon to colon, which are few; the run around one is at most as long as an address may be.
    while colon := _V6_COLON.search(text, done):
        start = colon.start()
        while start > max(done, colon.start() - 5) and text[start - 1] in _HEX:
            start -= 1
        run = _V6.match(text, start)
        done = run.end() if run else colon.end()
        if start and (text[start - 1].isalnum() or text[start - 1] in "_."):
            continue
        found = text[start:done].rstrip(".")
        found = found if found.endswith("::") else found.rstrip(":")
        if found.count(":") >= 2 and len(found) <= _LONGEST_V6 and _is_v6(found):
            yield start, start + len(found)


def _is_v6(text: str) -> bool:
    if not any(char.isdigit() for char in text):  # a::b is C++ more often than an address
        return False
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _api_key(text: str) -> Iterator[Span]:
    if any(prefix in text for prefix in _KEY_PREFIXES):
        yield from (match.span() for match in _KEY.finditer(text))
    if "PRIVATE KEY" in text:
        yield from _pem(text)
    yield from _assigned("api_key", text)


def _pem(text: str) -> Iterator[Span]:
    at = 0
    while begin := _PEM.search(text, at):
        end = _PEM_END.search(text, begin.end())
        at = end.end() if end else len(text)  # cut short: all that follows may be key
        yield begin.start(), at


def _assigned(kind: str, text: str) -> Iterator[Span]:
    low = text.lower()
    if any(hint in low for hint in _HINTS[kind]):
        for match in _ASSIGNED[kind].finditer(text):
            # After a colon, prose may follow: "password: required". A secret has a digit.
            if match[1] == "=" or any(char.isdigit() for char in match[2]):
                yield match.span(2)


def _bearer(text: str) -> Iterator[Span]:
    low = text.lower()
    if "bearer" in low:
        for match in _BEARER.finditer(text):
            if len(match[1]) >= 24 or any(char.isdigit() for char in match[1]):
                yield match.span(1)
    if "basic" in low:
        yield from (match.span(1) for match in _BASIC.finditer(text) if _is_basic(match[1]))
    yield from _assigned("bearer", text)


def _is_basic(text: str) -> bool:
    """Whether it is the base64 of ``user:password``; "basic knowledge" is not."""
    try:
        return b":" in base64.b64decode(text, validate=True)
    except binascii.Error:
        return False


def _password(text: str) -> Iterator[Span]:
    if "://" in text and "@" in text:
        yield from (match.span(1) for match in _URL_USER.finditer(text))
    yield from _assigned("password", text)


DETECTORS: dict[str, Detector] = {
    "api_key": _api_key,
    "bearer": _bearer,
    "card": _card,
    "email": _email,
    "ip": _ip,
    "password": _password,
    "phone": _phone,
}
"""By name. Where two meet, the span that begins first gives its name."""

GROUPS: dict[str, tuple[str, ...]] = {
    "all": tuple(DETECTORS),
    "personal": ("card", "email", "ip", "phone"),
    "secrets": ("api_key", "bearer", "password"),
}
"""Names for several at once."""

_KEY_NAMES = {
    **dict.fromkeys(("authorization", "proxy_authorization", "cookie", "set_cookie"), "bearer"),
    **dict.fromkeys(("x_api_key", "x_goog_api_key", "subscription_key"), "api_key"),
}


def kind_of_key(name: str) -> str | None:
    """What the value under a key is by the key's name: ``authorization``, ``x-api-key``, ``client_secret``."""
    if len(name) > 60:
        return None
    plain = name.lower().replace("-", "_")
    if plain in _KEY_NAMES:
        return _KEY_NAMES[plain]
    for kind, pattern in _NAMED.items():
        if any(hint in plain for hint in _HINTS[kind]) and pattern.search(plain):
            return kind
    return None
