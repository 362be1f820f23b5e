"""Words that tell where a text may be cut: abbreviations, units, words that begin sentences.

Owns the tables of words. No code but what makes a set of a table.
"""

from __future__ import annotations


def _words(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


#: Something always follows these: a name, a number, an explanation.
TITLES = _words(
    # English
    "Mr Mrs Ms Mx Dr Prof Rev Hon Gen Col Maj Capt Cmdr Lt Sgt Cpl Pvt Adm Gov Sen Rep Pres Supt Messrs Mt Ft",
    "approx viz vs cf e.g i.e",
    # German
    "Hr Fr Frl Dipl Ing Hrsg bzw ca vgl evtl ggf inkl exkl sog geb gest verh bspw zzgl allg ehem",
    "z.B d.h u.U s.o s.u z.T i.d.R o.g",
    # French
    "M MM Mme Mmes Mlle Mlles Mgr Pr Ste Sts av apr env boul bd c.-à-d p.ex",
    # Italian
    "sig sigg sig.ra sig.na dott dott.ssa dr prof prof.ssa avv ing geom mons cfr p.es",
    "Sig Sigg Sig.ra Sig.na Dott Dott.ssa Prof.ssa Avv",
    # Spanish and Portuguese
    "Sra Srta Sres Dra Dña Lic Arq Profa Gral Cnel Pte Excmo Ilmo Mons Hno Hna Avda Pza Exmo Exma Eng Pe",
    "sr sra srta dra aprox séc EE p.ej ej",
    # Russian
    "ул просп пл кв корп ср напр проф акад доц ред тов св г-н г-жа т.е т.к т.н",
)
#: Abbreviations before a number, words or sentence ends elsewhere.
BEFORE_NUMBER = _words(
    "no nos nr fig figs eq ch chap sec vol vols pp pg ver art bd abs kap abb tab anm aufl pos pag pagg cap págs pág",
    "núm n nn p s v c t nº n° tel tél тел стр рис табл гл ст пп вып с п ч т д jan feb mar apr jun jul aug sep sept oct",
    "nov dec février janv avr juil déc",
)
#: These may end a sentence: what follows decides.
MAY_END = _words(
    "St Ave Blvd Rd Jr Sr Inc Ltd Co Corp Bros Ph.D Esq al dept est",
    "Str str Mio Mrd Tsd Std Min Sek Chr min max sec hrs lb lbs oz ft",
    "Ud Uds Vd Vds UU Av Exa Ltda Cia ed trad",
    "им см пр изд тыс млн млрд руб коп обл гг вв",
)
#: Words that often begin a sentence, and hardly ever a name.
STARTERS = _words(
    "The This That These Those He She It We They You I A An In On At But And So If When While There Here What Who",
    "Why How Where His Her Its Our Their My Your Then Now After Before However As For From With By To Not No Yes",
    "Der Die Das Ein Eine Er Sie Es Wir Ich Ihr Du Und Aber Doch Dann Da Denn Wenn Als Im Am Auf Bei Mit Nach Nun",
    "Jetzt Was Wer Wie Wo Warum Dieser Diese Dieses Man Nicht Auch",
    "Le La Les Un Une Il Elle Ils Elles Nous Vous Je Tu Ce Cette Ces Mais Et Puis Alors Dans Pour Quand Si Que Qui",
    "Son Sa Lo Gli Una Ma Poi Quando Se Non Che Chi Questo Questa È Era",
    "El Los Las Pero Y Entonces Luego Cuando Ella Ellos Este Esta",
    "O Os Uma Mas E Ele Ela Eles Elas Não Isso Em Depois",
    "Он Она Оно Они Мы Вы Я Ты И А Но Это Потом Затем Когда Если Как Что Кто В На С По Там Тут Не Да Нет Вот Так",
)
#: Single letters that are words, so that a period after one ends the sentence.
LETTER_WORDS = frozenset("яèéàòóêô")
#: What German counts with ordinals.
AFTER_ORDINAL = _words(
    "Januar Jänner Februar März April Mai Juni Juli August September Oktober November Dezember",
    "Jahrhundert Jahrhunderts Jahrhunderte Jahrtausend Lebensjahr Geburtstag Tag Woche Monat Stunde Minute Mal",
    "Weltkrieg Armee Klasse Semester Stock Etage Bezirk Platz Runde Spieltag Liga Bundesliga Kapitel Auflage Band Akt",
)
#: Units that are not cut off from their number.
UNITS = _words(
    "% ‰ ° °C °F km m cm mm nm µm kg g mg t l ml cl h min s ms Hz kHz MHz GHz kB MB GB TB KB kW kWh kJ",
    "cal kcal km/h mph ft in lb lbs oz mi m² m³ km² € $ £ ¥ EUR USD GBP CHF RMB Uhr Euro Euros Dollar dollars euros",
    "percent Prozent million millions billion Mio Mrd Millionen Milliarden millones milioni milhões mille",
    "млн млрд тыс руб г кг км м см мм л ч мин сек am pm a.m p.m AM PM 年 月 日 년 월 일 개 명 원 시 분",
)
#: English words that begin with an apostrophe, which opens nothing.
ELISIONS = ("tis", "twas", "em ", "em,", "em.", "til ", "cause", "bout", "round ")
#: What goes on after an exclamation or a question in Japanese ("… と言った"), and adverbs that only look like it.
QUOTING = ("と", "って", "という", "など")
NOT_QUOTING = ("ところが", "とても", "とにかく", "とりあえず", "とっても", "とき", "ってこと")
#: Particles with which a Japanese sentence goes on after speech.
PARTICLES = frozenset("のはがをにもで")
#: What goes on after speech in Chinese: "… 他说", "… 的声音".
JOINING = frozenset("的地和与與而")
