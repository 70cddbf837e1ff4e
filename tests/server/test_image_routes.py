"""Pictures over HTTP, from a real server process: found, shown, given out by id and by nothing else."""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import zlib
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from quarry.api.routes.health import Health
from quarry.api.routes.results import SearchResponse
from quarry.api.routes.writing import AddResponse
from quarry.api.server.app import MAX_BODY
from quarry.search.types import THUMBNAIL
from tests.processes import Served, served
from tests.replies import described, refused


@pytest.fixture
def own(own_pictures: tuple[Path, Path], tmp_path: Path) -> Iterator[tuple[httpx.Client, Path]]:
    """A server over a few photos, and their folder, in which a test may do what it likes."""
    directory, folder = own_pictures
    with served(directory, tmp_path / "log") as running:
        yield running.client, folder


def pictures(client: httpx.Client) -> dict[str, str]:
    """The ids of the pictures, by title."""
    params: dict[str, str | int] = {"filter": '{"kind": "image"}', "limit": 1000}
    return {one["title"]: one["id"] for one in client.get("/v1/documents", params=params).json()["documents"]}


def png(width: int, height: int, rows: bytes) -> bytes:
    """A grey PNG that says it is of that size, with whatever follows."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))

    head = struct.pack("!IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


# --- by words -------------------------------------------------------------------------------------------------------


def test_pictures_are_found_by_words(picture_server: Served) -> None:
    client = picture_server.client
    body = described(client.get("/v1/images", params={"q": "a cat", "limit": 3}), SearchResponse)
    assert body["hits"][0]["document"]["title"] == "chelsea"
    assert {hit["kind"] for hit in body["hits"]} == {"image"}
    assert (len(body["hits"]), body["query"], body["degraded"]) == (3, "a cat", [])
    page = client.get("/v1/images", params={"q": "a cat", "limit": 2, "offset": 1}).json()["hits"]
    assert page == body["hits"][1:]
    least = body["hits"][0]["relevance"] + 1e-4
    assert client.get("/v1/images", params={"q": "a cat", "min_relevance": least}).json()["hits"] == []
    same = client.post("/v1/search", json={"query": "a cat", "kinds": ["image"], "limit": 3}).json()
    assert same["hits"] == body["hits"]


def test_passages_and_pictures_are_found_together(picture_server: Served) -> None:
    request = {"query": "coffee in a cup", "limit": 50, "explain": True}
    body = described(picture_server.client.post("/v1/search", json=request), SearchResponse)
    assert {hit["kind"] for hit in body["hits"]} == {"text", "image"}
    relevance = [hit["relevance"] for hit in body["hits"]]
    assert relevance == sorted(relevance, reverse=True)


@pytest.mark.parametrize(
    ("params", "named"),
    [({}, "q"), ({"q": ""}, "query"), ({"q": "x", "limit": 0}, "limit"), ({"q": "x", "limit": "many"}, "limit"),
     ({"q": "x", "min_relevance": 2}, "min_relevance"), ({"q": "x", "min_relevance": "nan"}, "min_relevance"),
     ({"q": "x", "colour": "red"}, "colour"), ({"q": "x" * 10_001}, "query")],
)  # fmt: skip
def test_what_is_wrong_with_a_request_is_named(
    picture_server: Served, params: dict[str, str | int], named: str
) -> None:
    assert named in refused(picture_server.client.get("/v1/images", params=params), 422)


# --- by a picture ---------------------------------------------------------------------------------------------------


def test_a_picture_finds_pictures_and_passages(picture_server: Served, photos: Path) -> None:
    client, content = picture_server.client, (photos / "coffee.png").read_bytes()
    body = described(client.post("/v1/search/image", content=content), SearchResponse)
    assert body["hits"][0]["document"]["title"] == "coffee"
    assert (body["query"], body["degraded"]) == ("", [])
    texts = client.post("/v1/search/image", params={"kind": "text", "limit": 2}, content=content).json()["hits"]
    assert [hit["kind"] for hit in texts] == ["text"] * 2
    both = client.post("/v1/search/image", params={"kind": ["text", "image"], "limit": 50}, content=content).json()
    assert {hit["kind"] for hit in both["hits"]} == {"text", "image"}
    params: dict[str, str | int] = {"text": "a red flower", "kind": "image", "limit": 2}
    altered = client.post("/v1/search/image", params=params, content=content).json()
    assert {hit["document"]["title"] for hit in altered["hits"]} == {"coffee", "flower"}
    assert altered["query"] == "a red flower"


@pytest.mark.parametrize("how", ["url", "form"])
def test_a_picture_is_searched_with_by_all_that_a_search_takes(picture_server: Served, photos: Path, how: str) -> None:
    client, content = picture_server.client, (photos / "coffee.png").read_bytes()

    def search(**options: Any) -> httpx.Response:
        said = json.dumps(options)
        if how == "url":
            return client.post("/v1/search/image", params={"limit": 50, "options": said}, content=content)
        form: dict[str, Any] = {"data": {"options": said}, "files": {"file": content}}
        return client.post("/v1/search/image", params={"limit": 50}, **form)

    whole = described(search(kinds=["image"], facets=["type"], explain=True, min_relevance=0.001), SearchResponse)
    assert whole["hits"][0]["document"]["title"] == "coffee" and whole["hits"][0]["explanation"]
    counts = {one["value"]: one["count"] for one in whole["facets"]["type"]["values"]}
    assert set(counts) == {"image/png", "image/jpeg"}
    only = search(kinds=["image"], filter={"type": "image/jpeg"}, sort="title", min_relevance=1e-6).json()["hits"]
    titles = [hit["document"]["title"] for hit in only]
    assert titles == sorted(titles) and {hit["document"]["type"] for hit in only} == {"image/jpeg"}
    best = whole["hits"][0]["document"]["id"]
    assert best not in [hit["document"]["id"] for hit in search(unlike=[best], limit=20).json()["hits"]]
    words = search(query="a red flower", exclude=["buildings"], group="document", limit=3).json()
    assert words["query"] == "a red flower" and len(words["hits"]) == 3
    for wrong, named in ({"limit": "many"}, "limit"), ({"colour": 1}, "colour"), ({"filter": {"$x": 1}}, "$x"):
        assert named in refused(search(**wrong), 422)
    assert "options is not JSON" in refused(client.post("/v1/search/image?options=x", content=content), 422)


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_pictures_of_any_format_are_taken_whatever_they_are_called(
    picture_server: Served, photos: Path, format: str
) -> None:
    out = io.BytesIO()
    with Image.open(photos / "chelsea.png") as image:
        image.save(out, format)
    headers = {"content-type": "image/png"}
    params = {"kind": "image"}
    response = picture_server.client.post("/v1/search/image", params=params, content=out.getvalue(), headers=headers)
    assert response.json()["hits"][0]["document"]["title"] == "chelsea", response.text


HOSTILE = {
    "nothing": (b"", 422),
    "text": (b"a picture of a cat", 415),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>', 415),
    "a page": (b"<!DOCTYPE html><script>alert(1)</script>", 415),
    "PDF": (b"%PDF-1.7 nothing", 415),
    "a script": (b"%!PS-Adobe-3.0\n(/etc/passwd) (r) file\n", 415),
    "a head alone": (b"\x89PNG\r\n\x1a\n", 422),
    "rubbish": (b"\xff\xd8\xff" + bytes(range(256)) * 40, 422),
    "cut short": (png(100, 100, b"\0" * 50), 422),
    "a bomb": (png(30_000, 30_000, b"\0" * 100_000), 422),
    "a long bomb": (png(2_000_000_000, 1, b"\0" * 100), 422),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pictures_are_refused_in_words(picture_server: Served, photos: Path, name: str) -> None:
    content, status = HOSTILE[name]
    client = picture_server.client
    detail = refused(client.post("/v1/search/image", content=content), status)
    assert detail.startswith("The picture can't be searched with: it ")
    assert "query.jpg" not in detail and "/tmp" not in detail and "Traceback" not in detail
    after = client.post("/v1/search/image", content=(photos / "coffee.png").read_bytes())
    assert after.status_code == 200


def test_what_is_too_large_or_wrong_is_refused(picture_server: Served, photos: Path) -> None:
    client, content = picture_server.client, (photos / "coffee.png").read_bytes()
    large = content + b"\0" * MAX_BODY
    assert f"{MAX_BODY:,}" in refused(client.post("/v1/search/image", content=large), 413)
    pieces = (large[start : start + (1 << 20)] for start in range(0, len(large), 1 << 20))
    assert f"{MAX_BODY:,}" in refused(client.post("/v1/search/image", content=pieces), 413)
    for params, named in (({"kind": "video"}, "kind"), ({"limit": 0}, "limit"), ({"like": "x"}, "like")):
        assert named in refused(client.post("/v1/search/image", params=params, content=content), 422)
    refused(client.get("/v1/search/image"), 405)


# --- thumbnails and originals ---------------------------------------------------------------------------------------


def safe(response: httpx.Response, type: str) -> bytes:
    """Return the content of a picture, which a browser can take for nothing else."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == type
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
    return response.content


def test_thumbnails_and_originals(picture_server: Served, photos: Path) -> None:
    client = picture_server.client
    for title, id in pictures(client).items():
        (file,) = photos.glob(f"{title}.*")
        small = safe(client.get(f"/v1/images/{id}/thumbnail"), "image/jpeg")
        with Image.open(io.BytesIO(small)) as image, Image.open(file) as original:
            assert image.format == "JPEG" and image.mode == "RGB"
            assert max(image.size) == min(THUMBNAIL, max(original.size))
            assert abs(image.width * original.height - image.height * original.width) <= max(original.size)
        smaller = safe(client.get(f"/v1/images/{id}/thumbnail", params={"size": 144}), "image/jpeg")
        with Image.open(io.BytesIO(smaller)) as image:
            assert max(image.size) == 144 and len(smaller) < len(small)
        type = "image/png" if file.suffix == ".png" else "image/jpeg"
        assert safe(client.get(f"/v1/images/{id}/original"), type) == file.read_bytes()
        head = client.head(f"/v1/images/{id}/original")
        assert (head.content, head.headers["content-length"]) == (b"", str(file.stat().st_size))


def test_texts_have_neither(picture_server: Served) -> None:
    client = picture_server.client
    id = client.get("/v1/documents", params={"filter": '{"kind": "text"}', "limit": 1}).json()["documents"][0]["id"]
    for what in ("thumbnail", "original"):
        assert "picture" in refused(client.get(f"/v1/images/{id}/original"), 404)
        assert "no document" in refused(client.get(f"/v1/images/nothing/{what}"), 404)


@pytest.mark.fault("33")
def test_paths_lead_to_nothing(picture_server: Served, photos: Path) -> None:
    """Row 33: a picture is given out by the id of its document only."""
    client = picture_server.client
    outside = str(photos.parent / "secret.jpg")
    shutil.copy(photos / "rocket.jpg", outside)
    for path in (
        "..", "../..", "../../../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "..%5c..%5cwindows%5cwin.ini", "/etc/passwd", "%2Fetc%2Fpasswd", "file:///etc/passwd", "%00", "%ED%A0%80", "'",
        f"{photos}/../secret.jpg", outside, outside.replace("/", "%2F"), "%252e%252e%252fetc%252fpasswd", "*", "%25",
    ):  # fmt: skip
        for what in ("thumbnail", "original"):
            refused(client.get(f"/v1/images/{path}/{what}"), 404)
    connection = HTTPConnection(client.base_url.host, client.base_url.port or 0)  # which leaves `..` as it is
    for path in ("..", "../..", f"{pictures(client)['rocket']}/..", "../../../../../../../etc/passwd", outside,
                 f"..{outside}", "..%2f..%2fetc%2fpasswd"):  # fmt: skip
        for what in ("/thumbnail", "/original", ""):
            connection.request("GET", f"/v1/images/{path}{what}")
            response = connection.getresponse()
            assert (response.status, response.read()[:1]) == (404, b"{")
    connection.close()


@pytest.mark.fault("33")
def test_a_picture_of_another_place_is_not_given_out(own: tuple[httpx.Client, Path], photos: Path) -> None:
    """Row 33: a link swapped in for the file, or for a folder above it; another file; none; a pipe."""
    client, folder = own
    ids = pictures(client)
    secret = folder.parent / "secret.png"
    shutil.copy(photos / "astronaut.png", secret)

    def original(title: str) -> httpx.Response:
        return client.get(f"/v1/images/{ids[title]}/original")

    for title in ids:
        assert original(title).status_code == 200
    (folder / "chelsea.png").rename(folder.parent / "chelsea.png")
    assert "not there any more" in refused(original("chelsea"), 404)
    for target in (secret, folder.parent / "chelsea.png", Path("/etc/passwd"), folder / "nothing"):
        (folder / "chelsea.png").symlink_to(target)
        refused(original("chelsea"), 404)
        (folder / "chelsea.png").unlink()
    os.mkfifo(folder / "chelsea.png")
    refused(original("chelsea"), 404)
    (folder / "chelsea.png").unlink()
    (folder / "chelsea.png").mkdir()
    refused(original("chelsea"), 404)

    shutil.copy(secret, folder / "coffee.png")  # changed since it was indexed
    refused(original("coffee"), 404)
    (folder / "rocket.jpg").chmod(0)
    if os.geteuid() != 0:
        refused(original("rocket"), 404)
    (folder / "rocket.jpg").chmod(0o600)
    assert original("rocket").status_code == 200

    elsewhere = folder.parent / "elsewhere"  # the folder is a link now, to one with the very same files
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere, target_is_directory=True)
    refused(original("rocket"), 404)
    for title in ids:  # what the library itself keeps is still shown
        assert client.get(f"/v1/images/{ids[title]}/thumbnail").status_code == 200


def test_other_sites_get_no_pictures(picture_server: Served, photos: Path) -> None:
    client = picture_server.client
    id = pictures(client)["rocket"]
    refused(client.get(f"/v1/images/{id}/original", headers={"host": "evil.example"}), 421)
    refused(client.get(f"/v1/images/{id}/original", headers={"origin": "https://evil.example"}), 403)
    content = (photos / "rocket.jpg").read_bytes()
    refused(client.post("/v1/search/image", content=content, headers={"origin": "https://evil.example"}), 403)


def test_a_lost_or_damaged_thumbnail_is_named(own: tuple[httpx.Client, Path]) -> None:
    client, folder = own
    id = pictures(client)["rocket"]
    store = folder.parent / "library" / "thumbnails.db"
    store.write_bytes(b"no database" * 1_000)
    assert "quarry doctor --repair" in refused(client.get(f"/v1/images/{id}/thumbnail"), 503)
    store.unlink()
    assert "no thumbnail" in refused(client.get(f"/v1/images/{id}/thumbnail"), 404)
    assert client.get(f"/v1/images/{id}/original").status_code == 200


def test_a_picture_is_uploaded_and_found(own: tuple[httpx.Client, Path], photos: Path) -> None:
    client, _ = own
    content = (photos / "flower.jpg").read_bytes()
    response = client.post("/v1/documents/file", params={"name": "gift.jpg"}, content=content)
    (id,) = described(response, AddResponse, 201)["ids"]
    hits = client.get("/v1/images", params={"q": "a red flower"}).json()["hits"]
    assert hits[0]["document"]["id"] == id
    safe(client.get(f"/v1/images/{id}/thumbnail"), "image/jpeg")
    assert "no file" in refused(client.get(f"/v1/images/{id}/original"), 404)
    for name, (content, _) in HOSTILE.items():
        response = client.post("/v1/documents/file", params={"name": "hostile.png"}, content=content)
        assert response.status_code in (415, 422), (name, response.text)
    assert len(pictures(client)) == 4


@pytest.mark.fault("37")
def test_a_missing_image_model_is_named(own_pictures: tuple[Path, Path], tmp_path: Path) -> None:
    """Row 37."""
    directory, folder = own_pictures
    env = {"QUARRY_CACHE": str(tmp_path / "cache")}
    with served(directory, tmp_path / "log", env=env) as running:
        client = running.client
        causes = json.dumps(described(client.get("/readyz"), Health, 503)["causes"])
        assert "quarry models --prepare" in causes
        content = (folder / "coffee.png").read_bytes()
        assert "quarry models --prepare" in refused(client.post("/v1/search/image", content=content), 503)
        assert client.get(f"/v1/images/{pictures(client)['coffee']}/original").status_code == 200
