"""What was added to the pages of a PDF: values of form fields, and notes."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pypdfium2.raw as raw

from quarry.indexer.loaders.decoding import clean, one_line

_MOST = 5_000  # of a page
_LONGEST = 200  # characters of a label
_BUTTONS = frozenset({raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON})
_CHOICES = frozenset({raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX})
_PASSWORD = 1 << 13  # ISO 32000-1, table 228
_SILENT = frozenset({raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP, raw.FPDF_ANNOT_WIDGET})
_TAGS = re.compile(r"<[^<>]+>")
_ON = frozenset({"", "on", "yes", "1", "true", "checked"})
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class _Field:
    """A field that was filled in.

    Args:
        name: what its author calls it.
        label: the words beside it, "" where there are none.
        follows: whether they follow it, as they do a box to tick.
    """

    name: str
    label: str
    value: str
    follows: bool


def added(text: str, page: Any, words: Any, form: Any) -> str:
    """Put what was added to a page into its text: values after their labels, the rest at its end.

    Args:
        page, words: the pypdfium2 page and its text page.
        form: the document's form handle, None of one without fields.
    """
    notes: list[str] = []
    for number in range(min(raw.FPDFPage_GetAnnotCount(page), _MOST)):
        annotation = raw.FPDFPage_GetAnnot(page, number)
        if not annotation:
            continue
        try:
            kind = raw.FPDFAnnot_GetSubtype(annotation)
            if kind == raw.FPDF_ANNOT_WIDGET and form is not None:
                if (field := _field(annotation, page, words, form)) is not None:
                    text = _filled(text, field, notes)
            elif kind not in _SILENT and (note := _note(annotation)):
                notes.append(note)
        finally:
            raw.FPDFPage_CloseAnnot(annotation)
    flat = _SPACES.sub(" ", text)
    new = [note for note in dict.fromkeys(notes) if _SPACES.sub(" ", note) not in flat]
    return "\n".join([text, *new]).strip("\n")


def _filled(text: str, field: _Field, notes: list[str]) -> str:
    """Put a value after its label, where that can be found: all of the words beside the field, or the nearest."""
    near = field.label.split(" ")
    for count in range(len(near), 0, -1):
        label = " ".join(near[:count] if field.follows else near[-count:])
        if len(label) > 1 and text.count(label) == 1:
            place = text.index(label) + len(label)
            between = " " if label[-1] in ":?)" else ": "
            return f"{text[:place]}{between}{field.value}{text[place:]}"
    notes.append(f"{field.name or field.label}: {field.value}".removeprefix(": "))
    return text


def _note(annotation: Any) -> str:
    written = _string(partial(raw.FPDFAnnot_GetStringValue, annotation, b"Contents"))
    if not written.strip():
        rich = _string(partial(raw.FPDFAnnot_GetStringValue, annotation, b"RC"))
        written = _TAGS.sub(" ", rich)
    return clean(written)


def _field(annotation: Any, page: Any, words: Any, form: Any) -> _Field | None:
    kind = raw.FPDFAnnot_GetFormFieldType(form, annotation)
    value = ""
    if kind in _BUTTONS:
        if raw.FPDFAnnot_IsChecked(form, annotation):
            chosen = _text_of(raw.FPDFAnnot_GetFormFieldExportValue, form, annotation)
            value = "yes" if chosen.lower() in _ON else chosen
    elif kind in _CHOICES:
        value = ", ".join(_chosen(form, annotation)) or _text_of(raw.FPDFAnnot_GetFormFieldValue, form, annotation)
    elif kind == raw.FPDF_FORMFIELD_TEXTFIELD and not raw.FPDFAnnot_GetFormFieldFlags(form, annotation) & _PASSWORD:
        value = _text_of(raw.FPDFAnnot_GetFormFieldValue, form, annotation)
    if not (value := clean(value)):
        return None
    name = _text_of(raw.FPDFAnnot_GetFormFieldAlternateName, form, annotation) or _text_of(
        raw.FPDFAnnot_GetFormFieldName, form, annotation
    )
    return _Field(one_line(name), _label(annotation, page, words, kind in _BUTTONS), value, kind in _BUTTONS)


def _label(annotation: Any, page: Any, words: Any, is_button: bool) -> str:
    """Return the words on the same line before a field, or after a box to tick."""
    place = raw.FS_RECTF()
    if not raw.FPDFAnnot_GetRect(annotation, place):
        return ""
    left, right = (place.right, page.get_width()) if is_button else (0.0, place.left)
    middle, half = (place.top + place.bottom) / 2, min(abs(place.top - place.bottom) / 2, 8.0)
    beside = words.get_text_bounded(left=left, bottom=middle - half, right=right, top=middle + half)
    lines = [line for line in clean(beside).split("\n") if line.strip()]
    label = one_line(lines[0] if is_button else lines[-1]) if lines else ""
    return label if len(label) <= _LONGEST else ""


def _chosen(form: Any, annotation: Any) -> Iterator[str]:
    for number in range(min(max(raw.FPDFAnnot_GetOptionCount(form, annotation), 0), 1_000)):
        if raw.FPDFAnnot_IsOptionSelected(form, annotation, number):
            yield _string(partial(raw.FPDFAnnot_GetOptionLabel, form, annotation, number))


def _text_of(ask: Callable[..., int], form: Any, annotation: Any) -> str:
    return _string(partial(ask, form, annotation)).strip()


def _string(ask: Callable[[Any, int], int]) -> str:
    """Ask PDFium for a string: first how long it is, in bytes of UTF-16LE with a NUL, then for it."""
    size = ask(None, 0)
    if not 2 < size <= 2**24:
        return ""
    buffer = ctypes.create_string_buffer(size)
    ask(ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), size)
    return buffer.raw[: size - 2].decode("utf-16-le", "replace")
