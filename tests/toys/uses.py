"""What a house can do once something was added to it; run in it by `tests/test_extending.py`, in its own process."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import httpx

from quarry.api import Library, Text
from quarry.api.app import create_app
from quarry.search import wiring
from quarry.search.models.fake import FakeModels
from quarry.search.places import Place
from quarry.search.stores import documents
from quarry.search.stores.content import content_digest
from quarry.search.stores.spaces import add_space
from quarry.search.types import Chunk

FORTUNES = "A stitch in time saves nine.\n-- A tailor\n%\nStars are the daisies of the sky.\n-- A gardener\n"


def loader(library: Library, root: Path) -> None:
    (root / "wisdom.fortune").write_text(FORTUNES, "utf-8")
    assert library.index(root).complete
    assert "quarry.indexer.loaders.fortunes" not in sys.modules, "it runs in the confined child alone"
    (hit,) = library.search("daisies", mode="lexical", filter={"author": "A gardener"}).hits
    assert (hit.text, hit.document.title, hit.document.type) == (
        "Stars are the daisies of the sky.", "A gardener", "text/x-fortune"
    )  # fmt: skip
    assert hit.document.uri.endswith("wisdom.fortune#quote=2")
    (root / "wisdom.fortune").write_bytes(b"\x89PNG\r\n\x1a\n")
    (why,) = library.index(root).failed.values()
    assert "it is a PNG picture" in why


def enrichment(library: Library, root: Path) -> None:
    (root / "short.txt").write_text("Bright stars at night.")
    library.index(root)
    (found,), _ = library.documents(filter={"words": {"$lt": 5}})
    assert found.uri.endswith("short.txt")
    assert found.enriched["words"] == 4
    assert "words" not in found.metadata
    assert "words" in {field.name for field in library.fields()}


def engine(library: Library, root: Path) -> None:
    assert wiring.ENGINE.__module__ == "quarry.search.engines.elsewhere"
    library.add([Text(f"Text number{n} about stars.", id=f"d{n}") for n in range(5)])
    hits = library.search("number3 stars", mode="semantic", filter={"id": {"$ne": "d4"}}).hits
    assert hits[0].document.id == "d3" and len(hits) == 4
    assert {finding.level for finding in library.doctor()} <= {"ok", "warning"}
    assert not (library.catalog().directory / "segments").exists()


def route(library: Library, root: Path) -> None:
    library.add([Text("One."), Text("Two.")])
    app = create_app(library)

    async def ask(*paths: str) -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return [await client.get(path) for path in paths]

    found, slashed, refused, old = asyncio.run(
        ask("/v1/counts?type=text/plain", "/v1/counts/?type=text/plain", "/v1/counts?x=1", "/v1/documents?limit=0")
    )
    assert found.json() == slashed.json() == {"documents": old.json()["total"]} == {"documents": 2}
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    assert app.openapi()["paths"]["/v1/counts"]["get"]["summary"] == "Count documents"


def medium(library: Library, root: Path) -> None:
    sounds: Any = "sound"  # which no type checker knows of here
    encoder = FakeModels().image("ears")
    said = {"dog": "a dog barks", "rain": "rain falls on a roof"}
    library.add([Text("A dog in the rain.", id="text")])
    with library.catalog().transaction() as connection:
        space = add_space(connection, "sound", sounds, encoder.identity, "ears", encoder.dimension)
        keys = {name: name.encode().ljust(16) for name in said}
        vectors = encoder.encode_queries(list(said.values()))
        documents.stage_vectors(connection, space.id, dict(zip(keys.values(), vectors, strict=True)))
        for name, key in keys.items():
            chunk = Chunk(0, 0, 0, "", Place(seconds=(0.0, 2.5)), medium=sounds)
            digest = content_digest("audio/x-toy", "", {}, {"sound": key.hex()})
            new = documents.NewDocument(
                f"toy:{name}", "audio/x-toy", name, "", digest, [chunk], [key], {}, {"sound": key.hex()}, id=name,
                kind=sounds,
            )  # fmt: skip
            documents.put(connection, new, "2024-01-01T00:00:00Z")
    library.add([Text("Another text.")])  # what writes follows it, too
    for query in said.items():
        hit = library.search(query[1], kinds=(sounds,)).hits[0]
        assert (hit.document.id, hit.kind, hit.place) == (query[0], "sound", Place(seconds=(0.0, 2.5)))
    assert {hit.kind for hit in library.search("a dog barks").hits} == {"sound", "text"}
    library.compact()
    assert [finding.text for finding in library.doctor() if finding.level not in ("ok", "warning")] == []
    assert {space["name"]: space["vectors"] for space in library.status()["spaces"]} == {"text": 2, "sound": 2}
    library.delete(["dog"])
    assert [hit.document.id for hit in library.search("a dog barks", kinds=(sounds,)).hits] == ["rain"]


USES = {use.__name__: use for use in (loader, enrichment, engine, route, medium)}

if __name__ == "__main__":
    name, folder = sys.argv[1], Path(sys.argv[2])
    (folder / "root").mkdir()
    with Library(folder / "library", models=FakeModels()) as opened:
        USES[name](opened, folder / "root")
    print("used")
