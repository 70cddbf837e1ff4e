"""XML as office programs write it: a tree of elements by their local names, that fetches and expands nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element as Element
from xml.etree.ElementTree import ParseError, XMLParser

from quarry.search.errors import FileMalformed

_ENTITIES = re.compile(rb"<!ENTITY", re.I)
_MOST = 4_000_000  # beginnings and ends of elements, half a gigabyte of them
_RELATIONS = "/relationships}"


def tree(data: bytes) -> Element:
    """Parse a part of a document; the names of its elements lose their namespaces, those of attributes keep them.

    Raises:
        FileMalformed: it is no XML, or declares entities, as only files do that are meant to harm.
    """
    parser = XMLParser()
    try:
        if b"\0" in data[:200]:  # UTF-16, in which declarations would be missed
            data = data.decode("utf-16-be" if data[:1] in (b"\0", b"\xfe") else "utf-16-le").lstrip("\ufeff").encode()
            data = re.sub(rb"^<\?xml[^>]*\?>", b"", data)
        if data.count(b"<") > _MOST:
            raise FileMalformed(f"a part of it has more than {_MOST // 2:,} elements; split it")
        if _ENTITIES.search(data):
            raise FileMalformed("its XML declares entities, which no office program does; leave it out")
        parser.feed(data)
        root = parser.close()
    except (ParseError, UnicodeError, ValueError, LookupError) as error:
        raise FileMalformed("it is damaged, its XML can't be read; save it again, or get it anew") from error
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
    assert isinstance(root, Element)
    return root


def attribute(element: Element, name: str) -> str:
    """Return an attribute by its local name, whatever its namespace; "" where there is none."""
    if (value := element.get(name)) is not None:
        return value
    return next((value for key, value in element.items() if key.endswith("}" + name)), "")


def relation(element: Element, name: str = "id") -> str:
    """Return the id of a relation that an element of OOXML names, "" for none."""
    return next((value for key, value in element.items() if key.endswith(f"{_RELATIONS}{name}")), "")


def child(element: Element | None, *path: str) -> Element | None:
    """Return the first element down a path of names."""
    for name in path:
        element = next((each for each in element if each.tag == name), None) if element is not None else None
    return element


def value(element: Element | None, *path: str) -> str:
    """Return the attribute `val` of the element down a path, "" where there is none."""
    found = child(element, *path)
    return attribute(found, "val") if found is not None else ""


def named(root: Element | None, name: str) -> Iterator[Element]:
    """Yield all elements of a name, in their order."""
    return root.iter(name) if root is not None else iter(())


def said(element: Element | None) -> str:
    """Return all text within an element, "" for none."""
    return "".join(element.itertext()) if element is not None else ""
