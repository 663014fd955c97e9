"""Words in the names of columns that tell of personal data, in several languages, and given names that are frequent."""

from __future__ import annotations

import re
import unicodedata

# English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Swedish; without accents, words parted by a space.
WORDS: dict[str, tuple[str, ...]] = {
    "mail": (
        "email", "e mail", "mail", "mail address", "email address", "emailadresse", "mailadresse", "courriel", "correo",
        "correo electronico", "correio", "correio eletronico", "posta elettronica", "e post", "epost", "adres email",
    ),
    "phone": (
        "phone", "telephone", "tel", "mobile", "cell phone", "cellphone", "phone number", "mobile number", "fax",
        "telefon", "telefonnummer", "handynummer", "handy", "mobilnummer", "rufnummer", "telephone portable", "telefono",
        "movil", "celular", "telefone", "telemovel", "cellulare", "telefoon", "telefoonnummer", "numer telefonu", "msisdn",
    ),
    "card": (
        "credit card", "card number", "creditcard", "credit card number", "cc number", "kreditkarte", "kreditkartennummer",
        "carte bancaire", "numero de carte", "tarjeta de credito", "carta di credito", "cartao de credito", "pan number",
    ),
    "iban": (
        "iban", "bank account", "account number", "kontonummer", "bankverbindung", "compte bancaire", "cuenta bancaria",
        "conto corrente", "conta bancaria", "rekeningnummer",
    ),
    "ip": ("ip", "ip address", "ipv4", "ipv6", "client ip", "remote addr", "remote ip", "ip adresse", "adresse ip"),
    "id": (
        "ssn", "social security", "social security number", "national id", "passport", "passport number", "tax id",
        "driver license", "drivers license", "driving licence", "nino", "steuer id", "steuernummer", "personalausweis",
        "ausweisnummer", "reisepass", "sozialversicherungsnummer", "numero de securite sociale", "passeport", "dni", "nie",
        "nif", "pasaporte", "curp", "codice fiscale", "passaporto", "cpf", "bsn", "pesel", "personnummer", "aadhaar",
    ),
    "name": (
        "first name", "last name", "firstname", "lastname", "surname", "full name", "fullname", "given name", "family name",
        "maiden name", "middle name", "vorname", "nachname", "familienname", "geburtsname", "prenom", "nom de famille",
        "nombre completo", "apellido", "apellidos", "cognome", "sobrenome", "apelido", "voornaam", "achternaam", "imie",
        "nazwisko", "fornamn", "efternamn", "patient name", "customer name", "passenger name", "employee name",
    ),
    "birth": (
        "date of birth", "birth date", "birthdate", "birthday", "dob", "geburtsdatum", "geburtstag", "date de naissance",
        "date naissance", "fecha de nacimiento", "fecha nacimiento", "data di nascita", "data nascita",
        "data de nascimento", "geboortedatum", "data urodzenia", "fodelsedatum",
    ),
    "address": (
        "street", "street address", "home address", "postal address", "billing address", "shipping address", "address line",
        "strasse", "hausnummer", "anschrift", "wohnadresse", "postanschrift", "rue", "adresse postale", "domicilio",
        "calle", "indirizzo", "endereco", "morada", "straatnaam", "ulica", "gatuadress",
    ),
}  # fmt: skip
# What may name a person or a thing: only content decides.
WEAK = {
    "name": (
        "name", "names", "nom", "nombre", "nome", "naam", "namn", "person", "customer", "client", "kunde", "patient",
        "passenger", "user", "employee", "contact", "author", "owner", "pilot", "driver",
    ),
}  # fmt: skip
_GIVEN_NAMES = (
    "adam agnieszka aisha alexander alexandra alice amanda ana anders andrea andreas andrew angela anna anne antonio ashley "
    "barbara ben bernd birgit brian camille carla carlos carol caroline charles charlotte chloe christian christine "
    "christopher claire claudia cynthia daniel daniela david deborah diego dirk donald donna dorothy edward elena elizabeth "
    "emily emma eric erik eva fatima felix fernando florian francesca francesco frank gabriel george giovanni giulia "
    "gregory hans heike helen helena henry ines ingrid ivan jacob james jan jane janet jason javier jean jeffrey jennifer "
    "jessica joao johan johann johannes john jonas jonathan jorge jose joseph joshua juan judith julia julie julien jurgen "
    "karen karin katarzyna katharina katherine kathleen kenneth kevin klaus krzysztof lars laura laurent lea leon linda "
    "lisa louis luca lucas lucia luis lukas manuel marco margaret maria marie mark markus marta martin mary matthew "
    "matthias max melissa michael michel michelle miguel mohammed monika nancy nathalie nicholas nicolas nicole nina "
    "olivia oscar pablo pamela patricia patrick paul paula paulo pedro peter petra philip pierre piotr rachel rafael "
    "rebecca richard robert ronald ruth ryan sabine samuel sandra sara sarah scott sebastian sharon silvia simon sofia "
    "sophie stefan stefanie stephanie stephen steven susan susanne sven teresa thomas timothy tobias tomasz ursula uwe "
    "valentina veronica victor vincent virginia walter werner william wolfgang yusuf zoe"
)
GIVEN_NAMES = frozenset(_GIVEN_NAMES.split())


def words_of(column: str) -> str:
    """The words of a column's name, in small letters without accents, parted by spaces.

    >>> words_of("Kunde_EMail"), words_of("prénom"), words_of("clientIP")
    ('kunde e mail', 'prenom', 'client ip')
    """
    plain = unicodedata.normalize("NFKD", column.replace("ß", "ss"))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    plain = re.sub(r"([a-z])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3 \2\4", plain)
    return " ".join(re.findall(r"[a-z]+[0-9]*|[0-9]+", plain.lower()))


def kind_by_name(column: str) -> str:
    """The kind of personal data that the column's name tells of; empty if it tells of none."""
    words = words_of(column)
    best = ""
    longest = 0
    for kind, known in WORDS.items():
        for word in known:
            # A word tells at the end of the name (client email), and nothing in its middle (mail order date).
            fits = words == word or words.endswith(f" {word}")
            if fits and len(word) > longest:
                best, longest = kind, len(word)
    return best


def is_weak_name(column: str) -> bool:
    """Whether the column may hold names of people."""
    return words_of(column).split(" ")[-1] in WEAK["name"] if words_of(column) else False
