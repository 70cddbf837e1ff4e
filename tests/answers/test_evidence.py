from __future__ import annotations

import math
from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarry.search.answers.evidence import Asked, Evidence, Features, confidences, features, odds, sentence_around
from quarry.search.models.contracts import TextEncoder
from quarry.search.models.loading import load_text_encoder
from quarry.search.types import Hit, Reading
from tests.answers.scripted import hit

MOONS = "Jupiter has 95 known moons. The largest is Ganymede. It was seen in 1610."


def span(passage: Hit, text: str, score: float = 1.0) -> tuple[Hit, Reading]:
    start = passage.text.index(text)
    return passage, Reading(start, start + len(text), score)


@given(
    weights=st.lists(st.floats(-5, 5), min_size=6, max_size=6),
    values=st.lists(st.floats(-1e4, 1e4), min_size=5, max_size=5),
)
def test_confidence_is_the_logistic_function_of_what_speaks_for_it(weights: list[float], values: list[float]) -> None:
    evidence, found = Evidence(*weights), Features(*values)
    confidence = evidence.confidence(found)
    assert 0 <= confidence <= 1
    logit = weights[0] + float(np.dot(weights[1:], values))
    assert confidence == pytest.approx(1 / (1 + math.exp(-max(-30, min(30, logit)))))
    surer = evidence.confidence(replace(found, score=found.score + math.copysign(1, evidence.score)))
    assert surer >= confidence - 1e-12


@pytest.mark.parametrize(
    ("chance", "logit"), [(0.5, 0.0), (0.8, math.log(4)), (0.0, math.log(1e-4)), (1.0, math.log(1e4))]
)
def test_odds_are_bounded(chance: float, logit: float) -> None:
    assert odds(chance) == pytest.approx(logit, abs=1e-3)


@pytest.mark.parametrize(
    ("question", "title", "unnamed"),
    [
        ("How many moons does Saturn have?", "", 1.0),
        ("How many moons does Saturn have?", "Saturn", 0.0),
        ("How many moons does Jupiter have?", "", 0.0),
        ("Which moon of Ganymede was seen?", "", 0.5),
        ("What was seen in 1610?", "", 0.5),
        ("What was seen in 1787?", "", 1.0),
        ("how many moons are there", "", 0.0),
        ("Wie viele Monde hat Jupiter?", "", 0.0),
        ("Wie viele Monde sah Galilei 1787?", "", 1.0),  # its nouns are no names, its numbers count
        ("Moons of what?", "", 0.0),  # begins a sentence: no name
    ],
)
def test_a_name_that_a_passage_lacks_speaks_against_it(question: str, title: str, unnamed: float) -> None:
    (found,) = features(Asked(question), [span(hit(MOONS, title=title), "95")])
    assert found.unnamed == unnamed


@pytest.mark.parametrize(
    ("question", "text", "mistyped"),
    [
        ("How many moons are known?", "95", 0.0),
        ("How many moons are known?", "Ganymede", 1.0),
        ("What are they called?", "Ganymede", 0.0),
        ("Which year was it?", "seen in 1610", 0.0),
    ],
)
def test_a_quantity_is_a_number(question: str, text: str, mistyped: float) -> None:
    (found,) = features(Asked(question), [span(hit(MOONS), text)])
    assert found.mistyped == mistyped


def test_likeness_is_that_of_the_sentence_to_the_question() -> None:
    encoder: TextEncoder = load_text_encoder(prepare=True)
    spans = [span(hit(MOONS), "95"), span(hit(MOONS), "1610"), span(hit("Bread rises by yeast."), "yeast")]
    asked = Asked("How many moons does Jupiter have?", encoder=encoder)
    near, far, bread = (found.likeness for found in features(asked, spans))
    assert near > far > bread
    sentence = encoder.encode_documents(["Jupiter has 95 known moons."])[0]
    assert near == pytest.approx(float(sentence @ encoder.encode_queries([asked.text])[0]), abs=1e-3)
    assert {found.likeness for found in features(replace(asked, encoder=None), spans)} == {0.5}


def test_confidences_are_in_the_order_of_the_spans() -> None:
    evidence = Evidence(0.0, 1.0, 0.0)
    spans = [span(hit(MOONS), "95", 2.0), span(hit(MOONS), "1610", -1.0)]
    assert confidences(Asked("Which?"), spans, evidence) == [evidence.confidence(Features(s, 0.0)) for s in (2.0, -1.0)]
    assert confidences(Asked("Which?"), [], evidence) == []
    assert len(astuple(features(Asked("Which?"), spans)[0])) == 5


def test_the_sentence_around_a_span() -> None:
    passage, reading = span(hit(MOONS), "Ganymede. It")
    assert MOONS[slice(*sentence_around(passage, reading))] == "The largest is Ganymede. It was seen in 1610."
    assert sentence_around(hit(""), Reading(0, 0, 0.0)) == (0, 0)
