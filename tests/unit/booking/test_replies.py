from __future__ import annotations

from datetime import UTC, datetime

import pytest
from booking import replies


def test_a_guest_is_greeted_by_name_when_it_is_known() -> None:
    assert replies.hello("Giulia") == "Ciao Giulia!"
    assert replies.hello(None) == "Ciao!"


@pytest.mark.parametrize(
    ("when", "text"),
    [
        (datetime(2026, 11, 28, 20, 30, tzinfo=UTC), "sabato 28 novembre alle 20:30"),
        (datetime(2027, 1, 1, 13, tzinfo=UTC), "venerdì 1º gennaio alle 13:00"),
    ],
)
def test_moments(when: datetime, text: str) -> None:
    assert replies.moment(when) == text


def test_a_confirmation_counts_persons_and_tells_the_kitchen() -> None:
    when = datetime(2026, 11, 28, 20, 30, tzinfo=UTC)
    one = replies.confirmed("Il Faro", 1, when, None)
    assert "1 persona," in one
    assert "cucina" not in one
    assert "2 persone," in replies.confirmed("Il Faro", 2, when, "noci")
    assert replies.confirmed("Il Faro", 2, when, "noci").endswith("Avviso la cucina: noci.")


def test_the_usual_number_of_persons_is_offered() -> None:
    assert replies.ask("persons", 4) == "Siete in 4 come l'ultima volta?"
    assert replies.ask("persons", None) == "Per quante persone?"
    assert replies.ask("time", 4) == "A che ora preferisci?"
