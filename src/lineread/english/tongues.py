"""Whether words are another language's, by the lexicon.

Owns the second look at a text with hardly a small word of English in it: small words of more languages, and hibari's
lexicon, which most words of any English text are in. Loading it takes 40 ms, so it is asked only where at least two
words speak for another language.

Source of the word lists: of the 160 most frequent words of each language in the data of the package ``wordfreq`` those
that are 40 times rarer in English, and some greetings; those of Japanese in Latin letters are particles and endings.
"""

from __future__ import annotations

import functools
import zlib
from typing import TYPE_CHECKING, Final

from lineread.english import hibari, tables

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

#: How many words have to be another language's own.
_ENOUGH: Final = 2
#: They are at least one in so many.
_DENSITY: Final = 6
#: Endings of English words that the lexicon does not list.
_ENDINGS: Final = ("'s", "s", "es", "ed", "d", "ing", "ly", "er", "n't", "'re", "'ll", "'ve", "'d")
#: Accents of loans that the lexicon has without them, in words that are long enough: "façade", not "tôi".
_ACCENTS: Final = str.maketrans("àâäáçéèêëîïíôöóùûüúñ", "aaaaceeeeiiiooouuuun")
_SHORT: Final = 3
_WORDS: Final = {
    "Swedish": "är det att och jag på inte som för av om till den ett vi var ska när vad från här mig bara eller han"
    " då hur kommer alla vill sig vara där får bra finns ha skulle ut dig hade mycket upp gör få blir mer"
    " än år efter göra över detta också allt hon måste går även någon vet andra något ser vid ingen två"
    " många dem din hela sin tack hej",
    "Danish": "og er af det en til jeg har ikke med der de du som så et vi han fra skal ved vil også være hvor hvis"
    " efter hvad ud noget når blev bliver havde mere hun bare lidt mange deres jo må denne dette hans alt"
    " blive igen sammen ville hvordan tak hej",
    "Norwegian": "og det på som til av ikke med har jeg de du vi fra kan han seg dette noe skal noen ble vil bare også"
    " ut da nå hva etter meg være blir hadde alle når må deg mer opp andre gjør vært få inn denne gjøre"
    " hun mye der hvor se igjen selv hvis takk",
    "Turkish": "ve bir bu için de da çok ile ne daha gibi olarak kadar olan ben ama sonra ki iyi yok ya değil sen"
    " büyük yeni güzel sadece zaman ilk iki mi hiç ise oldu bile nasıl şey benim böyle tek gün tüm önce"
    " artık göre beni aynı bana tarafından doğru veya biz olduğunu diye kendi olur şu şimdi çünkü ancak"
    " bunu var merhaba teşekkür ederim bugün hava nerede",
    "Vietnamese": "là và có của được một các không cho người này với đã thể để như những đến khi làm sẽ từ ra về vào đó"
    " cũng thành lại tôi bị học phải ngày ông mà nhà thì trên việc sau còn chúng mình thế nhưng rất đi bạn"
    " theo anh hơn nước nhất nên vì nó cần nhiều đang biết xin chào cảm ơn toi khong",
    "Polish": "nie na się jest że jak ale tak od po dla czy przez tego są już mnie ze może bo oraz bardzo będzie"
    " być jego sobie ich mam jeśli też jeszcze był które jako jestem było jej kiedy który teraz coś ci"
    " więc gdy gdzie bez żeby jednak wiem nic wszystko można przy dzień dobry dziękuję proszę cześć",
    "Czech": "se na je že si jsem ale tak pro ve jako jak po už od jsou mi když mě jen nebo byl bude já má jsme"
    " které ty jeho který není bylo aby než ještě být také pak při kde mám která před protože něco mezi"
    " dobrý den děkuji prosím",
    "Finnish": "ja ei että se oli mutta ole kun niin myös hän jos ovat voi nyt sen kuin tai en joka olla sitä mitä"
    " vain kanssa tämä sitten kaikki olisi ollut vielä kyllä siitä ne hyvä sekä jälkeen miten mukaan"
    " paljon saa olen ihan mitään tulee hyvin tässä hänen vaan koska aina eivät minä sinä me te on hyvää"
    " päivää kiitos huomenta missä tänään",
    "Hungarian": "az és nem hogy egy de meg csak ha van volt ez vagy már még én kell jó ki azt akkor mint ezt minden"
    " mert magyar nagyon így olyan itt mi sem lesz lehet vagyok úgy nincs aki két után ne új amikor ami"
    " első több mindig nekem szerint kis mit milyen igen között ott miért napot köszönöm szépen hol hogyan"
    " ma",
    "Romanian": "de în și la să din pe cu nu mai un este că pentru au ce fost sunt fi si lui dar sau dacă după ne"
    " prin cum când ale despre iar mult acest trebuie foarte noi fie ei timp până pot toate așa bine acum"
    " nici bună ziua mulțumesc",
    "Indonesian": "yang dan di ini dari untuk dengan itu bisa aku ada tidak akan adalah dalam pada kita orang ke juga"
    " anda dia saya kamu lebih apa sudah mereka tapi karena atau menjadi jadi harus satu lagi seperti oleh"
    " banyak jika hanya kami saat selamat pagi terima kasih",
    "Japanese": "desu masu wa ga wo ni watashi anata boku kare kanojo kore sore koko doko nani itsu dare arigato"
    " arigatou gozaimasu konnichiwa konbanwa ohayo ohayou hai iie kara made mo ka ne yo desuka deshita"
    " imasu arimasu shimasu masen kudasai onegai shimashita mashita kyou kyo ashita kinou totemo ikimasu"
    " tabemasu nihongo nihon",
}
_TONGUES: Final = {language: frozenset(words.split()) for language, words in _WORDS.items()}


def tongue(words: Sequence[str], others: Mapping[str, Collection[str]]) -> str:
    """The language of some words, if most of them are no English and some are clearly another language's.

    Args:
        words: The words, in small letters, without names.
        others: Small words of more languages.

    Returns:
        Its name; ``foreign`` if that is not known; nothing if it may be English.
    """
    small = {**others, **_TONGUES}
    own = {word for word in words if word[1:].strip("'") and any(word in its for its in small.values())}
    marked = {word for word in words if not word.isascii()}
    if len(own | marked) < _ENOUGH:
        return ""
    own |= {word for word in marked if not _is_english(word)}
    count = sum(word in own for word in words)
    foreign = sum(word in own or not _is_english(word) for word in words)
    if len(own) < _ENOUGH or count * _DENSITY < len(words) or 2 * foreign <= len(words) or all(map(_is_english, own)):
        return ""
    found = {language: sum(word in its for word in words) for language, its in small.items()}
    likely = max(found, key=lambda language: found[language])
    return likely if found[likely] >= _ENOUGH else "foreign"


def _is_english(word: str) -> bool:
    word = word.replace("’", "'")
    bare = word.translate(_ACCENTS) if len(word) > _SHORT else word
    if not word.replace("'", "").isalpha():
        return True
    stems = [word, bare, *(bare[: -len(ending)] for ending in _ENDINGS if bare.endswith(ending))]
    return any(stem in table or stem.capitalize() in table for stem in stems if stem for table in _lexicon())


@functools.cache
def _lexicon() -> tuple[Collection[str], ...]:
    names = ("lexicon_us_gold.json.gz", "lexicon_us_silver.json.gz")
    return tuple(_table(name) for name in names)


def _table(name: str) -> Collection[str]:
    raw = zlib.decompress(hibari.asset(name), 16 + zlib.MAX_WBITS)
    return tables.parse(name, raw)  # type: ignore[return-value]  # a JSON object, as its own loader expects
