"""Facts of the running process for Voker's fingerprint, for who wants to share them.

The vendor itself never calls this: an application asks, and hands the values to the settings::

    Voker(packages=installed_packages(), git=git_facts())
"""

from __future__ import annotations

import subprocess
from importlib.metadata import distributions

from llmtee.vendors.voker.settings import GitFacts


def installed_packages() -> dict[str, str]:
    """The installed distributions, name to version, sorted by name."""
    return dict(sorted((found.name, found.version) for found in distributions()))


def git_facts(directory: str = ".") -> GitFacts | None:
    """What git knows of the checkout in ``directory``; ``None`` where there is no git or no commit."""
    commit = _git(directory, "log", "-1", "--format=%H %cI")
    if commit is None:
        return None
    commit_hash, _, commit_date = commit.partition(" ")
    return GitFacts(
        repository_url=_git(directory, "remote", "get-url", "origin"),
        branch=_git(directory, "symbolic-ref", "--short", "HEAD"),  # fails on a detached HEAD
        commit_hash=commit_hash,
        commit_date=commit_date,
    )


def _git(directory: str, *arguments: str) -> str | None:
    command = ["git", "-C", directory, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603 - fixed words
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
