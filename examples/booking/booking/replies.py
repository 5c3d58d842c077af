"""What the assistant says, in Italian."""

from __future__ import annotations

from datetime import datetime

from booking.parser import DAYS, MONTHS

ASK = {
    "persons": "Per quante persone?",
    "day": "Per quale giorno?",
    "time": "A che ora preferisci?",
}


def hello(name: str | None) -> str:
    """Greet, by name when it is known."""
    return f"Ciao {name}!" if name else "Ciao!"


def people(number: int) -> str:
    """Return "1 persona", "4 persone"."""
    return f"{number} persona" if number == 1 else f"{number} persone"


def moment(when: datetime) -> str:
    """Return "sabato 28 novembre alle 20:30"; the first of a month is "1º"."""
    number = "1º" if when.day == 1 else str(when.day)
    return f"{DAYS[when.weekday()]} {number} {MONTHS[when.month - 1]} alle {when:%H:%M}"


def welcome(restaurant: str, known: bool) -> str:
    """Offer help; somebody known is not introduced to the restaurant again."""
    if known:
        return "Che piacere risentirti. Vuoi prenotare un tavolo?"
    return f"Sono l'assistente di {restaurant}. Vuoi prenotare un tavolo? Come ti chiami?"


def nice_to_meet(restaurant: str) -> str:
    """Answer somebody who has just said their name."""
    return f"Piacere di conoscerti, sono l'assistente di {restaurant}. Come posso aiutarti?"


def ask(slot: str, usual_party: int | None) -> str:
    """Ask for what is missing; the usual number of persons is offered."""
    if slot == "persons" and usual_party:
        return f"Siete in {usual_party} come l'ultima volta?"
    return ASK[slot]


def confirmed(restaurant: str, persons: int, when: datetime, allergies: str | None) -> str:
    """Confirm a booking."""
    text = f"Prenotazione confermata da {restaurant}: {people(persons)}, {moment(when)}."
    return f"{text} Avviso la cucina: {allergies}." if allergies else text


def allergies_noted(allergies: str) -> str:
    """Confirm that allergies are remembered."""
    return f"Ho preso nota delle tue allergie: {allergies}."


def too_many(limit: int) -> str:
    """Refuse a party that is too large to book by message."""
    return f"Per gruppi di più di {people(limit)} chiamaci, per favore: ti aiutiamo volentieri."


def in_the_past() -> str:
    """Refuse a moment that has passed."""
    return "Quel momento è già passato. Quando vorresti venire?"


def cancelled(when: datetime) -> str:
    """Confirm a cancellation."""
    return f"La prenotazione di {moment(when)} è annullata. Speriamo di vederti presto."


def nothing_to_cancel() -> str:
    """Say that there is nothing to cancel."""
    return "Non trovo prenotazioni a tuo nome."


def thanks() -> str:
    """Answer thanks."""
    return "Grazie a te, a presto!"


def text_only() -> str:
    """Answer a picture, a voice message or a sticker."""
    return "Per ora so leggere solo messaggi di testo. Puoi scrivermi?"


def not_understood() -> str:
    """Ask to say it again, with an example."""
    return "Non ho capito. Prova così: «Un tavolo per 4 sabato alle 20:30»."
