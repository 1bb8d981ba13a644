# ruff: noqa: RUF001 (letters of other alphabets are what this is about)
"""What bytes are written in, where no option names them."""

import logging

import pytest

from millrace.components.example_gen.csv import encodings

TOWNS = {
    "cp1252": "id;Stadt\n1;Köln\n2;München\n3;Bremen\n",
    "cp1251": "имя,город\nИван,Москва\nПётр,Санкт-Петербург\n",
    "cp1253": "όνομα,πόλη\nΝίκος,Αθήνα\n",
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


FEW_ROWS = {
    "Polish": "imię;miasto\nŁukasz;Łódź\nPaweł;Częstochowa\nGrażyna;Wrocław\n",
    "Czech": "jméno;město\nJiří;Plzeň\nŽofie;České Budějovice\nLukáš;Děčín\n",
    "Hungarian": "név;város\nErzsébet;Győr\nJenő;Hódmezővásárhely\nÖdön;Szűcs\n",
    "Slovak": "meno;obec\nĽudmila;Košice\nŠtefan;Žilina\nJozef;Levoča\n",
    "Croatian": "ime;grad\nŽeljko;Šibenik\nĐuro;Čakovec\nMarija;Požega\n",
    "Romanian": "nume;oraş\nIon;Braşov\nŞtefan;Iaşi\nMihăiţă;Timişoara\n",
    "Russian": "имя;город\nИван;Москва\nПётр;Санкт-Петербург\nОльга;Нижний Новгород\n",
    "Ukrainian": "місто\nКиїв\nЧернівці\nЗапоріжжя\n",
    "German": "Name;Stadt\nJürgen;Köln\nBärbel;München\nUwe;Gießen\n",
    "French": "prénom;ville\nFrançois;Besançon\nHélène;Orléans\nZoé;Nîmes\n",
    "Portuguese": "nome;cidade\nJoão;São Paulo\nConceição;Brasília\n",
    "Spanish": "nombre;ciudad\nÍñigo;La Coruña\nMaría;Málaga\nJosé;León\n",
    "Danish": "navn;by\nSøren;Ålborg\nKåre;Tromsø\nÆgir;Ærø\n",
    "Turkish": "ad;şehir\nİbrahim;İstanbul\nAyşe;Eskişehir\nÇağla;Muğla\n",
    "Lithuanian": "vardas;miestas\nŽydrūnas;Šiauliai\nRūta;Panevėžys\nGiedrė;Kėdainiai\n",
    "Hebrew": "שם;עיר\nמשה;ירושלים\nשרה;חיפה\n",
    "Arabic": "اسم;مدينة\nمحمد;القاهرة\nفاطمة;الرياض\n",
    "Japanese": "商品,単価\nりんご,100\nバナナ,200\nみかん,300\n",
    "Korean": "이름,도시\n철수,서울\n영희,부산\n",
    "Chinese": "姓名,城市\n小明,北京\n小红,上海市\n",
    "Taiwanese": "姓名,城市\n小明,臺北\n美玲,高雄市\n",
}
WRITTEN = [
    *((name, "iso8859_2") for name in ("Polish", "Czech", "Hungarian", "Slovak", "Croatian")),
    *((name, "cp1250") for name in ("Polish", "Czech", "Hungarian", "Slovak", "Romanian")),
    *((name, "cp852") for name in ("Polish", "Czech", "Hungarian")),
    *(("Russian", name) for name in ("cp1251", "cp866", "koi8_r", "iso8859_5", "mac_cyrillic")),
    *(("Ukrainian", name) for name in ("cp1251", "koi8_u")),
    *((name, "cp1252") for name in ("German", "French", "Portuguese", "Spanish", "Danish")),
    *((name, "cp850") for name in ("German", "French", "Portuguese", "Danish")),
    *((name, "mac_roman") for name in ("German", "French", "Spanish")),
    *(("Turkish", "cp1254"), ("Lithuanian", "cp1257"), ("Hebrew", "cp1255"), ("Arabic", "cp1256")),
    *(("Japanese", name) for name in ("cp932", "euc_jp", "iso2022_jp")),
    *(("Korean", "euc_kr"), ("Chinese", "gb18030"), ("Taiwanese", "big5")),
]


@pytest.mark.parametrize(("language", "encoding"), WRITTEN)
def test_a_few_rows_of_names_and_towns_are_read_as_they_were_written(language, encoding):
    data = FEW_ROWS[language].encode(encoding)
    assert data.decode(encodings.detect(data)) == FEW_ROWS[language]


def test_a_guess_is_logged_with_the_option_that_names_another(caplog):
    data = FEW_ROWS["Polish"].encode("iso8859_2")
    assert encodings.guess("t.csv", data, "csv.encoding") == "iso8859_2"
    assert caplog.messages == ["t.csv is not UTF-8: read as iso8859_2; csv.encoding names another"]


def test_in_doubt_the_next_readings_are_named(caplog):
    assert encodings.guess("t.csv", "town\nMuğla\n".encode("cp1254"), "csv.encoding") == "cp1252"
    assert caplog.messages == [
        "t.csv is not UTF-8: read as cp1252, but may be cp1254 or cp1257; "
        "csv.encoding names another"
    ]


def test_a_bad_byte_makes_a_file_of_utf_8_no_other(caplog):
    data = "Łódź\nKraków\nGdańsk\n".encode() + b"K\xf6ln\n"
    with caplog.at_level(logging.INFO):
        assert encodings.guess("t.csv", data, "csv.encoding") == "utf-8"
    assert caplog.messages == []
