"""E-mail addresses and URLs in running text, in the one spelling that all of the same have."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LOCAL = 64  # characters before the @, RFC 5321
_BEFORE = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+\Z")
_DOMAIN = re.compile(
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}(?:xn--[a-z0-9]{2,20}|[a-z]{2,24})(?![a-z0-9_-])", re.I | re.A
)
# The longest run of what may stand in an address (RFC 3986, and letters of any script); its end is trimmed after.
_URL = re.compile(
    r"(?:(?:https?|ftp)://|(?<![\w@./-])www\.)[^\s<>\"“”‘’«»{}|\\^`\x00-\x20「」『』，。、]{3,2000}", re.I
)
_HOST = re.compile(r"(?:[^\s/?#@]{0,200}@)?(\[[0-9a-f:.]+\]|[^\s/?#:@]+)(:\d{1,5})?(?=[/?#]|\Z)", re.I)
# A Korean particle, written as one word with what it follows; /wiki/서울 is a path.
_PARTICLE = re.compile(r"(?<=[!-~])(?<![/=&#?:_-])[가-힣]{1,4}\Z")
_STOPS = ".,;:!?'\"*_…"
_PAIRS = {")": "(", "]": "["}


def emails(text: str) -> Iterator[str]:
    """Yield e-mail addresses in lower case: hosts know no case, and those who give addresses out hardly do."""
    at = text.find("@")
    while at >= 0:
        before = _BEFORE.search(text, max(0, at - _LOCAL - 1), at)
        domain = _DOMAIN.match(text, at + 1)
        if before and domain:
            local = before.group().strip(".!#$%&'*+/=?^`{|}~-")
            if local and len(before.group()) <= _LOCAL and ".." not in local and not before.group().startswith("/"):
                yield f"{local}@{domain.group()}".lower()
        at = text.find("@", at + 1)


def urls(text: str) -> Iterator[str]:
    """Yield addresses of web pages and files; a host is in lower case, `www.` alone is taken for https."""
    if "://" not in text and "www." not in text.lower():
        return
    for match in _URL.finditer(text):
        url = _trimmed(match.group())
        scheme, rest = url.split("://", 1) if "://" in url else ("https", url)
        if host := _HOST.match(rest):
            name = host.group(1)
            if "." in name.strip(".") or name.startswith("[") or name.lower() == "localhost":
                yield f"{scheme.lower()}://{rest[: host.end()].lower()}{rest[host.end() :]}"


def _trimmed(url: str) -> str:
    """Leave out what belongs to the sentence: a stop at the end, a bracket that was opened before."""
    while url:
        last = url[-1]
        if last in _STOPS or (last in _PAIRS and url.count(last) > url.count(_PAIRS[last])):
            url = url[:-1]
        elif particle := _PARTICLE.search(url, max(0, len(url) - 6)):
            url = url[: particle.start()]
        else:
            break
    return url
