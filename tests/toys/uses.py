"""What a house can do once something was added to it; `tests/house/test_extending.py` runs it, in its own process."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import httpx

from quarry.api import Library, Text
from quarry.api.server.app import create_app
from quarry.search.models.fake import FakeModels
from quarry.search.values.places import Place

FORTUNES = "A stitch in time saves nine.\n-- A tailor\n%\nStars are the daisies of the sky.\n-- A gardener\n"


def loader(library: Library, root: Path) -> None:
    (root / "wisdom.fortune").write_text(FORTUNES, "utf-8")
    assert library.index(root).complete
    assert not [name for name in sys.modules if name.endswith(".fortunes")], "it runs in the confined child alone"
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
    kinds: Any = ("sound",)  # which no type checker knows of here
    (root / "walk.toy").write_text("SOUND A walk in autumn\n0.0 2.5 a dog barks\n2.5 9 rain falls on a roof\n")
    (root / "storm.toy").write_text("SOUND \n0 4 thunder and rain\n")
    (root / "torn.toy").write_text("SOUND \n0 thunder\n")
    library.add([Text("A dog in the rain.", id="text")])
    report = library.index(root)
    assert [why.partition(";")[0] for why in report.failed.values()] == ["a window of it has no beginning and end"]
    (root / "torn.toy").unlink()
    library.index(root)

    def heard(query: str = "", **options: Any) -> list[tuple[str, Place | None]]:
        return [(hit.document.title, hit.place) for hit in library.search(query, kinds=kinds, **options).hits]

    def check() -> None:
        assert heard("a dog barks")[0] == ("walk", Place(seconds=(0.0, 2.5)))
        assert heard("rain falls on a roof") == [
            ("walk", Place(seconds=(2.5, 9.0))),
            ("storm", Place(seconds=(0.0, 4.0))),
        ]
        (hit, *_) = library.search("a walk in autumn", mode="lexical").hits
        assert (hit.kind, hit.said_by, hit.text) == ("sound", "caption", "A walk in autumn")
        assert [title for title, _ in heard(like=str(root / "storm.toy"))] == ["walk"]
        assert {hit.kind for hit in library.search("a dog barks").hits} == {"sound", "text"}
        assert [finding.text for finding in library.doctor() if finding.level not in ("ok", "warning")] == []

    def spaces() -> dict[str, tuple[str, int]]:
        return {space["name"]: (space["model"], space["vectors"]) for space in library.status()["spaces"]}

    check()
    assert spaces()["sound"] == ("ears", 3)
    report = library.reembed(models={"sound": "better"})
    assert (report.passages, report.embedded, report.failed) == (3, 3, {})
    check()
    assert spaces()["sound"] == ("better", 3)
    library.reembed(undo=True)
    assert spaces()["sound"] == ("ears", 3)
    library.delete([str(root / "walk.toy")])
    assert [title for title, _ in heard("a dog barks")] == ["storm"]
    library.undelete()
    check()
    (root / "storm.toy").write_text("SOUND \n0 4 nothing but wind\n")
    assert "is gone or has changed" in str(library.reembed(models={"sound": "third"}).failed)
    library.index(root)
    assert heard("nothing but wind")[0] == ("storm", Place(seconds=(0.0, 4.0)))
    library.compact()
    assert [finding.text for finding in library.doctor() if finding.level not in ("ok", "warning")] == []
    assert "'enum': ['text', 'image', 'sound']" in str(create_app(library).openapi()["components"]["schemas"])


USES = {use.__name__: use for use in (loader, enrichment, engine, route, medium)}

if __name__ == "__main__":
    name, folder = sys.argv[1], Path(sys.argv[2])
    (folder / "root").mkdir()
    engines = {"text": "elsewhere"} if name == "engine" else {}
    with Library(folder / "library", models=FakeModels(), engines=engines) as opened:
        USES[name](opened, folder / "root")
    print("used")
