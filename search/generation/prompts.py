"""Prompts: what any of them says."""

from __future__ import annotations

from quarry.search.language.scripts import scripts_in


def in_language_of(text: str, called: str) -> str:
    """Say in which language to write: that of `text`, which the prompt calls `called`."""
    if scripts_in(text)[:1] == ("Hangul",):
        return "Write in Korean. 한국어로 쓰세요."
    return f"Write in the language of the {called}."
