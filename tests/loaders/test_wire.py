"""Everything that crosses to the child and back comes out as it went in; what is no message is refused."""

import io
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from quarry.indexer.loaders.base import LoadOptions, Resumed
from quarry.indexer.loaders.sandbox import wire
from quarry.indexer.loaders.sandbox.wire import (
    ChildLimits,
    End,
    Entered,
    Failure,
    FilePart,
    Garbled,
    Message,
    Reached,
    Ready,
    Request,
    pack,
    receive,
)
from quarry.search.errors import FileMalformed, FileUnreadable, UnsupportedType
from quarry.search.types import Heading, Parsed, ParsedPart, Picture, Preprocessing
from quarry.search.values.places import Place

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
WHOLE = st.integers(0, 2**40)
SCALAR = TEXT | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
NAME = st.binary(max_size=20).filter(lambda name: b"\0" not in name).map(os.fsdecode)
PICTURES = st.builds(
    Picture,
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 4), st.just(3))),
    WHOLE,
    WHOLE,
    st.binary(max_size=40),
)
SHARE = st.floats(0, 1)
PLACES = (
    st.builds(Place, page=WHOLE)
    | st.builds(Place, lines=st.tuples(WHOLE, WHOLE))
    | st.builds(Place, rows=st.tuples(WHOLE, WHOLE))
    | st.builds(Place, seconds=st.tuples(SHARE, SHARE), box=st.tuples(SHARE, SHARE, SHARE, SHARE))
)
PARSED = st.builds(
    Parsed,
    text=TEXT,
    type=TEXT,
    title=st.text(max_size=20),
    key=st.text(max_size=20),
    metadata=st.dictionaries(st.text(max_size=9), SCALAR | st.lists(SCALAR, max_size=3), max_size=4),
    place=st.none() | PLACES,
    page_starts=st.lists(WHOLE, max_size=4).map(tuple),
    headings=st.lists(st.builds(Heading, WHOLE, st.integers(1, 6), TEXT), max_size=3).map(tuple),
    parts=st.lists(st.builds(ParsedPart, st.just("image"), PICTURES, st.none() | PLACES), max_size=2).map(tuple),
    warning=st.text(max_size=20),
)
OPTIONS = st.builds(
    LoadOptions,
    max_bytes=WHOLE,
    max_streamed=WHOLE,
    text_fields=st.lists(st.text(max_size=9), max_size=3).map(tuple),
    title_field=st.text(max_size=9),
    id_field=st.text(max_size=9),
    preprocessing=st.none()
    | st.builds(
        Preprocessing,
        WHOLE,
        WHOLE,
        st.sampled_from(["squash", "shortest", "longest"]),
        st.sampled_from(["bicubic", "bilinear"]),
        st.integers(0, 255),
    ),
    thumbnails=st.booleans(),
)
MESSAGES: dict[str, st.SearchStrategy[Message]] = {
    "ChildLimits": st.builds(ChildLimits, st.floats(0, 1e9), WHOLE),
    "Request": st.builds(
        Request,
        NAME.map(Path),
        NAME,
        OPTIONS,
        st.builds(Resumed, WHOLE, st.lists(st.tuples(TEXT, TEXT), max_size=2).map(tuple)),
        st.lists(TEXT, max_size=2).map(tuple),
    ),
    "Ready": st.builds(Ready),
    "Reached": st.builds(Reached, SHARE),
    "Entered": st.builds(Entered, WHOLE, TEXT),
    "End": st.builds(End, st.booleans()),
    "Failure": st.builds(
        Failure,
        st.sampled_from([UnsupportedType, FileUnreadable, FileMalformed]),
        st.text(),
        st.booleans(),
        st.booleans(),
    ),
    "Parsed": PARSED,
    "FilePart": st.builds(FilePart, st.text(max_size=20), st.binary(max_size=40)),
}


def crossed(message: Message) -> Message:
    stream = io.BytesIO(b"".join(pack(message)))
    received = receive(stream.read)
    assert stream.read() == b""
    return received


def test_every_kind_of_message_is_tried() -> None:
    assert set(MESSAGES) == {kind.__name__ for kind in wire.Message.__args__}


@pytest.mark.parametrize("kind", MESSAGES)
@given(data=st.data())
def test_it_comes_out_as_it_went_in(kind: str, data: st.DataObject) -> None:
    sent = data.draw(MESSAGES[kind])
    received = crossed(sent)
    assert type(received) is type(sent)
    if isinstance(sent, Parsed) and isinstance(received, Parsed):
        parts = []
        for one, other in zip(sent.parts, received.parts, strict=True):
            pixels = other.thing.pixels
            assert pixels.dtype == np.uint8 and np.array_equal(pixels, one.thing.pixels)
            parts.append(replace(other, thing=replace(other.thing, pixels=one.thing.pixels)))
        received = replace(received, parts=tuple(parts))
    assert received == sent


@given(st.binary(max_size=60), st.binary(max_size=20), st.binary(max_size=20))
def test_what_is_no_message_is_garbled(head: bytes, text: bytes, data: bytes) -> None:
    with pytest.raises(Garbled):
        receive(io.BytesIO(wire._LENGTHS.pack(len(head), len(text), len(data)) + head + text + data).read)


@pytest.mark.parametrize(
    "head",
    [
        b'["Parsed",{}]',
        b'["End",{"retire":true,"more":1}]',
        b'["Reached",{"share":"all"}]',
        b'["Reached",{"share":1' + b"0" * 400 + b"}]",
        b'["Entered",{"number":"x","name":"a"}]',
        b'["Entered",{"number":Infinity,"name":"a"}]',
        b'["Parsed",{"type":"a","headings":[],"page_starts":[],"place":null,"parts":[["image",null,[[9999,9999,3],1,1],0]]}]',
        b'["Parsed",{"type":"a","headings":[],"page_starts":[],"place":null,"parts":[["image",null,[[-1,3],1,1],0]]}]',
        b'["Parsed",{"type":"a","headings":[],"page_starts":[],"place":null,"parts":[["os",null,null,0]]}]',
        b'["os.system",{}]',
        b"[" * 10_000,
    ],
)
def test_a_message_that_lacks_or_adds_something_is_garbled(head: bytes) -> None:
    with pytest.raises(Garbled):
        receive(io.BytesIO(wire._LENGTHS.pack(len(head), 0, 0) + head).read)
