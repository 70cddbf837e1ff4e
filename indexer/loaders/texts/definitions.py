"""Where source code defines something: classes, functions, sections of a file, by how their first lines look.

One rule for all languages: a line that begins with a word of definition, or looks like the head of a function, is a
heading, as deep as it is indented; the comments and decorators right above belong to it. So passages begin where
definitions do, and know within which they stand. What is wrongly found costs a cut, nothing more.
"""

from __future__ import annotations

import re

from quarry.indexer.loaders.decoding import one_line
from quarry.search.types import Heading

_LONGEST = 300  # characters of a line
_MODIFIERS = (
    r"(?:(?:export|default|public|private|protected|internal|static|final|abstract|sealed|open|override|virtual|inline"
    r"|async|extern|unsafe|const|partial|data|case|pub(?:\([\w:]+\))?|local|declare|suspend|fileprivate|mutating)\s+)*"
)
_NAMED = re.compile(
    rf"[ \t]*{_MODIFIERS}(?:(?:class|def|defmodule|defp|defmacro|function\*?|fun|fn|func|sub|proc|procedure|struct"
    r"|enum(?:\s+class)?|union|interface|trait|impl(?:<[^<>\n]*>)?|module|namespace|package|object|record|protocol|extension"
    r"|message|service|type|subroutine|program|contract|library|macro_rules!|theorem|lemma|instance)\b"
    r"[ \t]*(?P<name>(?:\([^()\n]*\)[ \t]*)?[\w$.:<>*?!&'\[\], ]*[\w$?!>\]])|\((?:defun|defmacro|defn-?|define)[ \t]+"
    r"(?P<lisp>[^\s()]+|\([^\s()]+))"
)
_HEAD = re.compile(  # int main(int argc, char **argv) {
    r"(?:[A-Za-z_][\w:<>,\[\]]*[ \t*&]+){1,6}[~*&]?(?P<name>[A-Za-z_~][\w:]*)[ \t]*\([^;{}\n]*\)?[^;\n]*$"
)
_METHOD = re.compile(
    rf"[ \t]+{_MODIFIERS}(?:[\w$<>\[\],.?]+[ \t]+)?(?P<name>[A-Za-z_$#][\w$]*)[ \t]*\([^;\n]*\)[^;=\n]*\{{[ \t]*$"
)
_CONTROL = frozenset(
    """if else for while switch return catch do try with elif until when foreach using lock throw new""".split()  # noqa: SIM905
)
_SQL = re.compile(
    r"(?i)create\s+(?:or\s+replace\s+)?(?:temp\w*\s+)?(?P<name>\w+\s+(?:if\s+not\s+exists\s+)?[\w.\"`\[\]]+)"
)
_SELECTOR = re.compile(r"(?P<name>[^\s{}/@][^{}\n]*|@[\w-]+[^{};\n]*)\{[ \t]*$")
_ABOVE = re.compile(r"[ \t]*(?:@|#(?!include|define)|//|/\*|\*|--|;;|\[[\w(]|template\b|\"\"\")")
_STYLES = frozenset({"css", "scss", "less"})
_C_LIKE = frozenset({"c", "c++", "java", "csharp", "objective-c", "d", "glsl", "cython", "dart", "groovy", "solidity"})
_METHODS = _C_LIKE | {"javascript", "typescript", "php", "vue", "svelte", "swift", "kotlin", "scala"}
_NONE = frozenset({"yaml", "toml", "ini", "diff", "bibtex", "xml", "dockerfile", "tex", "make"})


def definitions(text: str, language: str) -> tuple[Heading, ...]:
    """Return the definitions of source code as headings."""
    if not language or language in _NONE:
        return ()
    found: list[Heading] = []
    indents: list[int] = []
    start = above = 0
    in_string = False
    for line in text.split("\n"):
        end = start + len(line) + 1
        is_string = line.count('"""') % 2 == 1
        if not in_string and 3 < len(line) < _LONGEST and (name := _name(line, language)):
            depth = len(line) - len(line.lstrip())
            while indents and indents[-1] >= depth:
                indents.pop()
            indents.append(depth)
            found.append(Heading(above, len(indents), one_line(name, 120)))
            above = end
        elif not _ABOVE.match(line):
            above = end
        if is_string:
            in_string = not in_string
        start = end
    return tuple(found)


def _name(line: str, language: str) -> str:
    if language == "sql":
        return found["name"] if (found := _SQL.match(line)) else ""
    if language in _STYLES:
        return found["name"].strip() if (found := _SELECTOR.match(line)) else ""
    if found := _NAMED.match(line):
        return (found["name"] or found["lisp"]).strip().rstrip("({:<")
    if language in _C_LIKE and (found := _HEAD.match(line)) and found[0].split(None, 1)[0] not in _CONTROL:
        return found["name"]
    if language in _METHODS and (found := _METHOD.match(line)) and found["name"] not in _CONTROL:
        return "" if line.split(None, 1)[0].rstrip("(") in _CONTROL else found["name"]
    return ""
