# ruff: noqa: RUF001 (letters of other alphabets are what this is about)
"""How likely a text is one that people write: by its letters, their neighbours and their case.

A table has few words, and those are names: no dictionary helps, and the letters of its language
do. A letter's probability falls with its rank among the language's letters, which are written
here from the most frequent on.
"""

import functools
import itertools
import math
import unicodedata
from collections.abc import Mapping, Sequence

# letters that are not ASCII, of languages that have ASCII letters as well
_LATIN = {
    "German": "üäöß",
    "French": "éèêàçâîôûïëùœÿæ",
    "Dutch": "ëïé",
    "Spanish": "óíáéñúü",
    "Portuguese": "ãçáéíóêõâúàô",
    "Italian": "àèìòùé",
    "Swedish": "äöåé",
    "Danish": "øåæé",
    "Icelandic": "áðíéóúþæöý",
    "Polish": "łóąężśćńź",
    "Czech": "íáéěřčžšýůúňťďó",
    "Slovak": "áíéčšžýúľťňôďäóŕĺ",
    "Hungarian": "áéöőíóüúű",
    "Romanian": "ăîşâţ",
    "Croatian": "čšžćđ",
    "Turkish": "ığşüçöİâ",
    "Estonian": "äõüöšž",
    "Lithuanian": "ėšžąųūįčę",
    "Latvian": "āēīšļņčžģķū",
}
_VOWELS = frozenset("aeiouyаеиоуыэюяёіїєαεηιουωάέήίόύώ")
# all letters, of languages that have no ASCII ones
_OTHERS = {
    "Russian": "оаеинтсрвлкмдпуяыьгзбчйхжшюцщэфъё",
    "Ukrainian": "оаинівтерслкдумпязьбгйчхцюжїєщшфґ",
    "Bulgarian": "аоеитнрсвлкдпмузягъбчжшцщйфхью",
    "Greek": "αοιετσνηυρπκμλςωγίάόδέχήθφύβξώζψϊϋΐΰ",
    "Hebrew": "יוהלארתבשמנדקעחפכםטגזצסןךףץ",
    "Arabic": "اليمنوتربةدعهسقفكحجىشصطخذضزأثئإغظءآؤ",
    "Thai": "านรกอเงมยลวดท่สต้ะปบิคหีแัจ็ุพ์ชขใู์ื์ไโศผธณึษถซฐภฝญฎฉ",
}
# the most frequent characters, in texts and in names, of languages that have thousands
_MANY = {
    "Japanese": (
        "のいるにしたとはでがなをてれりんかもさまこくらあすきうつおけよみそやどわちめせほねえへ"
        "ごばじだげぎぶべぼびずぜぞぐざっゃゅょンスルーイトクリアラシドタレプカフマロテコメサニナキ"
        "オッムデジパエチハウバブボダグミガセビノベヤソモズザピポネヌケツワホヒユョャュァィェォ"
        "日本人大年会国一二三四五六七八九十上下中小長東西南北京都府県市区町村名前商品単価"
        "山川田島木林森石原野谷坂橋口井内高松福岡阪神戸横浜古屋広仙台札幌新潟千葉埼玉"
        "太郎子花美一男女次佐藤鈴渡辺伊加吉水清和月火金土時分円"
    ),
    "Chinese": (
        "的一是不了人在有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过"
        "家学对可里后小么心多天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本"
        "见经头面公同三已老从动两长知民样现分将外但身些与高意进把法此实回二理美点月明其种声全工"
        "姓名城市区县省州北京海广东南西江山河湖深圳杭成都武汉重庆天津苏安青岛林红王李张刘陈杨赵黄"
        "周吴徐孙胡朱林何郭马罗梁宋郑谢韩唐冯价格数量产品性别男女龄号类型期"
    ),
    "Taiwanese": (
        "的一是不了人在有我他這中大來上國個到說們為子和你地出道也時年得就那要下以生會自著去之過"
        "家學對可裡後小麼心多天而能好都然沒日於起還發成事只作當想看文無開手十用主行方又如前所本"
        "見經頭面公同三已老從動兩長知民樣現分將外但身些與高意進把法此實回二理美點月明其種聲全工"
        "姓名城市區縣省州北京海廣東南西江山湖臺台灣高雄新竹桃園花蓮基隆義屏林紅王李張劉陳楊趙黃"
        "周吳徐孫胡朱何郭馬羅梁宋鄭謝韓唐馮價格數量產品性別男女齡號類型期香港玲"
    ),
    "Korean": (
        "이다는의에가을고로하은한지기사도리서자나인시아어그대해라부수정것들스있상전제일보여과구장"
        "성주으조만마무동원국치관신우계적생유방연공소세문선거경안비내개트실원름미중김박최강윤임울산"
        "천광포남북영희철민준현진호석은혜도목품격량명번입력년월회읍면군시"
    ),
}
_STANDARDS = {"Japanese": "euc_jp", "Chinese": "gb2312", "Taiwanese": "big5", "Korean": "euc_kr"}
_LEVELS = {  # the lead bytes of the usual characters, and how many these are
    "Japanese": (0xB0, 0xCF, 2965),
    "Chinese": (0xB0, 0xD7, 3755),
    "Taiwanese": (0xA4, 0xC6, 5401),
    "Korean": (0xB0, 0xC8, 2350),
}
_LETTERS = 26  # about as many as any of them may be
_RARE = 1e-4  # a letter of another language
_ACCENTED = 0.1  # share of letters that are not ASCII, where others are
_USUAL = 0.6  # share of the characters that are among the most frequent
_KANA = 1e-3
_UNUSUAL = 1e-6  # a character of its standard's second level
_MARKS = 2e-3  # what texts and tables hold beside letters
_MONEY = 2e-2  # these above all
_NEVER = 1e-7
_GOOD = frozenset("£§°²³½¼¾±×µ«»“”„‘’–—…•·º™®©¿¡、。，：；（）「」・　№")
_BETWEEN = frozenset("’‘·ー・")  # letters may stand around them
_SYLLABLES = ("CJK", "HANGUL", "HIRAGANA", "KATAKANA")  # scripts in which a letter is a word
_ODD = 6.0  # nats: a letter or a mark where none stands


def likelihood(words: Sequence[str]) -> float:
    """The logarithm of how likely `words` are, in the language that makes them likeliest."""
    odd = sum(map(_oddness, words))
    letters = "".join(words)
    return max(
        sum(_of_character(each, language) for each in letters)
        for language in (*_LATIN, *_OTHERS, *_MANY)
    ) - odd  # fmt: skip


@functools.cache
def _probabilities(language: str) -> Mapping[str, float]:
    """Of each letter of the language, by its rank."""
    if language in _MANY:
        usual = dict.fromkeys(_MANY[language])
        return dict.fromkeys(usual, _USUAL / len(usual))
    share, letters = _ACCENTED, _LATIN.get(language, "")
    if not letters:
        share, letters = 1.0, _OTHERS[language]
    weights = {letter: 1 / (rank + 3) for rank, letter in enumerate(letters)}
    total = sum(weights.values())
    return {letter: share * weight / total for letter, weight in weights.items()}


@functools.lru_cache(2**16)
def _of_character(character: str, language: str) -> float:
    if character.isascii():
        return math.log(1 / _LETTERS if character.isalpha() else _MARKS)
    known = _probabilities(language)
    found = known.get(character) or known.get(character.lower())  # İ is not one letter lowered
    if found:
        return math.log(found)
    if character == "€":
        return math.log(_MONEY)
    if character in _GOOD:
        return math.log(_MARKS)
    if language in _MANY:
        return math.log(_ideograph(character, language))
    is_foreign = character.isalpha() and language in _LATIN and _script(character) == "LATIN"
    return math.log(_RARE if is_foreign else _NEVER)


def _ideograph(character: str, language: str) -> float:
    """Of one that is not among the most frequent: by where the language's standard has it."""
    first, last, count = _LEVELS[language]
    try:
        lead = character.encode(_STANDARDS[language])[0]
    except UnicodeEncodeError:
        return _NEVER
    script = _script(character)
    if language == "Japanese" and script in ("HIRAGANA", "KATAKANA"):
        return _KANA
    if (script == "HANGUL") != (language == "Korean"):
        return _NEVER
    return (1 - _USUAL) / count if first <= lead <= last else _UNUSUAL


@functools.lru_cache(2**16)
def _script(character: str) -> str:
    return unicodedata.name(character, " ").partition(" ")[0].partition("-")[0]


def _oddness(word: str) -> float:
    """What speaks against `word`: capitals within, two scripts, marks at letters, one letter."""
    odd = 0.0
    for before, after in itertools.pairwise(word):
        if before.isascii() and after.isascii():
            continue
        if before.isalpha() and after.isalpha():
            odd += _ODD * (before.islower() and after.isupper())
            odd += _ODD * _are_foreign(before, after)
        elif (before.isalpha() or after.isalpha()) and not _may_touch(before, after):
            odd += _ODD
    plain = [letter for letter in unicodedata.normalize("NFD", word.lower()) if letter.isalpha()]
    scripts = {_script(letter) for letter in plain} & {"LATIN", "CYRILLIC", "GREEK"}
    if scripts and len(plain) > 3 and not _VOWELS & {*plain}:
        odd += _ODD
    if len(word) == 1 and word.isalpha() and _script(word) not in _SYLLABLES:
        odd += _ODD / 2
    capitals = [letter.isupper() for letter in word if letter.isalpha()]
    if capitals[:2] == [True, True] and not all(capitals):
        odd += _ODD / 2
    return odd


def _are_foreign(before: str, after: str) -> bool:
    """Whether two letters are of scripts that no word mixes, as kanji and kana are mixed."""
    if _is_european(before) != _is_european(after):
        return True
    return _is_european(before) and _script(before) != _script(after)


def _is_european(letter: str) -> bool:
    return letter.lower() != letter.upper() or _script(letter) == "LATIN"


def _may_touch(before: str, after: str) -> bool:
    """Whether a mark may stand at a letter: an apostrophe, a quote, km², °C, µg."""
    mark, letter = (after, before) if before.isalpha() else (before, after)
    if mark in _BETWEEN:
        return True
    if unicodedata.category(mark) in ("Mn", "Mc"):
        return not _is_european(letter)
    if before.isalpha():
        return mark in "”“’»…、。，：；）」€–—" or (mark in "²³™®" and letter in "mMtT")
    return mark in "“„‘«¿¡、。，：；（「–—€£№" or (mark in "°µ" and letter in "CFglms")
