# ruff: noqa: RUF001 (letters of other alphabets are what this is about)
"""What bytes are written in, where no option names them."""

import io
import logging

import pytest

from millrace.components.example_gen.csv import alphabets, encodings

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


# texts that alphabets.py was not made by
HELD_OUT = {
    "Polish": (
        "produkt;cena;opis\nżółw;12,5;mały\nświeca;3,0;biała\nkrzesło;99;drewniane\n",
        "ulica;nr\nŚwiętokrzyska;5\nPiłsudskiego;17\nMickiewicza;3\n",
        "gmina;powiat\nZgłobień;rzeszowski\nŻarnów;opoczyński\n",
    ),
    "Czech": (
        "ulice;číslo\nVáclavské náměstí;5\nDlouhá třída;12\nHusova;1\n",
        "druh;počet\nkůň;3\nkočka;4\npštros;1\n",
    ),
    "Hungarian": (
        "termék;ár\nsütőtök;500\nalma;200\nkörte;350\nfűszer;90\n",
        "utca;házszám\nPetőfi út;5\nKossuth tér;1\nBékés;3\n",
    ),
    "Romanian": ("judeţ;populaţie\nBacău;600000\nBistriţa-Năsăud;280000\nMureş;550000\n",),
    "Slovene": ("ime;kraj\nJanez;Škofja Loka\nŽiga;Črnomelj\nMojca;Ljubljana\n",),
    "Russian": (
        "товар;цена;остаток\nстол;100;5\nстул;50;7\nшкаф;900;1\n",
        "улица;дом\nЛенина;5\nПушкинская;12\nСадовая;7\n",
        "ФИО;оценка\nСидоров А.А.;5\nКузнецова М.В.;4\n",
    ),
    "Ukrainian": ("область;населення\nЛьвівська;2500000\nКиївська;1700000\nХарківська;2700000\n",),
    "Bulgarian": ("град;население\nСофия;1200000\nПловдив;340000\nВарна;330000\n",),
    "German": (
        "Straße;Nr\nMühlenweg;5\nBäckergasse;3\nHauptstraße;12\n",
        "Frucht;Preis\nÄpfel;2,50\nBirnen;3,00\nKürbis;4,99\n",
        "id,city\n1,Köln\n2,Berlin\n3,Hamburg\n4,Bonn\n",
        "Größe,Gewicht\n1.80,75\n1.75,70\n",
    ),
    "French": (
        "fruit;prix\npêche;2,5\ncerise;3,0\ngroseille à maquereau;4\nœuf;0,3\n",
        "département;préfecture\nIsère;Grenoble\nFinistère;Quimper\nHérault;Montpellier\n",
        "id,comment\n1,très bon\n2,déçu\n3,ça va\n",
    ),
    "Spanish": (
        "provincia;capital\nA Coruña;A Coruña\nCádiz;Cádiz\nÁvila;Ávila\nAlmería;Almería\n",
        "id,texto\n1,¡Qué película más aburrida!\n2,¿Por qué?\n3,El niño\n",
    ),
    "Portuguese": (
        "município;população\nGoiânia;1500000\nBelém;1400000\nSão Luís;1100000\nMaceió;1000000\n",
    ),
    "Italian": ("città;abitanti\nForlì;118000\nCantù;40000\nSan Donà di Piave;41000\n",),
    "Danish": ("produkt;pris\nrødgrød;25\nsmørrebrød;60\næbleskiver;30\npålæg;20\n",),
    "Swedish": ("ort;län\nMalmö;Skåne\nGävle;Gävleborg\nVästerås;Västmanland\nÖrebro;Örebro\n",),
    "Finnish": ("kaupunki;väkiluku\nJyväskylä;140000\nHämeenlinna;67000\nRiihimäki;28000\n",),
    "Turkish": (
        "ürün;fiyat\nçilek;20\nüzüm;15\nkarpuz;10\nşeftali;12\nincir;9\n",
        "il;ilçe\nAğrı;Doğubayazıt\nMuş;Malazgirt\nİzmir;Karşıyaka\n",
    ),
    "Greek": ("προϊόν;τιμή\nψωμί;1,20\nγάλα;1,50\nτυρί;5,00\n",),
    "Lithuanian": ("prekė;kaina\nobuolys;1,5\nkriaušė;2\nžuvis;7\nsūris;4\n",),
    "Latvian": ("pilsēta;novads\nJūrmala;Rīga\nLiepāja;Kurzeme\nCēsis;Vidzeme\n",),
    "Hebrew": ("מוצר;מחיר\nלחם;10\nחלב;6\nגבינה;12\n",),
    "Arabic": ("منتج;سعر\nخبز;10\nحليب;6\nجبن;12\n",),
    "Thai": ("สินค้า;ราคา\nข้าว;20\nน้ำ;10\nผลไม้;35\n",),
    "Japanese": (
        "都道府県,人口\n北海道,5200000\n神奈川県,9200000\n愛知県,7500000\n",
        "氏名,点数\n鈴木一郎,80\n高橋真由美,95\n",
    ),
    "Korean": ("상품,가격\n사과,1000\n배,2000\n포도,3000\n",),
    "Chinese": (
        "产品,价格\n苹果,5\n香蕉,3\n葡萄,8\n",
        "姓名,年龄\n欧阳娜,20\n诸葛亮,35\n",
    ),
    "Taiwanese": ("產品,價格\n蘋果,5\n香蕉,3\n葡萄,8\n",),
}
HELD_OUT_IN = {
    ("Polish", "Czech", "Hungarian"): ("cp1250", "iso8859_2", "cp852"),
    ("Romanian", "Slovene"): ("cp1250", "iso8859_2"),
    ("Russian",): ("cp1251", "koi8_r", "cp866", "iso8859_5", "mac_cyrillic"),
    ("Ukrainian",): ("cp1251", "koi8_u"),
    ("Bulgarian",): ("cp1251",),
    ("German", "French", "Spanish", "Portuguese", "Italian", "Danish", "Swedish", "Finnish"): (
        "cp1252",
        "latin_1",
        "cp850",
        "mac_roman",
    ),
    ("Turkish",): ("cp1254",),
    ("Greek",): ("cp1253", "iso8859_7"),
    ("Lithuanian", "Latvian"): ("cp1257",),
    ("Hebrew",): ("cp1255",),
    ("Arabic",): ("cp1256",),
    ("Thai",): ("cp874",),
    ("Japanese",): ("cp932", "euc_jp"),
    ("Korean",): ("euc_kr",),
    ("Chinese",): ("gb18030",),
    ("Taiwanese",): ("big5",),
}
NOT_READ = ("Czech", 1, "cp1250")  # its few words look Western
CASES = [
    (language, place, encoding)
    for languages, written in HELD_OUT_IN.items()
    for language in languages
    for place, text in enumerate(HELD_OUT[language])
    for encoding in written
    if text == text.encode(encoding, "ignore").decode(encoding)
]


@pytest.mark.parametrize(("language", "place", "encoding"), sorted({*CASES} - {NOT_READ}))
def test_rows_that_no_alphabet_was_made_by_are_read_as_they_were_written(language, place, encoding):
    text = HELD_OUT[language][place]
    data = text.encode(encoding)
    assert data.decode(encodings.detect(data)) == text


def test_the_held_out_texts_are_as_many_as_the_comparison_says():
    assert len(CASES) == 114


def test_a_guess_is_logged_with_the_option_that_names_another(caplog):
    data = FEW_ROWS["Polish"].encode("iso8859_2")
    assert encodings.guess("t.csv", data, "csv.encoding") == "iso8859_2"
    assert caplog.messages == ["t.csv is not UTF-8: read as iso8859_2; csv.encoding names another"]
    assert encodings.guess("t.csv", data, "") == "iso8859_2"
    assert caplog.messages[1].endswith("as iso8859_2; if that is wrong, save it as UTF-8")


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


def test_what_is_found_a_block_at_a_time_is_what_is_found_in_the_whole(monkeypatch):
    data = "price\n" * 3 + "東京\n"  # one shift, of bytes 18 to 20
    for encoding in ("iso2022_jp", "utf-8", "utf-16", "cp932"):
        for block in (1 << 20, 20, 19):
            monkeypatch.setattr(encodings, "_BLOCK", block)
            found = encodings.detect_in(io.BytesIO(data.encode(encoding)))
            assert found == encodings.detect(data.encode(encoding)), (encoding, block)


def test_a_word_that_is_all_of_a_file_is_judged_by_its_first_letters(monkeypatch):
    seen, likelihood = [], alphabets.likelihood

    def noted(words):
        seen.extend(map(len, words))
        return likelihood(words)

    monkeypatch.setattr(alphabets, "likelihood", noted)
    encodings.detect("東京".encode("cp932") * 9_999)
    assert set(seen) == {64}


def test_a_long_run_of_ascii_letters_is_no_word_to_judge_and_takes_no_time():
    data = b"a" * 250_000 + b" \x93"  # a quotation mark; took minutes
    assert encodings.detect(data) == "cp1252"
