"""Which documents lie at a path: a file, a folder with all that is below it, or a pattern of these.

A pattern is compared name by name, whatever the case and the Unicode form. One that begins with `/` is anchored there;
any other may begin at any folder or file, from the root's own name downwards: `notes`, `notes/2024`, `todo.md`, `*.md`,
`notes/**/*.md`. `*`, `?` and `[abc]` stand for characters within a name, `**` for any number of folders; a final `/`
means folders only. Rows of a table lie at the path of their file,
members of an archive below it: `letters.zip/2024/may.txt`.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from quarry.search.language.texts import folded

_GLOB = re.compile(r"\*+|\?|\[(!?)([^/\]]+)\]")
_KEY = re.compile(r"#(?:[^#]*!)?(?:row|id|message)=.*\Z", re.S)  # what names a row of a file, or a message
_WITHIN = re.compile(r"(\.\w{1,8})#(?=[^#])")  # what parts a file from one within it


def lies_at(uri: str, pattern: str, root: str | None = None) -> bool:
    """Whether a document lies at a path.

    Args:
        root: where the document lies in it, what is not anchored is looked for from the root's own name downwards.
    """
    uri, pattern, root = _plain(uri), _plain(pattern), root and _plain(root)
    if root and uri.startswith(root) and not pattern.startswith("/"):
        uri = uri[len(os.path.dirname(root)) :]  # noqa: PTH120  # a string, thousands of times
    find = _matcher(pattern).search
    if "#" in uri:
        uri = _KEY.sub("", uri)
        if find(folded(_WITHIN.sub(r"\1/", uri))):
            return True
    return find(folded(uri)) is not None


def path_of(uri: str) -> str:
    """Return the path of the file that a document is, or is a row of; a file that others lie in is like a folder."""
    return _WITHIN.sub(r"\1/", _KEY.sub("", _plain(uri)))


def _plain(path: str) -> str:
    """Return a path as its bytes say, of names that are not UTF-8; a pattern for them may be written as their URI."""
    if not path.startswith("file://"):
        return path
    path, mark, item = path.partition("#")
    return unquote_to_bytes(path.removeprefix("file://")).decode("utf-8", "surrogateescape") + mark + item


@lru_cache(2_048)  # a filter may hold a thousand
def _matcher(pattern: str) -> re.Pattern[str]:
    """Return what is searched for in a folded URI.

    What a star takes is never given back (atomic groups), but for the last of a name and of the whole, as in
    `fnmatch.translate`: so that no pattern takes long.
    """
    pattern = folded(pattern)
    names = [name for name in pattern.split("/") if name not in ("", ".")]
    below = pattern.endswith("/") or names[-1:] == ["**"]
    while names and names[-1] == "**":
        names.pop()
    if not names:
        return re.compile("" if below else r"(?!)")
    start = r"\A/+" if pattern.startswith("/") else r"(?:\A|/)"
    end = "/" if below else r"(?:/|\Z)"
    literal = "/+".join(map(re.escape, names))
    try:
        return re.compile(f"{start}(?:{literal}|{_glob(names)}){end}", re.S)
    except re.error:  # a range that ends before it begins
        return re.compile(f"{start}{literal}{end}", re.S)


def _glob(names: list[str]) -> str:
    """Return the regular expression of names and `**` between them."""
    runs: list[list[str]] = [[]]
    for name in names:
        if name == "**":
            runs.append([])
        else:
            runs[-1].append(_name(name))
    first, *rest = ["/+".join(run) for run in runs if run or run is runs[0]]
    if not rest:
        return first
    *middle, last = rest
    between = "".join(f"(?>(?:[^/]+/+)*?{run}/+)" for run in middle)
    return f"{first}{'/+' if first else ''}{between}(?:[^/]+/+)*?{last}"


def _name(name: str) -> str:
    """Return the regular expression of one name; its stars stop at its end."""
    parts, at = [""], 0
    for match in _GLOB.finditer(name):
        parts[-1] += re.escape(name[at : match.start()])
        at = match.end()
        if match[0].startswith("*"):
            parts.append("")
        elif match[0] == "?":
            parts[-1] += "[^/]"
        else:
            held = re.sub(r"([\\^&~|\[])", r"\\\1", match[2])
            parts[-1] += f"(?!/)[{'^' if match[1] else ''}{held}]"
    parts[-1] += re.escape(name[at:])
    return starred(parts)


def starred(parts: list[str]) -> str:
    """Return the regular expression of the parts of a name with stars between them; each is of one length."""
    first, *rest = parts
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>[^/]*?{part})" for part in middle) + f"[^/]*{last}"
