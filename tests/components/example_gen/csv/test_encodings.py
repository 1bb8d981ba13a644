"""What bytes are written in, where no option names them."""

import pytest

from millrace.components.example_gen.csv import encodings

TOWNS = {
    "cp1252": "id;Stadt\n1;Köln\n2;München\n3;Bremen\n",
    "cp1251": "имя,город\nИван,Москва\nПётр,Санкт-Петербург\n",  # noqa: RUF001
    "cp1253": "όνομα,πόλη\nΝίκος,Αθήνα\n",  # noqa: RUF001
    "cp932": "名前,都市\n太郎,東京\n花子,大阪\n",
    "gb18030": "姓名,城市\n小明,北京\n小红,上海市\n",
    "euc_kr": "이름,도시\n철수,서울\n영희,부산\n",
}


@pytest.mark.parametrize("encoding", TOWNS)
def test_a_table_of_a_few_words_is_read_in_its_encoding(encoding):
    data = (TOWNS[encoding] * 8).encode(encoding)
    assert data.decode(encodings.detect(data)) == TOWNS[encoding] * 8


@pytest.mark.parametrize("text", ["Köln\n" * 8, "price\n5€\n7€ “quoted”\n" * 8])
def test_few_letters_that_are_not_ascii_are_windows_western_ones(text):
    assert encodings.detect(text.encode("cp1252")) == "cp1252"


def test_numbers_with_few_letters_among_them_are_no_other_encoding():
    rows = "".join(f"{n};01.02.2020;{n % 7},5;{'Köln' if n % 3 else 'Cork'}\r\n" for n in range(99))
    assert encodings.detect(rows.encode("cp1252")) == "cp1252"


@pytest.mark.parametrize("text", ["a", "é", "\ufeffé", "日本"])
def test_utf_8_is_utf_8(text):
    assert text.encode().decode(encodings.detect(text.encode())) == text.removeprefix("\ufeff")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_byte_order_mark_is_known_by_its_zeros(encoding):
    assert encodings.detect("id;Straße\n1;Köln\n".encode(encoding)) == encoding


def test_bytes_that_are_no_text_are_not_guessed_at():
    assert encodings.detect(b"\x89PNG\r\n\x00\x00\xff\xfe") == "utf-8"


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("cp1252", True), ("UTF-7", True), ("shift_jis", True), ("rot13", False), ("base64", False),
     ("idna", False), ("punycode", False), ("undefined", False), ("x", False), ("a\0", False)],
)  # fmt: skip
def test_only_encodings_of_text_files_are_known(name, is_one):
    assert encodings.is_known(name) is is_one
