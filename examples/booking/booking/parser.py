"""What an Italian guest means: persons, date, time, name, allergies, and what they want."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, time, timedelta

_UNITS = (
    *("zero", "uno", "due", "tre", "quattro", "cinque", "sei", "sette", "otto", "nove", "dieci"),
    *("undici", "dodici", "tredici", "quattordici", "quindici", "sedici", "diciassette"),
    *("diciotto", "diciannove", "venti", "ventuno", "ventidue", "ventitré", "ventiquattro"),
)
WORDS = {word: number for number, word in enumerate(_UNITS)} | {"ventitre": 23, "una": 1, "un": 1}
DAYS = ("lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato", "domenica")
MONTHS = (
    *("gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno"),
    *("luglio", "agosto", "settembre", "ottobre", "novembre", "dicembre"),
)

_NUMBER = r"(?:\d{1,2}|" + "|".join(sorted(WORDS, key=len, reverse=True)) + r")"
_DAY = "|".join(f"{day[:-1]}[{day[-1]}i]'?" if day.endswith("ì") else day for day in DAYS)
_MONTH = "|".join(MONTHS)
_PEOPLE = r"person[ea]|adult[oi]|ospit[ei]|copert[oi]|amic[oihe]{1,2}|post[oi]"
_AFTER_PARTY = "a|al|alle|all|per|il|oggi|domani|dopodomani|stasera|questa|questo|di|e|ore|verso"
_PARTY = (
    rf"\b({_NUMBER})\s+(?:{_PEOPLE})\b",
    rf"\b(?:siamo|saremo|siete|eravamo|sarem+o)\s+(?:solo\s+)?(?:in\s+)?({_NUMBER})\b",
    rf"\btavol[oi]\s+(?:da|per|x)\s+({_NUMBER})\b",
    rf"\b(?:per|in|x|da)\s+({_NUMBER})(?=\s*(?:$|[,;.!?]|\s(?:{_AFTER_PARTY}|{_DAY})\b))",
    r"\bx\s?(\d{1,2})\b",
)
_CHILDREN = rf"\b(?:e|più|\+|con)\s+({_NUMBER})\s+(?:bambin[oiae]|bimb[oiae]|ragazzin[oi])\b"
_ADULTS_ONLY = rf"\b{_NUMBER}\s+adult[oi]\b"
_COUPLE = r"\b(?:io e (?:mia|mio|la mia|il mio) \w+|io e te|siamo una coppia|per una coppia)\b"

_AT = r"(?:alle|all['\s]|ore|h\.?|verso le|per le|dalle|intorno alle|sulle|alle ore|le)\s*"
_CLOCK = re.compile(
    rf"\b(?:{_AT})(?P<hour>{_NUMBER})(?:\b|(?=h\d))(?:\s*[:.,h]\s*(?P<minute>[0-5]\d)\b"
    r"|\s+e\s+(?P<part>mezz[ao]|un quarto|tre quarti|trenta|quindici|[0-5]\d)\b"
    r"|\s+meno\s+(?P<less>un quarto|dieci|cinque|venti)\b)?"
)
_BARE_CLOCK = re.compile(r"(?<![\d/.-])(?P<hour>[01]?\d|2[0-3])[:.](?P<minute>[0-5]\d)(?![\d/.-])")
_PARTS = {"un quarto": 15, "quindici": 15, "tre quarti": 45, "trenta": 30}
_LESS = {"un quarto": 15, "dieci": 10, "cinque": 5, "venti": 20}

_NAME_LEAD = r"(?:mi chiamo|il mio nome è|il mio nome e'|a nome(?: di)?|nome:)\s+"
_NAME_WORD = r"[A-Za-zÀ-ÖØ-öø-ÿ]+(?:['-][A-Za-zÀ-ÖØ-öø-ÿ]+)*"
_NAME_AFTER = re.compile(rf"(?i:\b{_NAME_LEAD})({_NAME_WORD}(?:\s+{_NAME_WORD}){{0,2}})")
_NAME_SONO = re.compile(
    r"(?:^|[.,!?;]\s*|\b(?i:ciao|salve|buongiorno|buonasera|sera|giorno),?\s+)(?i:sono)\s+"
    r"([A-ZÀ-ÖØ-Þ][a-zà-öø-ÿ]+(?:['-][A-Za-zÀ-ÿ]+)*(?:\s+[A-ZÀ-ÖØ-Þ][\w'-]+){0,2})"
)
_ALLERGY = re.compile(
    r"\b(?:allergi[aceh]{1,3}|allergico|allergica|allergie|intollerant[ei]|intolleranza)\s+"
    r"(?:al lo|all'|agli|alle|allo|alla|al|ai|a)\s*"
    r"([a-zà-ÿ' ]+?)(?=$|[.,;!?]|\s+(?:per|e vorrei|vorrei|ma|grazie|domani|stasera|siamo)\b)"
)
_ARTICLES = re.compile(r"^(?:al lo|all'|agli|alle|allo|alla|al|ai|a|il|lo|la|i|gli|le)\s+")

_WANTS = (
    ("cancel", r"\b(?:annull\w+|disdi\w+|disdett\w+|cancell\w+)\b"),
    ("book", r"\b(?:prenot\w+|tavol[oi]|posto per|riserv\w+|venire a (?:cena|pranzo))\b"),
    ("thanks", r"\b(?:grazie|ringrazio)\b"),
    ("greeting", r"\b(?:ciao|salve|buongiorno|buonasera|buon giorno|buona sera|buondì|ehi|hey)\b"),
)


@dataclass(frozen=True)
class Understood:
    """What one message says; None is what it does not say."""

    want: str | None = None  # book, cancel, thanks or greeting
    greets: bool = False
    agrees: bool | None = None  # a bare yes or no
    name: str | None = None
    persons: int | None = None
    day: date | None = None
    at: time | None = None
    allergies: tuple[str, ...] = ()

    @property
    def books(self) -> bool:
        """Whether it says anything that belongs to a booking."""
        return self.want == "book" or bool(self.persons or self.day or self.at)


def understand(text: str, today: date, expected: str | None = None) -> Understood:
    """Return what `text` says on the day `today`.

    `expected` is what was asked last ("persons", "day" or "time"): it gives a bare number such as
    `4` or `20` its meaning. Hours 1 to 11 are afternoon and evening: nobody books breakfast.
    """
    text = text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    plain = re.sub(r"\s+", " ", text.lower()).strip()
    at, rest = _time(plain)
    day, rest = _day(rest, today)
    persons = _persons(rest)
    bare = re.fullmatch(rf"\s*({_NUMBER})\s*[.!]?\s*", plain)
    if bare:
        number = _to_int(bare.group(1))
        if expected == "persons" and number:
            persons = number
        elif expected == "time":
            at = _clock(number, 0)
        elif expected == "day" and day is None:
            day, _ = _day(f"il {number}", today)
    want = next((name for name, pattern in _WANTS if re.search(pattern, plain)), None)
    return Understood(
        want=want,
        greets=bool(re.search(_WANTS[-1][1], plain)),
        agrees=_agrees(plain),
        name=_name(text),
        persons=persons,
        day=day,
        at=at,
        allergies=_allergies(plain),
    )


def _to_int(word: str) -> int:
    return int(word) if word.isdigit() else WORDS[word]


def _agrees(plain: str) -> bool | None:
    if re.fullmatch(r"(?:s[iì]'?|certo|esatto|ok|okay|va bene|perfetto|confermo)\b.*", plain):
        return True
    return False if re.match(r"no\b", plain) else None


def _persons(text: str) -> int | None:
    if re.search(_COUPLE, text):
        return 2
    for pattern in _PARTY:
        found = re.search(pattern, text)
        if found and (persons := _to_int(found.group(1))):
            if re.search(_ADULTS_ONLY, text) or "person" not in found.group(0):
                children = re.search(_CHILDREN, text)
                persons += _to_int(children.group(1)) if children else 0
            return persons
    return None


def _clock(hour: int, minute: int) -> time | None:
    if 1 <= hour <= 11:
        hour += 12
    return time(hour % 24, minute) if hour <= 24 else None


def _cut(text: str, found: re.Match[str]) -> str:
    return f"{text[: found.start()]} , {text[found.end() :]}"


def _time(text: str) -> tuple[time | None, str]:
    noon = re.search(r"\b(?:a |per |verso )?mezzogiorno(?: e (mezz[ao]))?\b", text)
    if noon:
        return time(12, 30 if noon.group(1) else 0), _cut(text, noon)
    for found in _CLOCK.finditer(text):
        if found.group(0).startswith("le ") and re.search(r"\w$", text[: found.start()].strip()):
            continue  # "tutte le 4 persone" is no hour
        if re.match(rf"\s*(?:{_PEOPLE}|bambin|\d)", text[found.end() :]):
            continue
        hour = _to_int(found.group("hour"))
        if found.group("less"):
            minutes = 60 - _LESS[found.group("less")]
            at = _clock(hour - 1, minutes)
        elif part := found.group("part"):
            at = _clock(hour, 30 if part.startswith("mezz") else _part(part))
        else:
            at = _clock(hour, int(found.group("minute") or 0))
        if at:
            return at, _cut(text, found)
    bare = _BARE_CLOCK.search(text)
    if bare:
        return _clock(int(bare.group("hour")), int(bare.group("minute"))), _cut(text, bare)
    return None, text


def _part(part: str) -> int:
    return _PARTS[part] if part in _PARTS else int(part)


def _day(text: str, today: date) -> tuple[date | None, str]:
    for pattern, days in (
        (r"\bdopodomani\b|\bdopo domani\b", 2),
        (r"\bdomani\b", 1),
        (r"\b(?:oggi|stasera|questa sera|a pranzo oggi|stanotte)\b", 0),
    ):
        found = re.search(pattern, text)
        if found:
            return today + timedelta(days=days), _cut(text, found)
    found = re.search(rf"\b(?:tra|fra)\s+({_NUMBER})\s+giorn[oi]\b", text)
    if found:
        return today + timedelta(days=_to_int(found.group(1))), _cut(text, found)
    found = re.search(rf"\b(\d{{1,2}}|primo|1°)\s+(?:di\s+)?({_MONTH})(?:\s+(\d{{4}}))?\b", text)
    if found:
        number = 1 if found.group(1) in ("primo", "1°") else int(found.group(1))
        month = MONTHS.index(found.group(2)) + 1
        return _on(today, number, month, found.group(3)), _cut(text, found)
    found = re.search(r"(?<!\d)(\d{1,2})[/-](\d{1,2})(?:[/-](\d{4}|\d{2}))?(?!\d)", text)
    if found:
        year = found.group(3)
        year = f"20{year}" if year and len(year) == 2 else year
        return _on(today, int(found.group(1)), int(found.group(2)), year), _cut(text, found)
    return _weekday_or_number(text, today)


def _weekday_or_number(text: str, today: date) -> tuple[date | None, str]:
    found = re.search(
        rf"\b({_DAY})(?:\s+(?:sera|prossim[oa]|che viene))?(?:\s+(\d{{1,2}})\b)?", text
    )
    if found:
        if found.group(2) and (exact := _next_number(today, int(found.group(2)))):
            return exact, _cut(text, found)
        start = found.group(1)[:3]
        index = next(i for i, day in enumerate(DAYS) if day.startswith(start))
        ahead = (index - today.weekday()) % 7
        if ahead == 0 and not re.search(r"\bquest[oa]\b", text[: found.start()]):
            ahead = 7  # on a Saturday "sabato" is the next one: today is "oggi" or "stasera"
        return today + timedelta(days=ahead), _cut(text, found)
    found = re.search(r"\b(?:il|per il|giorno)\s+(\d{1,2})\b(?!\s*(?:person|:))", text)
    if found and (exact := _next_number(today, int(found.group(1)))):
        return exact, _cut(text, found)
    return None, text


def _on(today: date, number: int, month: int, year: str | None) -> date | None:
    try:
        day = date(int(year) if year else today.year, month, number)
    except ValueError:
        return None
    if year is None and day < today:
        try:
            return day.replace(year=today.year + 1)
        except ValueError:  # 29 February
            return None
    return day


def _next_number(today: date, number: int) -> date | None:
    for ahead in range(62):
        day = today + timedelta(days=ahead)
        if day.day == number:
            return day
    return None


def _name(text: str) -> str | None:
    found = _NAME_AFTER.search(text)
    if found:
        words = found.group(1).split()
        # "mi chiamo giulia e vorrei": in small letters only the first word is surely a name.
        kept = words[:1]
        for word in words[1:]:
            if not word[0].isupper() or not words[0][0].isupper():
                break
            kept.append(word)
    else:
        found = _NAME_SONO.search(text)
        if not found:
            return None
        kept = found.group(1).split()
    name = " ".join(word[0].upper() + word[1:] for word in kept)
    return None if name.lower() in WORDS else name[:60]


def _allergies(plain: str) -> tuple[str, ...]:
    names: list[str] = ["glutine"] if re.search(r"\bceliac[aoi]\b", plain) else []
    for found in _ALLERGY.finditer(plain):
        for item in re.split(r"\s*,\s*|\s+e\s+|\s+ed\s+", found.group(1)):
            name = _ARTICLES.sub("", item.strip()).strip()
            if name and name not in names:
                names.append(name)
    return tuple(names[:5])
