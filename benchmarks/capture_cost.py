"""What a wrapped client costs beside a plain one: the same calls to a local provider, by turns.

The provider answers from another process. Nothing is delivered, so that only the caller's thread is measured. Of a
pair, the wrapped call comes first and second in turn; the figure is the median of the differences.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from llmtee import Tee

PAIRS = 1500
_PROVIDER = """
import sys
from llmtee.testing.providers import ProviderServer
with ProviderServer() as provider:
    print(provider.url, flush=True)
    sys.stdin.read()
"""
MESSAGES = [{"role": "user", "content": "Where is order 17?"}]
HISTORY = [
    {"role": role, "content": f"{turn}: " + "Some words that were said before. " * 12}
    for turn in range(20)
    for role in ("user", "assistant")
]


def main() -> None:
    """Prints all figures."""
    print(f"µs{'':>38}{'plain':>9}{'wrapped':>9}{'more':>8}")
    with _provider() as url, tempfile.TemporaryDirectory() as directory:
        tee = Tee([], dir=directory, deliver=False)
        for name, make, call in _cases(url):
            plain, wrapped = make(), tee.wrap(make())
            _show(
                name,
                lambda plain=plain, call=call: call(plain),
                lambda w=wrapped, call=call: call(w),
            )
        tee.close()


def _cases(url: str) -> Iterator[tuple[str, Callable[[], object], Callable[[object], object]]]:
    import anthropic  # noqa: PLC0415 - one that is not installed shall not keep the others from being measured
    import openai  # noqa: PLC0415
    from google import genai  # noqa: PLC0415

    def chat() -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0)

    def claude() -> anthropic.Anthropic:
        return anthropic.Anthropic(base_url=url, api_key="k", max_retries=0)

    def gemini() -> genai.Client:
        return genai.Client(api_key="k", http_options={"base_url": url})

    yield (
        "OpenAI, chat.completions",
        chat,
        lambda it: it.chat.completions.create(model="m", messages=MESSAGES),
    )
    yield (
        "OpenAI, a history of 16 KB",
        chat,
        lambda it: it.chat.completions.create(model="m", messages=HISTORY),
    )
    yield (
        "OpenAI, a stream of 9 events",
        chat,
        lambda it: list(it.chat.completions.create(model="m", messages=MESSAGES, stream=True)),
    )
    yield (
        "Anthropic, messages",
        claude,
        lambda it: it.messages.create(model="m", max_tokens=99, messages=MESSAGES),
    )
    yield (
        "Google genai, generate_content",
        gemini,
        lambda it: it.models.generate_content(model="m", contents="Where is order 17?"),
    )


def _show(name: str, plain: Callable[[], object], wrapped: Callable[[], object]) -> None:
    for warm in (plain, wrapped) * 20:
        warm()
    costs: dict[bool, list[float]] = {False: [], True: []}
    for pair in range(PAIRS):
        for is_wrapped in (pair % 2 == 0, pair % 2 == 1):
            started = time.perf_counter_ns()
            (wrapped if is_wrapped else plain)()
            costs[is_wrapped].append((time.perf_counter_ns() - started) / 1000)
    before, after = (statistics.median(costs[key]) for key in (False, True))
    more = statistics.median(b - a for a, b in zip(costs[False], costs[True], strict=True))
    print(f"{name:<40}{before:>9.0f}{after:>9.0f}{more:>8.1f}")


@contextmanager
def _provider() -> Iterator[str]:
    words = [sys.executable, "-c", _PROVIDER]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        yield child.stdout.readline().strip()
        assert child.stdin is not None
        child.stdin.close()


if __name__ == "__main__":
    main()
