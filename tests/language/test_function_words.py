"""The language of a few words."""

from __future__ import annotations

import pytest

from quarry.search.language.analysis import query_terms
from quarry.search.language.function_words import function_words, languages_of


@pytest.mark.parametrize(
    ("text", "languages"),
    [
        ("Wie lange darf ich den Mietvertrag noch kündigen?", {"de"}),
        ("Warum siedet Wasser in großer Höhe unter 100 Grad?", {"de"}),
        ("Où place-t-on un rein greffé dans le corps ?", {"fr"}),
        ("¿Cuándo empezó la construcción del muro de Berlín?", {"es"}),
        ("Quando foi construído o muro de Berlim?", {"pt"}),
        ("Perché il pane lievita così lentamente?", {"it"}),
        ("Hoe lang duurt het voordat het brood klaar is?", {"nl"}),
        ("Ekmeğim neden bu kadar yavaş kabarıyor?", {"tr"}),
        ("why does water boil below 100 degrees", {"en"}),
        ("how did Gödel and Müller meet", {"en"}),
        ("who was der Alte in the war", {"en"}),
        ("WIE LANGE DARF ICH KÜNDIGEN", {"de"}),
        ("Roule-t-on à gauche ou à droite à Singapour ?", {"fr"}),
        ("Wie Ärzte helfen können", {"de"}),
        ("Wann fährt die Deutsche Bahn nach München", {"de"}),
        ("what is El Niño", {"en"}),
        ("El Niño in Peru", set()),
        ("La Niña and El Niño", set()),
        ("São Paulo and Rio de Janeiro", set()),
        ("Señor de los Milagros in Lima", set()),
        ("recipe for crème brûlée", set()),
        ("Las Vegas", set()),
        ("la la land", set()),
        ("Mietvertrag", set()),
        ("KX-55812-B 42", set()),
        ("수달은 어떻게 잠을 자나", set()),
        ("", set()),
    ],
)
def test_function_words_tell_a_language_and_names_tell_none(text: str, languages: set[str]) -> None:
    assert languages_of(text) == languages


def test_function_words_of_the_language_are_not_looked_up() -> None:
    assert query_terms("Wie lange darf ich den Mietvertrag kündigen?")[:2] == ["lang", "mietvertrag"]
    assert query_terms("der die das") == ["der", "die", "das"]
    assert query_terms("what does die mean") == ["die", "mean"]
    assert "la" in query_terms("La La Land")
    assert "dürfen" in function_words("Was darf ich, und was nicht?") and not function_words("why is it so")
