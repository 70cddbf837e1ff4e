import time
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarry.search.language.sentences import LONGEST, sentence_starts, sentences


def pieces(text: str) -> list[str]:
    starts = sentence_starts(text)
    return [text[start:end].strip() for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


@pytest.mark.parametrize(
    "expected",
    [
        ["The canal opened in 1914.", "It is 82 km long!", "Is it?", '"Yes," she said.'],
        ["Dr. Smith met J. R. Brown at 3 p.m. on Fifth Ave. yesterday.", "They spoke."],
        ["H.G. Wells and J.R.R. Tolkien knew B.R. Ambedkar.", "They wrote."],
        ["See Fig. 3 and no. 7 for pi = 3.14.", "He said no.", "She left."],
        ['"It is over." He left.'],
        ["What?! he cried...", "Then silence."],
        ["서울은 대한민국의 수도이다.", "한강이 흐른다.", "정말 아름답습니까?", "네."],
        ["東京は首都です。", "「そうですか。」", "人が多い！", "本当？"],
        ["北京是中国的首都。", "人口很多！"],
    ],
)
def test_sentences_are_told_apart(expected: list[str]) -> None:
    if expected[0].startswith('"It'):
        expected = ['"It is over."', "He left."]
    assert pieces(" ".join(expected)) == expected


def test_east_asian_sentences_need_no_space() -> None:
    assert pieces("東京は首都です。「そうですか。」人が多い！") == [
        "東京は首都です。",
        "「そうですか。」",
        "人が多い！",
    ]


@pytest.mark.parametrize(
    "expected",
    [
        ["यह पहला वाक्य है।", "यह दूसरा है॥"],
        ["هل هذا سؤال؟", "نعم."],
        ["یہ پہلا جملہ ہے۔", "یہ دوسرا ہے۔"],
        ["ይህ ነው።", "ያ ነው።"],
        ["1. Open the lid.", "2. Pour water!", "3. Close it.", "It took 4.", "Then it rang."],
    ],
)
def test_other_scripts_have_full_stops_of_their_own_and_a_number_opens_an_item(expected: list[str]) -> None:
    text = " ".join(expected)
    assert [text[start:end] for start, end in sentences(text)] == expected


def test_a_blank_line_ends_a_sentence_and_a_newline_does_not() -> None:
    assert pieces("A title\n\nwith a wrapped\nline") == ["A title", "with a wrapped\nline"]
    assert pieces("Steps:\n1. Do this\n2. Do that") == ["Steps:\n1. Do this\n2. Do that"]


def test_nothing_has_no_sentences() -> None:
    assert sentence_starts("") == sentence_starts(" \n\n ") == []


@given(st.text(st.sampled_from(' .!?\n"A。」1a\u3000'), max_size=60))
def test_starts_ascend_and_are_no_white_space(text: str) -> None:
    starts = sentence_starts(text)
    assert starts == sorted(set(starts))
    assert all(not text[start].isspace() for start in starts)
    assert not text[: starts[0] if starts else None].strip()


@pytest.mark.parametrize("text", ["." * 200_000, '."' * 100_000, "\n " * 100_000, "a. " * 70_000, ". \n" * 70_000])
def test_time_is_linear(text: str) -> None:
    began = time.process_time()
    sentence_starts(text + "x")
    sentences(text + "x")
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "expected",
    [
        ["# Wells", "Water is drawn from the ground where no\nriver is near. ", "- by hand", "- by pumps"],
        ["1. Open the lid", "2. Press the button"],
        ["| year | rain |", "| 1990 | 812 |", "After the table"],
        ["year\train", "1990\t812"],
        ["Introduction", "Every well of the village is older than any\nof its houses."],
        ["Ann: I need a well.", "Ben: Dig one.", "Ann: I will."],
    ],
)
def test_lines_that_were_not_wrapped_are_sentences(expected: list[str]) -> None:
    text = "\n".join(expected)
    assert [text[start:end] for start, end in sentences(text)] == [line.strip() for line in expected]


def test_korean_sentences_need_no_space() -> None:
    text = "우물은 깊다.물이 맑습니까?네.3.5 미터이다."
    assert [text[start:end] for start, end in sentences(text)] == ["우물은 깊다.", "물이 맑습니까?", "네.3.5 미터이다."]


@given(st.text(st.sampled_from(' .!?\n"A。」1a:-|#\t다네가'), max_size=80), st.integers(1, 40))
def test_spans_are_in_order_and_cover_all_but_white_space(text: str, times: int) -> None:
    text *= times
    spans = sentences(text)
    assert all(0 < end - start <= LONGEST and text[start:end] == text[start:end].strip() for start, end in spans)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert "".join("".join(text[start:end] for start, end in spans).split()) == "".join(text.split())


@pytest.mark.parametrize(
    "expected",
    [
        [
            "Der Vertrag wurde am 3. Mai 2021 geschlossen.",
            "Er gilt im 19. Jahrhundert.",
            "Es sind 12.",
            "Der Rest blieb.",
        ],
        ["Der II. Weltkrieg endete 1945.", "Friedrich II. Barbarossa war es nicht.", "Das ist die 2. Auflage."],
        ["Es gibt z. B. Bäume, z.B. Linden, d. h. Holz, u. a. Möbel.", "Siehe Nr. 7 bzw. Abs. 3.", "Das ist alles."],
        ["Laut Prof. Dr.-Ing. Schmidt sind es ca. 5 Mio. Euro.", "Das sind 5 Mrd.", "Die Stadt zahlt."],
        ["Er wohnt in der Hauptstr. Nr. 5.", "Dort ist es ruhig."],
        ["Smlouva byla podepsána 3. Května 2021.", "Dne 3. 5. 2021 byla předána.", "Např. v č. 4.", "Ten konec."],
        ["Aftalen blev indgået den 3. Maj 2021.", "Den gælder f.eks. Odense og nr. 4.", "Det var sent."],
        ["II. Dünya Savaşı 1939'da başladı.", "2. Lig maçı bitti."],
        ["계약은 2021. 5. 3. 서울에서 체결되었다.", "임대료는 월 85만 원이다."],
        ["He scored 3.", "Messi scored 4.", "World War II.", "Germany lost the war."],
        ["The rent is due on 3. May 2021.", "It is 12.", "March was cold."],
        ["It ended at 3 p.m.", "The crowd left, etc.", "They met Dr. Jones, No. 5, St. Mary, e.g. Ann."],
        ["He lived in the U.S. Army base.", "She works for Acme Inc.", "They pay her."],
    ],
)
def test_ordinals_dates_and_abbreviations_end_no_sentence(expected: list[str]) -> None:
    assert pieces(" ".join(expected)) == expected


@pytest.mark.parametrize(
    "expected",
    [
        ["그는 “물이 없다.”라고 말했다.", "“왜요?” 하고 그녀가 물었다.", "'가자!'고 외쳤다.", "“네.”", "모두 갔다."],
        ["글쎄…….", "잘 모르겠다.", "정말 좋아요~!", "지원함.", "제출할 것.", "「네.」라는 답이었다."],
        ["가. 신청서를 쓴다.", "나. 낸다.", "2024. 3. 5. 시행한다.", "값은 3.5%이고 No. 3 문서에 있다."],
        ["법률 제1234호(2020. 1. 1.) 제3조에 따른다.", "늘렸다(신문, 2020.3.1.).", "끝이다."],
        [
            "「行こう！」と叫んだ。",
            "「もう遅い。」って言う。",
            "『雪国』は本だ。",
            "「はい。」",
            "人が来た！？",
            "えっ……。",
        ],
        ["価格は３．５万円です。", "全角．", "小数は３．１４です．", "次だ．"],
        ["圆周率是3.14。", "No. 3是什么？", "参照Fig. 3。", "他说：“今天很冷。”", "然后走了。"],
        [
            "彼は（そんなはずはない。）と思った。",
            "事実だった（報告書を参照。）。",
            "「最後かも……」",
            "ドアが閉まった。",
        ],
        ["“这是最后一次了吧……”", "门关上了。", "她说：“好。”。", "气温是３．５度。"],
    ],
)
def test_sentences_of_east_asia_go_on_after_quotations_and_numbers(expected: list[str]) -> None:
    for text in (" ".join(expected), unicodedata.normalize("NFC", " ".join(expected))):
        assert [text[start:end] for start, end in sentences(text)] == expected
    unspaced = "".join(expected)
    if not any("가" <= letter <= "힣" for letter in unspaced):
        assert [unspaced[start:end] for start, end in sentences(unspaced)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "회의는 ５월 ３일에 열린다．참가비는 １０，０００원이다．",
            ["회의는 ５월 ３일에 열린다．", "참가비는 １０，０００원이다．"],
        ),
        ("확인 부탁드려요~ 이따 봐요ㅎㅎ 3~5시요", ["확인 부탁드려요~", "이따 봐요ㅎㅎ", "3~5시요"]),
        ("「네……」 노인이 말했다.", ["「네……」", "노인이 말했다."]),
        ("„Nach Hause.“ Er schwieg. »Komm!« Sie rief.", ["„Nach Hause.“", "Er schwieg.", "»Komm!«", "Sie rief."]),
        (
            "« Où vas-tu ? » demanda-t-elle. « Fini ! » Il partit.",
            ["« Où vas-tu ? » demanda-t-elle.", "« Fini ! »", "Il partit."],
        ),
    ],
)
def test_signs_of_other_places_end_sentences(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in sentences(text)] == expected


@pytest.mark.parametrize(
    "lines",
    [
        [
            "議事録",
            "日時：2024年5月3日（金）14:00～15:30",
            "場所：第1会議室",
            "1．予算案の検討",
            "・1.5億円を増額",
            "２．次回",
        ],
        ["通知", "各位居民：因设备检修，5月3日上午9:00至下午5:00停水。", "物业服务中心", "2024年5月1日"],
        ["お知らせ", "来週の月曜日は休館日ですのでご不便をおかけしますがよろしくお願い\nいたします。", "田中"],
    ],
)
def test_lines_without_spaces_are_sentences_where_there_was_room_for_more(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert [text[start:end] for start, end in sentences(text)] == lines


def test_items_of_east_asian_lists_are_sentences() -> None:
    lines = [
        "신청 방법은 아래와 같이 여러 가지가 있다",
        "가. 방문 신청",
        "○ 온라인 신청",
        "① 신분증",
        "※ 대리 신청은 안 됨",
        "제2조 목적",
    ]
    lines += ["一、准备材料后提交给窗口", "（二）等待", "第三条 附則"]
    text = "\n".join(lines)
    assert [text[start:end] for start, end in sentences(text)] == lines


@pytest.mark.parametrize(
    "text", ["か\u3099" * 2_001, "\u1112\u1161\u11ab" * 2_000, "e\u0301\u0323" * 2_000, "\u0301" * 5_000]
)
def test_what_is_too_long_is_cut_between_characters(text: str) -> None:
    spans = sentences(text)
    assert all(0 < end - start <= LONGEST for start, end in spans)
    assert {text[start] for start, _ in spans} == {text[0]}
