"""Names of months, whole and short, in the languages that tables are often written in.

Neither pandas nor the standard library has them: they ask the locales of the machine, of which
there may be none.
"""

_LANGUAGES = (  # a month a word, its names parted by `/`; without accents
    (  # English
        "jan/january feb/february mar/march apr/april may jun/june jul/july aug/august "
        "sep/sept/september oct/october nov/november dec/december"
    ),
    (  # German
        "jan/januar/janner feb/februar/feber mar/mrz/marz apr/april mai jun/juni jul/juli "
        "aug/august sep/sept/september okt/oktober nov/november dez/dezember"
    ),
    (  # French
        "janv/janvier fevr/fev/fevrier mars avr/avril mai juin juil/juillet aout sept/septembre "
        "oct/octobre nov/novembre dec/decembre"
    ),
    (  # Spanish
        "ene/enero feb/febrero mar/marzo abr/abril may/mayo jun/junio jul/julio ago/agosto "
        "sep/sept/septiembre/set/setiembre oct/octubre nov/noviembre dic/diciembre"
    ),
    (  # Italian
        "gen/gennaio feb/febbraio mar/marzo apr/aprile mag/maggio giu/giugno lug/luglio ago/agosto "
        "set/sett/settembre ott/ottobre nov/novembre dic/dicembre"
    ),
    (  # Dutch
        "jan/januari feb/februari mrt/maart apr/april mei jun/juni jul/juli aug/augustus "
        "sep/sept/september okt/oktober nov/november dec/december"
    ),
    (  # Portuguese
        "jan/janeiro fev/fevereiro mar/marco abr/abril mai/maio jun/junho jul/julho ago/agosto "
        "set/setembro out/outubro nov/novembro dez/dezembro"
    ),
    (  # Swedish
        "jan/januari feb/februari mar/mars apr/april maj jun/juni jul/juli aug/augusti "
        "sep/sept/september okt/oktober nov/november dec/december"
    ),
    (  # Danish and Norwegian
        "jan/januar feb/februar mar/marts/mars apr/april maj/mai jun/juni jul/juli aug/august "
        "sep/sept/september okt/oktober nov/november dec/des/december/desember"
    ),
)

MONTHS = {
    name: number
    for language in _LANGUAGES
    for number, names in enumerate(language.split(), start=1)
    for name in names.split("/")
}
"""The number of each, in lower case and without accents."""
