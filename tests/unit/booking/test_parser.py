"""What guests write, and what is understood. Today is Wednesday, 25 November 2026."""

from __future__ import annotations

from datetime import date, time

import pytest
from booking.parser import understand

TODAY = date(2026, 11, 25)


@pytest.mark.parametrize(
    ("text", "persons", "day", "at"),
    [
        ("Un tavolo per 4 sabato alle 20:30", 4, date(2026, 11, 28), time(20, 30)),
        ("vorrei prenotare per due persone domani sera alle 8", 2, date(2026, 11, 26), time(20)),
        ("Siamo in quattro, stasera alle 21", 4, TODAY, time(21)),
        ("2 adulti e un bambino il 24 dicembre ore 13", 3, date(2026, 12, 24), time(13)),
        ("tavolo da 6 per il 5 alle 20.30", 6, date(2026, 12, 5), time(20, 30)),
        ("siamo in 3 domenica a mezzogiorno e mezza", 3, date(2026, 11, 29), time(12, 30)),
        ("x4 venerdi h 20", 4, date(2026, 11, 27), time(20)),
        ("VENERDÌ alle 20 per 4", 4, date(2026, 11, 27), time(20)),
        ("dopodomani all'una per 5", 5, date(2026, 11, 27), time(13)),
        ("dopodomani all\N{RIGHT SINGLE QUOTATION MARK}una per 5", 5, date(2026, 11, 27), time(13)),
        ("il 29/11 alle 8 e un quarto per tre", 3, date(2026, 11, 29), time(20, 15)),
        ("29-11-2027 alle 12 per 2 persone", 2, date(2027, 11, 29), time(12)),
        ("domani alle 9 meno un quarto, io e mia moglie", 2, date(2026, 11, 26), time(20, 45)),
        ("per le 20 in 4", 4, None, time(20)),
        ("tavolo per sabato 28 alle ore 20 per 4 persone", 4, date(2026, 11, 28), time(20)),
        ("per stasera, 2 persone, ore 20:00", 2, TODAY, time(20)),
        ("posso venire tra tre giorni?", None, date(2026, 11, 28), None),
        ("domani alle 20h30 in due", 2, date(2026, 11, 26), time(20, 30)),
        ("sabato prossimo alle 19.45, siamo 10", 10, date(2026, 11, 28), time(19, 45)),
        ("1° gennaio alle 13", None, date(2027, 1, 1), time(13)),
        ("il primo dicembre", None, date(2026, 12, 1), None),
        ("mercoledì", None, date(2026, 12, 2), None),
        ("questo mercoledì", None, TODAY, None),
        ("verso le otto e mezza", None, None, time(20, 30)),
        ("alle tre", None, None, time(15)),
        ("per una persona alle 11:15 di sera", 1, None, time(23, 15)),
        ("prenotare il 31 per 2", 2, date(2026, 12, 31), None),
        ("il 31/02 per 2", 2, None, None),
        ("Che bel posto!", None, None, None),
        ("Sono in ritardo", None, None, None),
    ],
)
def test_bookings(text: str, persons: int | None, day: date | None, at: time | None) -> None:
    said = understand(text, TODAY)
    assert (said.persons, said.day, said.at) == (persons, day, at)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Mi chiamo Giulia", "Giulia"),
        ("ciao, mi chiamo giulia e vorrei un tavolo", "Giulia"),
        ("Buonasera, sono Marco De Luca", "Marco De Luca"),
        ("tavolo per 4 a nome Rossi alle 20", "Rossi"),
        ("Il mio nome è Niccolò D'Angelo", "Niccolò D'Angelo"),
        ("Mi chiamo Anna Maria, piacere", "Anna Maria"),
        ("Sono vegetariana", None),
        ("sono in 4", None),
        ("Siamo Marco e Anna", None),
    ],
)
def test_names(text: str, name: str | None) -> None:
    assert understand(text, TODAY).name == name


@pytest.mark.parametrize(
    ("text", "expected", "field", "value"),
    [
        ("4", "persons", "persons", 4),
        ("quattro", "persons", "persons", 4),
        ("20", "time", "at", time(20)),
        ("8", "time", "at", time(20)),
        ("5", "day", "day", date(2026, 12, 5)),
        ("4", None, "persons", None),
        ("0", "persons", "persons", None),
    ],
)
def test_a_bare_number_answers_the_question(
    text: str, expected: str | None, field: str, value: object
) -> None:
    assert getattr(understand(text, TODAY, expected), field) == value


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("Vorrei prenotare", "book"),
        ("un tavolo, per favore", "book"),
        ("devo disdire la prenotazione", "cancel"),
        ("Annulla", "cancel"),
        ("grazie mille!", "thanks"),
        ("Buongiorno", "greeting"),
        ("boh", None),
    ],
)
def test_wants(text: str, want: str | None) -> None:
    assert understand(text, TODAY).want == want


@pytest.mark.parametrize(
    ("text", "agrees"), [("sì", True), ("Si, certo", True), ("no", False), ("sicuro?", None)]
)
def test_yes_and_no(text: str, agrees: bool | None) -> None:
    assert understand(text, TODAY).agrees is agrees


@pytest.mark.parametrize(
    ("text", "allergies"),
    [
        ("Sono allergica alle noci e ai crostacei", ("noci", "crostacei")),
        ("sono intollerante al lattosio, siamo in 2", ("lattosio",)),
        ("Mio figlio è allergico all'uovo", ("uovo",)),
        ("sono celiaca", ("glutine",)),
        ("nessuna allergia", ()),
    ],
)
def test_allergies(text: str, allergies: tuple[str, ...]) -> None:
    assert understand(text, TODAY).allergies == allergies
