"""Whatever is asked, in Python or over HTTP, is answered or refused by name.

Run: python -m tests.fuzz [--seed 1] [--queries 100000] [--requests 20000] [--seconds 0]

A run with the same seed asks the same. What is found is printed with the number of its turn, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_from_bytes, urlsplit

from quarry.api import Library
from quarry.api.bodies.hits import notes_body
from quarry.api.bodies.holdings import documents_body, fields_body
from quarry.api.bodies.responses import response_body
from quarry.api.library import Text
from quarry.search.errors import QuarryError
from tests.folders import SAMPLE
from tests.processes import served

SHOWN = 20  # findings that are printed
LIMITS: tuple[Any, ...] = (0, 5, -1, "x")
TIMEOUT_S = 120.0

SYNTAX = (
    "' OR 1=1 --", '"; DROP TABLE documents; --', "') UNION SELECT * FROM meta --", "NULL", "?1", ":name", "@x", "$$",
    "AND", "OR", "NOT", "NEAR(a b, 5)", "a:b", "title:stars", "terms:x^2", "star*", "*", "?", "\"un closed",
    "(", ")", "((",
    "[a TO z]", "{a TO *}", "/re.*gex/", "~2", "+must -not", "a^1e9", "\\", "\\u0000", "%", "_", "%s", "{}",
    "{0.__class__}",
    "${jndi:ldap://x}", "{{7*7}}", "<script>alert(1)</script>", "../../etc/passwd", "file:///etc/passwd",
    "#row=1", "a.b",
    "\x1b[31m", "\r\nSet-Cookie: x", "\0", "\ud800", "\udfff\ud83d", "\ufeff", "\u202e", "\u2028", "\ufffd",
    "\uffff", "🤷🏽‍♀️", "e\u0301" * 9,
    "\U0010ffff", "\u0378", "١٢٣", "½", "Ⅷ", "ﬁ", "İ", "ß", "ǅ", "ᄀ", "각", "서울에서", "東京都", "ไทย", "ދިވެހި",
    "עברית", "العربية", "हिन्दी",
    "1e999", "-0", "NaN", "Infinity", "9" * 400, "0x1F", "2024-02-30", "2024-13", "03/04/2021", "the of and", "a" * 300,
)  # fmt: skip
FIELDS = (
    "id", "uri", "path", "root", "type", "kind", "title", "modified", "indexed", "date", "subject", "number",
    "tags", "n.x",
    "metadata.type", "metadata.", "metadata", "", ".", "..", "a.", "$eq", "$and", "$or", "$not", "$where",
    'a"b', "a\\b", "a?b",
    "?", "'", "a[0]", "$[0]", "é", "e\u0301", "연도",
)  # fmt: skip
OPERATORS = (
    "$eq", "$ne", "$in", "$nin", "$gt", "$gte", "$lt", "$lte", "$exists", "$contains", "$not", "$regex", "eq", "$", "",
)  # fmt: skip


def text(rng: random.Random, longest: int = 200) -> str:
    """Return some text: of words, of syntax, of any characters, or of all of these."""
    parts = []
    for _ in range(rng.choice((0, 1, 1, 2, 3, 5, 8))):
        kind = rng.random()
        if kind < 0.45:
            parts.append(rng.choice(SYNTAX))
        elif kind < 0.7:
            parts.append(rng.choice(("stars", "water", "how do", "coffee", "김치", "what is", "Panama Canal", "1914")))
        elif kind < 0.95:
            start = rng.randrange(0x110000)
            parts.append("".join(chr(min(start + rng.randrange(64), 0x10FFFF)) for _ in range(rng.randrange(1, 12))))
        else:
            parts.append(rng.choice("aé가\u0301 \n") * rng.randrange(1, longest))
    return rng.choice((" ", "", "\n")).join(parts)


def value(rng: random.Random, depth: int = 0) -> Any:
    """Return a value of JSON, or of Python where it has no other."""
    kind = rng.randrange(11 if depth < 4 else 8)
    if kind < 3:
        return text(rng, 60)
    if kind < 5:
        return rng.choice((0, 1, -1, 10, 2024, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 10**30, 1.5, -0.0, 1e308, 5e-324))
    if kind < 8:
        return rng.choice((True, False, None, "", [], {}, float("nan"), float("inf"), "2024-05", "2024-05-31"))
    if kind < 10:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {key(rng): value(rng, depth + 1) for _ in range(rng.randrange(4))}


def key(rng: random.Random) -> str:
    """Return the name of a field, or of none."""
    return rng.choice(FIELDS) if rng.random() < 0.85 else text(rng, 30)


def filter_(rng: random.Random, depth: int = 0) -> Any:
    """Return a filter, most of them nearly right."""
    kind = rng.random()
    if kind < 0.05:
        return value(rng)
    if depth < 4 and kind < 0.3:
        some = [filter_(rng, depth + 1) for _ in range(rng.choice((0, 1, 2, 3, 20)))]
        return {rng.choice(("$and", "$or")): some}
    if depth < 30 and kind < 0.4:
        return {"$not": filter_(rng, depth + 1)}
    found = {}
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        tests = {rng.choice(OPERATORS): value(rng, 2) for _ in range(rng.choice((1, 1, 1, 2)))}
        found[key(rng)] = value(rng, 2) if rng.random() < 0.4 else tests
    return found


def arguments(rng: random.Random) -> dict[str, Any]:
    """Return what `Library.search` may be called with, rightly or wrongly."""
    given: dict[str, Any] = {"mode": rng.choices(("hybrid", "semantic", "lexical"), (2, 1, 9))[0]}
    some: tuple[tuple[str, float, Callable[[], Any]], ...] = (
        ("limit", 0.7, lambda: rng.choice((1, 3, 10))),
        ("limit", 0.05, lambda: rng.choice((0, -1, 1_000, 1_001, 10**30, 1.5, "3", None, True))),
        ("offset", 0.1, lambda: rng.choice((0, 5, 9_999, 10_000, -1, 10**30, "0", None))),
        ("filter", 0.5, lambda: filter_(rng)),
        ("mode", 0.02, lambda: value(rng)),
        ("kinds", 0.05, lambda: rng.choice((("text",), ("image",), ("text", "image"), (), "text", ("x",), value(rng)))),
        ("min_relevance", 0.1, lambda: rng.choice((0.0, 0.5, 1.0, -1, 2, "meant", None, float("nan"), "x"))),
        ("like", 0.03, lambda: text(rng)),
        ("rerank", 0.0005, lambda: rng.choice(("reader", "cross-encoder", "x", 1))),
        ("answer", 0.0005, lambda: True),
        ("summarize", 0.001, lambda: True),
        ("group", 0.1, lambda: rng.choice(("document", None, "x", 1))),
        ("explain", 0.1, lambda: rng.choice((True, False, 1, "x"))),
    )
    for name, share, make in some:
        if rng.random() < share:
            given[name] = make()
    return given


@dataclass
class Findings:
    """What is wrong, each kind of it once, and how often everything was answered how."""

    answers: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, told: str) -> None:
        """Record what is wrong."""
        self.answers[f"WRONG {kind}"] += 1
        self.wrong.setdefault(kind, told)

    def show(self, what: str, seconds: float) -> None:
        """Print it."""
        print(f"{what}: {self.answers.total():,} in {seconds:.0f} s: {dict(self.answers.most_common())}")
        for kind, told in list(self.wrong.items())[:SHOWN]:
            print(f"\n{kind}\n{told}")


def fill(library: Library) -> None:
    """Add documents whose fields the filters name."""
    odd = [one for one in SYNTAX if "\0" not in one and not any("\ud800" <= char <= "\udfff" for char in one)]
    library.add(
        [
            Text(f"Stars and {one} water.", id=f"odd-{at}", metadata={"number": at, "tags": [one, at], "n": {"x": one}})
            for at, one in enumerate(odd)
        ]
    )


def call(library: Library, rng: random.Random) -> str:
    """Call the library with something, and return what came of it; raises what is not of the error tree."""
    kind = rng.random()
    try:
        if kind < 0.9:
            asked = value(rng) if rng.random() < 0.01 else text(rng, 12_000 if rng.random() < 0.01 else 200)
            body = response_body(library.search(asked, **arguments(rng)))
        elif kind < 0.95:
            found = library.listing(
                filter=filter_(rng), limit=rng.choice(LIMITS), sort=rng.choice(("added", text(rng)))
            )
            body = documents_body(found, 5, 0)
        elif kind < 0.97:
            body = notes_body(library.filter_notes(filter_(rng)))
        elif kind < 0.98:
            body = fields_body(library.fields())
        else:
            body = {"title": library.get(text(rng)).title}
    except QuarryError as error:
        str(error).encode("utf-8", "surrogatepass")
        return type(error).__name__
    json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    return "answered"


def queries(seed: int, count: int, seconds: float, directory: Path) -> Findings:
    """Ask a library through Python."""
    findings = Findings()
    ends = time.monotonic() + seconds if seconds else float("inf")
    with Library(directory) as library:
        for turn in range(count):
            if time.monotonic() > ends:
                break
            try:
                findings.answers[call(library, random.Random(f"{seed} {turn}"))] += 1
            except Exception as error:
                at = traceback.extract_tb(error.__traceback__)[-1]
                said = "".join(traceback.format_exception(error))[-3_000:]
                findings.add(f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}", f"turn {turn}\n{said}")
    return findings


# --- HTTP ---------------------------------------------------------------------------------------------------------


def body_of(rng: random.Random, schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int = 0) -> Any:
    """Return a value that a JSON schema describes, more or less."""
    if rng.random() < 0.07 or depth > 6:
        return value(rng, 2)
    if "$ref" in schema:
        return body_of(rng, schemas[schema["$ref"].rsplit("/", 1)[1]], schemas, depth)
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return body_of(rng, rng.choice(options), schemas, depth)
    if "enum" in schema:
        return rng.choice(schema["enum"])
    match schema.get("type"):
        case "object" if "properties" in schema:
            needed = schema.get("required", ())
            named = [name for name in schema["properties"] if name in needed or rng.random() < 0.3]
            found = {name: body_of(rng, schema["properties"][name], schemas, depth + 1) for name in named}
            return found | ({key(rng): value(rng, 2)} if rng.random() < 0.05 else {})
        case "object":
            return filter_(rng)
        case "array":
            return [body_of(rng, schema.get("items", {}), schemas, depth + 1) for _ in range(rng.choice((0, 1, 2, 3)))]
        case "string":
            return text(rng)
        case "integer":
            return rng.choice((1, 2, 5, 0, -1, 10**30))
        case "number":
            return rng.choice((0.0, 0.5, 1.0, -1.0, 1e300))
        case "boolean":
            return rng.random() < 0.2
    return value(rng, 2)


def sent(rng: random.Random, api: Mapping[str, Any]) -> tuple[bytes, bool]:
    """Return the bytes of a request, most of them nearly right, and whether more should follow that won't."""
    schemas = api["components"]["schemas"]
    path = rng.choice(list(api["paths"]))
    method = rng.choice(list(api["paths"][path]))
    operation = api["paths"][path][method]
    target = _path(rng, path)
    params = [one for one in operation.get("parameters", ()) if one["in"] == "query" and rng.random() < 0.6]
    given = [(one["name"], body_of(rng, one["schema"], schemas)) for one in params]
    if rng.random() < 0.05:
        given.append((text(rng), text(rng)))
    if given:
        target += "?" + "&".join(f"{_coded(rng, name)}={_coded(rng, _said(one))}" for name, one in given)
    if rng.random() < 0.05:
        method = rng.choice(
            ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "X", "get")
        )
    headers = {"Host": "localhost", "Connection": "close"}
    content = b""
    if "requestBody" in operation or rng.random() < 0.1:
        declared = operation.get("requestBody", {}).get("content", {"application/json": {"schema": {}}})
        kind = rng.choice(list(declared))
        content, headers["Content-Type"] = _content(rng, kind, declared[kind].get("schema", {}), schemas)
    return _damaged(rng, method.upper(), target, headers, content)


def _path(rng: random.Random, path: str) -> str:
    parts = []
    for part in path.split("/"):
        if part.startswith("{"):
            part = rng.choice(
                (f"odd-{rng.randrange(60)}", _coded(rng, text(rng, 40)), "..%2f..%2fetc%2fpasswd", "%00", "%ff")
            )
        parts.append(part)
    return "/".join(parts) + ("/" if rng.random() < 0.03 else "")


def _said(one: Any) -> str:
    if isinstance(one, str):
        return one
    try:
        return json.dumps(one)
    except ValueError:
        return str(one)


def _coded(rng: random.Random, said: str) -> str:
    if rng.random() < 0.05:
        return quote_from_bytes(rng.randbytes(rng.randrange(12)))
    return quote(said.encode("utf-8", "surrogatepass"), safe="" if rng.random() < 0.9 else "/%?&=")


def _content(rng: random.Random, kind: str, schema: Any, schemas: Any) -> tuple[bytes, str]:
    """Return a body and its type."""
    if kind == "application/json":
        said = json.dumps(body_of(rng, schema, schemas), ensure_ascii=rng.random() < 0.5)
        encoding = rng.choice(("utf-8",) * 12 + ("utf-16", "utf-32", "latin-1", "utf-7"))
        content = said.encode(
            encoding, "surrogatepass" if encoding.startswith("utf-") and encoding != "utf-7" else "replace"
        )
    elif kind.startswith("multipart/"):
        content, kind = _form(rng)
    else:
        some = [path for path in (SAMPLE / "food").iterdir() if path.is_file()]
        content = rng.choice((rng.randbytes(200), text(rng).encode("utf-8", "replace"), rng.choice(some).read_bytes()))
    if rng.random() < 0.1:  # a few bytes lost, changed or repeated
        at = rng.randrange(len(content) + 1)
        content = content[:at] + rng.randbytes(rng.randrange(4)) + content[at + rng.randrange(8) :]
    if rng.random() < 0.02:
        content = rng.choice((b"[" * 3_000, b'{"query":' * 500, b"1" * 5_000, b"", b"null", b'"', b"\xef\xbb\xbf{}"))
    if rng.random() < 0.06:
        kind = rng.choice(
            ("text/plain", "application/json; charset=utf-16", "", "application/xml", "a/b/c", text(rng, 9))
        )
    return content, "".join(char for char in kind if 31 < ord(char) < 256)


def _form(rng: random.Random) -> tuple[bytes, str]:
    boundary = rng.choice(("b", "xyz", "-" * 70, "a b", ""))
    parts = []
    for _ in range(rng.choice((0, 1, 1, 1, 2, 20))):
        name = rng.choice(("file", "name", "metadata", "", text(rng, 9)))
        file = rng.choice(('; filename="a.md"', '; filename="a.png"', "", "; filename=", '; filename="../../x.md"'))
        head = f'Content-Disposition: form-data; name="{name}"{file}\r\n' if rng.random() < 0.95 else text(rng, 20)
        parts.append(f"--{boundary}\r\n{head}\r\n{text(rng)}\r\n")
    end = rng.choice((f"--{boundary}--\r\n", f"--{boundary}--\r\n", "", "--", "\r\n"))
    used = boundary if rng.random() < 0.9 else "other"
    return ("".join(parts) + end).encode("utf-8", "replace"), f"multipart/form-data; boundary={used}"


def _damaged(
    rng: random.Random, method: str, target: str, headers: dict[str, str], content: bytes
) -> tuple[bytes, bool]:
    """Return a request as bytes: with its length, in chunks, or with something that is wrong about it."""
    chance = rng.random()
    unfinished = chance >= 0.93
    if chance < 0.8:
        headers["Content-Length"] = str(len(content))
    elif chance < 0.93:
        headers["Transfer-Encoding"] = "chunked"
        size = rng.choice((1, 7, 1000))
        chunks = [content[at : at + size] for at in range(0, min(len(content), 5_000), size)]
        content = b"".join(f"{len(one):x}\r\n".encode() + one + b"\r\n" for one in chunks)
        end = rng.choice((b"0\r\n\r\n",) * 6 + (b"zz\r\n", b"-1\r\n", b"ffffffffffffffffff\r\n", b""))
        content, unfinished = content + end, not end.startswith(b"0")
    elif chance < 0.97:
        headers["Content-Length"] = rng.choice(("0", "-1", "x", str(len(content) + 5), str(10**12), "1e3", "0x10"))
    if rng.random() < 0.08:
        name = rng.choice(
            ("Content-Encoding", "Accept", "Range", "Expect", "Origin", "Host", "Cookie", "X", "If-Match")
        )
        said = rng.choice(
            ("gzip", "*/*", "bytes=0-", "100-continue", "null", "a" * 9_000, text(rng, 9), "localhost:99999")
        )
        headers[name] = "".join(char for char in said if char not in "\r\n\0")
    head = "".join(f"{name}: {said}\r\n" for name, said in headers.items())
    version = "HTTP/1.1" if rng.random() < 0.97 else rng.choice(("HTTP/1.0", "HTTP/2", "HTTP/9.9", ""))
    return f"{method} {target} {version}\r\n{head}\r\n".encode("utf-8", "replace") + content, unfinished


def answered(address: tuple[str, int], request: bytes, unfinished: bool) -> tuple[int, bytes]:
    """Send a request on a connection of its own; return the status, 0 where there was no answer, and the body.

    Args:
        unfinished: whether a server may wait for more, which won't come.
    """
    with socket.create_connection(address, TIMEOUT_S) as connection:
        got = b""
        try:
            connection.sendall(request)
            if unfinished:
                connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                got += part
        except (ConnectionResetError, BrokenPipeError):  # refused before it was read
            pass
    head, _, body = got.partition(b"\r\n\r\n")
    line = head.split(b"\r\n")[0].split()
    return (int(line[1]) if len(line) > 1 and line[1].isdigit() else 0), body


def requests(seed: int, count: int, seconds: float, directory: Path, log: Path) -> Findings:
    """Ask a server that runs in a process of its own."""
    findings = Findings()
    with served(directory, log) as server:
        where = urlsplit(str(server.client.base_url))
        address = (where.hostname or "", where.port or 0)
        api = server.client.get("/openapi.json").json()
        ends = time.monotonic() + seconds if seconds else float("inf")
        for turn in range(count):
            if time.monotonic() > ends:
                break
            status, body = answered(address, *(asked := sent(random.Random(f"{seed} {turn}"), api)))
            findings.answers[str(status)] += 1
            if status >= 500 and not _is_named(status, body):
                findings.add(
                    f"{status} for {asked[0].split(b' HTTP')[0][:60]!r}", f"turn {turn}\n{asked[0][:2_000]!r}\n{body!r}"
                )
        if server.client.post("/v1/search", json={"query": "stars"}).status_code != 200:
            findings.add("the server does not answer any more", "")
        said = log.read_text("utf-8", "replace")
        if "Traceback" in said:
            findings.add(
                "a traceback in the server's log", said[said.index("Traceback") :].partition("\nWARNING")[0][-3_000:]
            )
    return findings


def _is_named(status: int, body: bytes) -> bool:
    """Whether an answer says which limit was met."""
    try:
        problem = json.loads(body)
    except ValueError:
        return False
    return status == 503 and problem.get("title") in (
        "Deadline exceeded",
        "Library is being written",
        "Model unavailable",
    )


def main(given: Sequence[str] | None = None) -> int:
    """Run both, print what was found, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--queries", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=0.0, help="of each of both; 0 for as long as it takes")
    options = parser.parse_args(given)
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="quarry-fuzz-") as folder:
        place = Path(folder)
        with Library(place / "library") as library:
            library.index(SAMPLE / "astronomy", SAMPLE / "food")
            fill(library)
        for name, ask in (
            ("queries", lambda: queries(options.seed, options.queries, options.seconds, place / "library")),
            (
                "requests",
                lambda: requests(options.seed, options.requests, options.seconds, place / "library", place / "log"),
            ),
        ):
            started = time.monotonic()
            findings: Findings = ask()
            findings.show(name, time.monotonic() - started)
            wrong += len(findings.wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
