"""Whether a text in Latin letters is English, by its small words and those of the languages around it.

Owns those words, and the judgement. It is in English's favour: a text has to say clearly, with the small words of
another language, that it is none.

Source of the word lists: of the 320 most frequent words of each language in the data of the package ``wordfreq`` those
that are 40 times rarer in English, without what is an English word too, and some greetings. Measured on the interface
texts of Django: none of 650 English lines and none of 3,187 lines of Python's manual is taken for another language's;
of lines in German, French, Spanish, Italian and Portuguese with seven words or more 89 to 97 % are, with four to six,
mostly labels without a verb, 30 to 73 %. Where there is hardly a small word of English, the lexicon is asked as well
(``tongues``): of 87,000 docstrings of Python's library, their paragraphs, lines, clauses and lines in capitals, and
lines of its code, none is either.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

#: How much of a text is looked at to tell its language; more of it would not change the answer.
_SAMPLE: Final = 1000
#: What a small word of another language counts for; one that several of them share, or one with an accent, counts 1.
_STRONG: Final = 2
#: How much is needed to believe it, and how much more than there are English words.
_ENOUGH, _MAJORITY = 3, 4
#: There is that much of it in so many words: a name or a quotation in a list of English nouns is no proof.
_DENSITY: Final = 4
#: Of fewer words it is not asked whether the lexicon has them, nor where one in so many is a small word of English.
_FEWEST, _MOST_ENGLISH = 4, 6

#: In prose so many of so many words are nothing but letters, and what may join them.
_PROSE: Final = (4, 5)
_JOINTS: Final = str.maketrans("", "", "'-")

_WORDS: Final = {
    "English": "the and of to is that it for was with are this be have from or by not but what all were we when your"
    " can said there an each which their will other about out many then them these so some her would him"
    " has more could been who its now my than only after also how our i you he she they if do did does"
    " don't it's i'm at his as had just like where why please hello good no yes one up time get new people"
    " first into know see two make think any back because go well way most much very should may here need"
    " really right work year years being day too going before off made still take got never those life say"
    " world down great through you're that's while such love home look something use can't same used both"
    " every three around between always better find high little old since another own things under during"
    " game i've thing give house again next without against didn't found must big feel sure ever family"
    " keep might put money free someone away left number days lot night play until company doing few he's"
    " called different having set thought done however getting government group looking women business"
    " care already anything nothing today enough",
    "German": "guten morgen geht ist bitte danke zu von dem des hast mal uns mich mir dich euch alles bis"
    " habe zum haben der und das ich nicht mit auf für sie eine sich auch dass bei wie aber aus sind nach"
    " noch wir nur wenn oder wird werden einer kann über einem schon ja mehr vor zur durch doch ihr immer"
    " jetzt diese wurde wieder keine sehr können muss unter vom gibt hatte ihre dieser gegen seine"
    " viel zeit ganz machen denn meine damit dir einfach ohne weil beim etwas waren zwei mein eines"
    " kein seit soll selbst menschen hab heute kommt nichts würde wer macht anderen jahr ihn jahren"
    " seiner viele zwischen jahre wäre diesem dieses wurden dabei dort müssen gerade sondern erst ersten"
    " ihrer lassen sollte andere warum weiss weiter wirklich vielen dank machst kannst willst einmal wann"
    " hund gestern abend schön kalt",
    "French": "je ne pas tu du au bonjour merci avec sans très vous nous moi toi tout tous trop bien mes ses moins"
    " les est que une dans qui ce qu mais elle ou sont fait comme être ils cette faire aux même"
    " ont était été mon aussi peut deux leur ces quand après suis avoir où va encore alors avait entre"
    " temps ans autres là peu autre rien fois faut toujours contre votre avant depuis notre sous"
    " jamais déjà quoi soit leurs toute chez juste oui vraiment ainsi beaucoup quelques parce personne"
    " cela trois homme ici toutes vu cas doit partie première mieux pendant puis année cet ceux elles"
    " plusieurs pourquoi ta jours mois mort sais années fais nouveau nouvelle travail aujourd'hui compte"
    " prendre veut état aller peux reste veux vos celui chaque personnes nom également seul vais eux lors"
    " allez plaît vas ça demain hier bonsoir fermez ouvrez porte",
    "Spanish": "hola gracias buenos es por una del cómo qué más como para su mi muy todo nada bueno vamos"
    " gente que pero este sus esta cuando ser hay está fue sobre también todos eso tiene porque así"
    " años entre puede desde hasta hacer ahora esto vez hace donde parte algo tiempo día mejor mucho"
    " ver ese mismo siempre tengo cada después están esa estado estoy va año les otro otros otra cosas"
    " gran menos nunca personas tanto antes poco había tener trabajo durante ellos lugar creo hecho quiero"
    " sólo aunque contra cuenta decir gobierno país todas estos forma nuevo sido él aquí ella estas sí"
    " estaba estar hoy tienen alguien quien toda tres voy caso días momento ciudad mis nuestro luego"
    " parece nuestra poder pueden pues verdad historia mientras nadie nueva otras primera veces muchos el"
    " sé haces tenemos dónde mañana ayer ayudarme gusta buenas noches tardes",
    "Italian": "va ciao grazie buongiorno il di non della una sono mi ti lo suo sua più cosa che dei nel"
    " alla anche gli delle questo dal essere nella cui stato quando tutti questa tutto hanno tra fatto"
    " prima loro parte perché anni sia così dalla degli dopo sul poi quello sempre ancora"
    " molto senza ogni altri ora può quanto sulla nei già quella quindi secondo hai proprio"
    " altro bene lavoro modo dai noi nelle vi persone qui sta volta giorno mondo questi stata siamo"
    " stesso primo contro caso mentre tutte abbiamo quel oggi tanto città nuovo detto po qualche quale"
    " suoi viene aveva anno dalle sarà stati storia tre tuo avere fino altre dello erano meglio queste"
    " visto ciò meno però sarebbe sotto momento aver vedere deve forse giorni invece nostro agli qualcosa"
    " sembra è stai domani ieri sera fai puoi buono vorrei dove trova favore",
    "Portuguese": "obrigado obrigada olá um uma os dos do da com nos foi não você para por se na que mais ao ser seu"
    " tem são das ou ele muito isso já também quando está meu pelo ela vai só dia pela sobre bem até mesmo"
    " pode pessoas ter tudo ainda aqui fazer minha anos todos quem sem agora entre seus nas assim depois"
    " este onde vou estão esse essa eles há porque tenho ver melhor bom foram sempre ano esta vez"
    " aos apenas coisa sou suas dois nunca quero mim parte outros hoje tão então nem nossa faz cidade qual"
    " às deus quer estou trabalho nós durante estado forma novo pra seja dias maior outro primeiro será"
    " cada lá qualquer sim acho menos alguém antes coisas nome sendo desde diz falar sabe tinha contra dar"
    " boa estava três alguns ficar mãe pouco segundo é eu te amo amanhã ontem",
    "Dutch": "het een niet ik je dat voor zijn geen mijn wel ook maar goed heeft hebben aan hij naar uit nog deze"
    " wordt heb worden kunnen veel jaar moet mensen ons waar werd gaan gaat onze wil zich zou doen"
    " andere dus tegen maken alleen mij onder hun twee nieuwe weer zien zal jij moeten eerste komt echt"
    " eens daar toch staat tijd zij zoals iets komen leven omdat toen ga waren jullie tijdens altijd"
    " tussen ja weet wie laten waarom gewoon grote terug laat zonder uur steeds zie eigen keer"
    " maakt willen iedereen hele iemand binnen uw werden werk nooit zit één drie zelf aantal geven hebt"
    " kinderen samen vinden kunt plaats snel elkaar huis laatste nodig vanaf vind vrouw weten doet krijgen"
    " allemaal beter staan zeggen zegt denk gemaakt naam zeker zullen misschien stad verschillende volgens"
    " anders goede houden volgende blijven graag kwam verder",
}
#: Articles and prepositions that half of these languages share, and that English has in names and loans.
_SHARED: Final = frozenset(
    "la le de un en da e y o à ¿ ¡ c' d' j' l' m' n' s' t' qu' un' dov' dell' nell' all' dall' sull'".split()  # noqa: SIM905
)
_ENGLISH: Final = frozenset(_WORDS["English"].split())
#: Words that are as small in another language: no sign of English.
_AMBIGUOUS: Final = frozenset("a am an as come do en i in man me no on so war was".split())  # noqa: SIM905
_OTHERS: Final = {
    language: frozenset(words.split()) - _ENGLISH for language, words in _WORDS.items() if language != "English"
}
#: What English says in another language.
_LOANS: Final = (
    "c'est la vie", "que sera sera", "je ne sais quoi", "hasta la vista", "mi casa es su casa", "la dolce vita",
    "vis à vis", "bon appétit", "mamma mia", "comme ci comme ça", "cherchez la femme", "au fait",
    "ich bin ein berliner", "déjà vu", "au lait", "à la", "merci beaucoup", "danke schön", "muchas gracias",
    "por favor", "auf wiedersehen", "c'mon", "l'il", "coup d'état", "coup d'etat", "coups d'état", "raison d'être",
    "raison d'etre", "pas de deux", "nom de plume", "nom de guerre", "entre nous", "ménage à trois", "menage a trois",
    "de trop", "notre dame de paris", "café del mar", "día de los muertos", "dia de los muertos", "qué será será",
    "qué será, será", "que sera, sera", "s'il vous plaît", "s'il vous plait", "répondez", "do re mi fa sol la ti do",
    "do re mi", "la la la", "von der leyen", "de facto", "de jure", "de rigueur", "de nouveau", "au revoir", "au pair",
    "au naturel", "à la carte", "a la carte", "cul de sac", "fin de siècle", "fait accompli", "joie de vivre",
    "tour de force", "esprit de corps", "pièce de résistance", "coup de grâce", "nolo contendere", "persona non grata",
    "per se", "habeas corpus", "quid pro quo", "ad hoc", "in vino veritas", "hors d'oeuvres", "trompe l'oeil",
    "aide de camp", "crème de la crème", "eau de toilette", "faux pas", "ooh la la", "très chic", "sí, señor",
    "pain au chocolat", "vive la france", "sacré bleu",
)  # fmt: skip
#: What is put before a vowel in French and Italian.
_ELIDED: Final = r"(?i)\b((?:qu|un|dov|quest|[dns]?ell|[ds]?all|[cdjlmnst])')(?=[a-zà-ÿ]{2}|è)"


def foreign(text: str) -> str:
    """The language that a text in Latin letters is clearly written in, or nothing if that may be English."""
    sample = text[:_SAMPLE]
    if sample.isupper():
        return _unknown(_words(sample.lower()))
    words = _words(sample)
    english = _english(words)
    weak = [word for word in words if word in _SHARED or not (word.isascii() or word[0].isupper())]
    found = {language: [word for word in words if word in small] for language, small in _OTHERS.items()}
    likely = max(found, key=lambda language: len(found[language]))
    strong = found[likely]
    weight = _STRONG * len(strong) + sum(word not in _OTHERS[likely] for word in weak)
    enough = strong and len({*strong, *weak}) > 1 and weight >= _ENOUGH
    clear = enough and weight > _MAJORITY * english and weight * _DENSITY >= len(words)
    return likely if clear else _unknown(words)


def in_doubt(text: str) -> bool:
    """Whether a text in Latin letters has several small words, and hardly one that speaks for English.

    Most of what it is true for is English nevertheless: lists, headlines, code.
    """
    sample = text[:_SAMPLE]
    words = _words(sample)
    plain = [word for word in words if word.translate(_JOINTS).isalpha()]
    small = [word for word in plain if word[0].islower()]
    sparse = _MOST_ENGLISH * _english(small) <= len(small)
    return sparse and len(small) >= _FEWEST and len(plain) * _PROSE[1] >= len(words) * _PROSE[0]


def _english(words: Sequence[str]) -> int:
    """How many small words of English there are."""
    return sum(word in _ENGLISH and word not in _AMBIGUOUS for word in words)


def _unknown(words: Sequence[str]) -> str:
    """The language of words that are not in the lexicon, if there are so many of them that it cannot be English."""
    words = [word for word in words if word[0].islower()]
    if len(words) < _FEWEST or _MOST_ENGLISH * _english(words) > len(words):
        return ""
    from lineread.english import tongues  # noqa: PLC0415 - it reads the lexicon

    return tongues.tongue(words, {**_OTHERS, "foreign": _SHARED})


def _words(text: str) -> list[str]:
    """The words of a text. Further in, a capital makes a name (Los Angeles, Las Vegas), and is kept."""
    plain = text.replace("’", "'").replace("¿", " ¿ ").replace("¡", " ¡ ")
    lower = plain.lower()
    for loan in _LOANS:
        if loan in lower:
            plain = re.sub(f"(?i){re.escape(loan)}", " ", plain)
    if "'" in plain:
        plain = re.sub(_ELIDED, r"\1 ", plain)
    words = [word.strip('.,;:!?"()[]«»“”„…—–-').lstrip("'") for word in plain.split()]
    words[:1] = [word.lower() for word in words[:1]]
    return [word if word[0].islower() else word.lower() if word.lower() in _ENGLISH else word for word in words if word]
