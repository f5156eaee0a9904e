"""What the form and the desk take for a name, a contact, a moment, a subject, a yes."""

from __future__ import annotations

import pytest

from bot import fields


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Fatou Diop", "Fatou Diop"),
        ("je m'appelle jean dupuis", "Jean Dupuis"),
        ("Moi c’est Anne-Sophie Le Goff", "Anne-Sophie Le Goff"),
        ("mon nom est Nguyễn Thị Lan", "Nguyễn Thị Lan"),
        ("Li Wu", "Li Wu"),
        ("c'est au nom de Mme O'Brien", "Mme O'Brien"),
        ("Geert Vandenbroucke.", "Geert Vandenbroucke"),
    ],
)
def test_a_name_is_taken_as_its_owner_spells_it(written: str, name: str) -> None:
    assert fields.parse_name(written) == name


@pytest.mark.parametrize(
    "written", ["", "x", "06 12 34 56 78", "{phone}", "<script>alert(1)</script>", "a" * 200, "https://exemple.fr", "un deux trois quatre cinq six sept huit"]
)
def test_what_cannot_be_a_name_is_refused(written: str) -> None:
    with pytest.raises(fields.FieldError, match="name_unclear"):
        fields.parse_name(written)


@pytest.mark.parametrize("written", ["les effets secondaires", "prix", "c'est combien", "quel traitement", "rdv mardi"])
def test_a_subject_is_no_name_unless_its_owner_says_so(written: str) -> None:
    with pytest.raises(fields.FieldError, match="name_unclear"):
        fields.parse_name(written)
    assert fields.parse_name("je m'appelle Jean Prix") == "Jean Prix"


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("06 12 34 56 78", "+33612345678"),
        ("0612345678", "+33612345678"),
        ("+33 (0)6 12 34 56 78", "+33612345678"),
        ("0033 6.12.34.56.78", "+33612345678"),
        ("mon gsm : 0470/12.34.56", "+32470123456"),
        ("+32 470 12 34 56", "+32470123456"),
        ("079 123 45 67", "+41791234567"),
        ("+41 79 123 45 67", "+41791234567"),
        ("+352 621 123 456", "+352621123456"),
        ("514 849-2233", "+15148492233"),
        ("+1 (418) 849-2233", "+14188492233"),
        ("+381 64 123 4567", "+381641234567"),
        ("0550 12 34 56", "+213550123456"),
        ("+213 550 12 34 56", "+213550123456"),
        ("+212 6 12 34 56 78", "+212612345678"),
        ("213 550 12 34 56", "+213550123456"),
        ("212661234567", "+212661234567"),
        ("vous pouvez m'appeler au 06-12-34-56-78 merci", "+33612345678"),
    ],
)
def test_a_phone_number_is_read_as_its_country_writes_it(written: str, number: str) -> None:
    contact = fields.parse_contact(written)
    assert (contact.kind, contact.value) == ("phone", number)


@pytest.mark.parametrize("written", ["06 12 34", "0000000000", "+33 6 12", "123456789012345678901"])
def test_an_incomplete_number_is_refused_with_its_own_message(written: str) -> None:
    with pytest.raises(fields.FieldError, match="phone_invalid"):
        fields.parse_contact(written)


def test_a_premium_number_is_refused() -> None:
    with pytest.raises(fields.FieldError, match="phone_premium"):
        fields.parse_contact("0899 12 34 56")


def test_the_label_read_back_tells_the_country_and_can_be_read_again() -> None:
    label = fields.parse_contact("0470/12.34.56").label
    assert label == "+32 470 12 34 56 (Belgique)"
    assert fields.parse_contact(label).value == "+32470123456"


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("camille.laurent@exemple.fr", "camille.laurent@exemple.fr"),
        ("camille point laurent arobase exemple point fr", "camille.laurent@exemple.fr"),
        ("c'est camille.laurent @ exemple . fr", "camille.laurent@exemple.fr"),
        ("mon mail : Jean_Dupuis@Exemple.FR", "Jean_Dupuis@exemple.fr"),
        ("jean.o'connor@exemple.fr", "jean.o'connor@exemple.fr"),
        ("jean tiret bas dupuis arobase exemple point be", "jean_dupuis@exemple.be"),
    ],
)
def test_an_address_is_read_even_when_it_is_spelt_out(written: str, address: str) -> None:
    assert fields.parse_contact(written).value == address


@pytest.mark.parametrize("written", ["camille.laurent@", "@exemple.fr", "camille@exemple", "camille arobase exemple"])
def test_an_incomplete_address_is_refused_with_its_own_message(written: str) -> None:
    with pytest.raises(fields.FieldError, match="email_invalid"):
        fields.parse_contact(written)


def test_words_alone_are_no_contact() -> None:
    with pytest.raises(fields.FieldError, match="contact_unclear"):
        fields.parse_contact("comme vous voulez")


@pytest.mark.parametrize(
    "written",
    [
        "mardi après-midi",
        "mercredi vers midi, ou sinon vendredi",
        "apres 18h",
        "n'importe quand",
        "le 28 février à 15h",
        "en semaine le soir",
        "le 3/12 au matin",
        "ce week-end",
        "dès que possible",
    ],
)
def test_wished_moments_are_kept_in_the_visitors_words(written: str) -> None:
    assert fields.parse_windows(written) == written


@pytest.mark.parametrize("written", ["le 30 février à 25h", "le 31/04", "demain à 26h", "le 12/13"])
def test_a_moment_that_does_not_exist_is_refused(written: str) -> None:
    with pytest.raises(fields.FieldError, match="windows_impossible"):
        fields.parse_windows(written)


def test_words_without_any_moment_are_refused() -> None:
    with pytest.raises(fields.FieldError, match="windows_unclear"):
        fields.parse_windows("je ne sais plus trop")


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("le foie", "liver"),
        ("ma cirrhose", "liver"),
        ("la sclérose en plaques", "neurology"),
        ("j'ai de l'arthrose au genou", "joints"),
        ("je préfère ne pas dire", "undisclosed"),
        ("le lupus de ma fille", "other"),
        ("un renseignement", "general"),
    ],
)
def test_a_subject_becomes_one_of_the_closed_list_and_never_the_words_said(written: str, code: str) -> None:
    label = fields.parse_subject(written)
    assert label == fields.SUBJECTS[code]
    assert fields.subject_code(label) == code


@pytest.mark.parametrize(
    "written", ["oui", "Oui, j'accepte", "ok", "d'accord", "c'est bon", "ouais vas-y", "oui c'est correct", "bah oui", "tout est correct", "je valide"]
)
def test_a_yes_is_a_yes(written: str) -> None:
    assert fields.parse_yes_no(written) is True


@pytest.mark.parametrize(
    "written", ["non", "nan", "je n'accepte pas que vous gardiez mes données", "je refuse", "pas d'accord", "non merci", "Non, sans la conversation", "euh non"]
)
def test_a_no_is_a_no(written: str) -> None:
    assert fields.parse_yes_no(written) is False


@pytest.mark.parametrize("written", ["mardi", "Fatou Diop", "combien ça coûte ?", ""])
def test_anything_else_is_neither(written: str) -> None:
    assert fields.parse_yes_no(written) is None


def test_health_said_beside_a_wished_moment_is_not_kept() -> None:
    assert fields.parse_windows("le matin, j'ai une cirrhose stade Child B avec MELD 14") == "le matin"
