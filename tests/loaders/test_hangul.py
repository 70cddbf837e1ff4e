"""Documents of Hangul, old and new."""

from pathlib import Path

import pytest

from quarry.indexer.loaders.loading import load
from quarry.search.errors import FileMalformed
from quarry.search.types import Parsed
from tests.office_files import cell, control, hp, hwp, hwpx, record, said, zipped

TEXT = (
    "조위 관측\n\n만조 시각은\t오후 3시다.\n\n각주의 글.\n\n월 | 조위\n5월 | 3미터\n\n"
    "상자 안.\n\nComment: 왜?\n\n다음 문단 😀.\n\n항만 사무소"
)


def read(folder: Path, name: str, data: bytes) -> Parsed:
    path = folder / name
    path.write_bytes(data)
    (parsed,) = load(path)
    return parsed


def test_a_document_of_hwp_5(tmp_path: Path) -> None:
    boxed = record(76, 2) + record(72, 3, bytes(8)) + said("상자 안.", 3)
    section = b"".join(
        [
            said("조위 관측", shape=1, controls="\x10"),
            control("head", 1) + record(72, 2, bytes(8)) + said("항만 사무소", 2),
            said("만조 시각은\t\0\0\0\0\0\0\t오후 3시다.", controls="\x11"),
            control("fn  ", 1) + record(72, 2, bytes(8)) + said("각주의 글.", 2),
            said("", controls="\x0b"),
            control("tbl ", 1) + record(77, 2),
            cell("월", 2, 0, 0) + cell("조위", 2, 1, 0) + cell("5월", 2, 0, 1) + cell("3미터", 2, 1, 1),
            said("", controls="\x0b") + control("gso ", 1) + boxed,
            said("", controls="\x0f") + control("tcmt", 1) + record(72, 2, bytes(8)) + said("왜?", 2),
            said("다음 문단 😀."),
        ]
    )
    for flags in (0, 1):
        parsed = read(tmp_path, "a.hwp", hwp(section, flags))
        assert parsed.text == TEXT
        assert [(heading.level, heading.text) for heading in parsed.headings] == [(1, "조위 관측")]
    assert (parsed.title, parsed.type) == ("항만 보고서", "application/x-hwp")
    assert parsed.metadata == {"author": "홍길동", "date": "2024-05-31T10:20:30+00:00"}


def test_a_document_of_hwpx(tmp_path: Path) -> None:
    def listed(name: str, text: str) -> str:
        return f"<hp:{name}><hp:subList>{hp(text)}</hp:subList></hp:{name}>"

    rows = "".join(
        f"<hp:tr>{''.join(listed('tc', one) for one in row)}</hp:tr>" for row in (("월", "조위"), ("5월", "3미터"))
    )
    paragraphs = (
        hp(f"<hp:t>조위 관측</hp:t><hp:ctrl>{listed('header', '항만 사무소')}</hp:ctrl>", "3")
        + hp(
            "<hp:t>만조 시각은<hp:tab/><hp:deleteBegin/>옛<hp:deleteEnd/>오후 3시다.</hp:t>"
            f"<hp:ctrl>{listed('footNote', '각주의 글.')}</hp:ctrl>",
            "4",
        )
        + hp(f"<hp:tbl>{rows}</hp:tbl>")
        + hp(f"<hp:rect><hp:shapeComment>사각형입니다.</hp:shapeComment>{listed('drawText', '상자 안.')}</hp:rect>")
        + hp(f"<hp:ctrl>{listed('hiddenComment', '왜?')}</hp:ctrl>")
        + hp("다음 문단 😀.")
    )
    parsed = read(tmp_path, "a.hwpx", hwpx(paragraphs))
    assert parsed.text == TEXT
    assert [(heading.level, heading.text) for heading in parsed.headings] == [(2, "조위 관측")]
    assert (parsed.title, parsed.type) == ("항만 보고서", "application/hwp+zip")
    assert parsed.metadata == {"author": "홍길동", "date": "2024-05-31T10:20:30+00:00", "lang": "ko"}
    assert read(tmp_path, "old.hwp", hwpx(paragraphs)).text == TEXT  # under the other's name
    assert read(tmp_path, "new.hwpx", hwp(said("글."))).text == "글."


@pytest.mark.fault("19")
@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.hwp", hwp(said("글."), flags=3), "encrypted"),
        ("a.hwp", hwp(said("글."), flags=5), "distribution"),
        ("a.hwp", b"HWP Document File V3.00 \x1a\1\2\3\4\5" + bytes(200), "HWP 3"),
        ("a.hwpx", hwpx(hp("글."), {"META-INF/manifest.xml": "<m><encryption-data/></m>"}), "encrypted"),
        ("a.hwpx", zipped({"a.txt": "x"}), "without a document of Hangul"),
    ],
)
def test_what_is_locked_is_told(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    with pytest.raises(FileMalformed, match=reason):
        read(tmp_path, name, data)
