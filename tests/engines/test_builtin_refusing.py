"""Which texts the built-in voice takes for English when nobody says: measured on a sample of everyday lines."""

from __future__ import annotations

import argparse
import asyncio
import inspect
import logging
import subprocess
from typing import Final

import pytest

from lineread.engines.builtin import refusing
from lineread.english import tongues
from lineread.errors import TextError
from lineread.text.arriving import Arriving

#: Names, brands, slang, loans, titles, quotations, lists and single words: all of it is English to an English reader.
ENGLISH = """
Hello!|Stop!|Okay, okay, okay.|Schadenfreude|Zeitgeist|Weltschmerz, angst and wanderlust.|Gesundheit!|Déjà vu.|Voilà!
Bon appétit, everyone!|C'est la vie.|Que sera, sera.|Hasta la vista, baby.
Carpe diem.|Mamma mia!
Je ne sais quoi
Mi casa es su casa.|Ich bin ein Berliner, said Kennedy.
Adiós, amigo!|Merci beaucoup, Pierre.|Danke schön, darling.
Los Angeles, Las Vegas, San Francisco, Santa Fe.|Rio de Janeiro|Buenos Aires|Tierra del Fuego|Côte d'Azur
Baden-Baden
Leonardo da Vinci|Vincent van Gogh|Ludwig van Beethoven|Charles de Gaulle|Oscar de la Renta|Simón de Beauvoir
El Niño
Das Boot|La Dolce Vita|Les Misérables|Der Spiegel|Le Monde|El País
Die Hard|Das Kapital|Cirque du Soleil
La La Land
Volkswagen, Mercedes, Porsche.|Dolce & Gabbana|Hermès, Lancôme, L'Oréal|Häagen-Dazs, Nestlé|El Pollo Loco
Uber, Lyft
Café au lait and a croissant.|Crème brûlée, pâté, hors d'oeuvres.|Jalapeño poppers and piña coladas.
Spaghetti alla puttanesca
Sauerkraut, bratwurst, kindergarten.|Doppelgänger sighted!|Über cool, dude.|Gonna, wanna, gotta.|Lol, brb, omg.
Yo, sup?
Yeet the cat.|Nah fam.|Ain't nobody got time.|Y'all come back now.|Sick beats, bro.|No cap.|Brexit means Brexit.
Vamoose!
He is the enfant terrible of haute couture.|It was a coup de grâce for the ancien régime.|They met vis-à-vis.
The German word for it is "die Zeit", and it is feminine.|She sang "La vie en rose" and "Non, je ne regrette rien".
"Guten Morgen," said the baker, and I nodded.|He whispered "te quiero mucho" and left.|Say "por favor" when you ask.
The motto "e pluribus unum" is on every coin.|Old MacDonald had a farm.|Once upon a midnight dreary.
To be, or not to be.|Bent hoe.|Hat, bin, nun.|Pour the soy.|Dice and fare.
Chapter 3: The Man in the Moon|Page 12 of 30|Total: 45.20|Error 404: file not found|Press any key|Version 2.0 beta
Error: connection refused|Breaking news|Red, green, blue.|One, two, three, four.|Monday, Tuesday, Friday
Fish, chips, peas
Tea or coffee?|Red sky at night, sailor's delight.|Peter Piper picked a peck of pickled peppers.|She sells seashells.
Die, monster!|Pie a la mode|Man gegen man? Never heard of it.|Sue me.|Tu quoque is a fallacy.|I come. You go.|Me too.
Was he here?|Hat man in war.|Men pass on.|Rot and rust.|Des Moines, Iowa|Du Pont|Pete Sampras lost.|A fin came up.
Jörg Müller plays Händel in Düsseldorf.|François and Renée live near Orléans.|José Muñoz beat João Guimarães.
Señor Peña owns a hacienda near Málaga.|Zoë coöperates, naïvely.|Beyoncé, Shakira, Rosalía.|Pokémon!|Mötley Crüe rocks.
C'mon, man|L'il Kim|It was a coup d'état.|Her raison d'être is dance.|pas de deux|A nom de plume, entre nous.|de trop
ménage à trois|Notre Dame de Paris|café del mar|Día de los Muertos|qué será será|RSVP: s'il vous plaît
do re mi fa sol la ti do
la la la|La la la la la!|Ursula von der Leyen|in Paris,|de facto|and then de jure,|pain au chocolat
LOS ANGELES LAKERS BEAT LAS VEGAS
Pain au chocolat, café au lait, crème brûlée
sushi, sashimi, udon, ramen|fettuccine alfredo con pollo|Ooh la la, très chic
Gdańsk, Łódź, Kraków and Poznań|lorem ipsum dolor sit amet|sudo apt-get install python3 pip|['a', 'b', 'c', 'd', 'e']
Et tu, Brute?|Na na na na, hey hey, goodbye|THE END OF THE LINE IS NEAR|kubectl get pods -n kube-system
"""
FOREIGN = {
    "German": "Guten Morgen, wie geht es dir?|Ich weiß es nicht.|Wo ist der Bahnhof?|Das ist nicht gut.|Ich liebe dich."
    "|Kommst du heute mit?|Wir haben keine Zeit.|Der Hund schläft auf dem Sofa.|Was machst du da?|Mir ist kalt."
    "|Es war einmal ein König.|Wann fährt der Zug?|Sie hat ihn nie gesehen.|Kannst du mir bitte helfen?"
    "|Heute regnet es in ganz Deutschland.|Vielen Dank für Ihre Hilfe.",
    "French": "Je ne sais pas.|Comment allez-vous ?|Où est la gare ?|C'est très bon.|Je t'aime, mon amour."
    "|Nous n'avons pas le temps.|Il fait froid ici.|Le chien dort sur le canapé.|Qu'est-ce que tu fais ?"
    "|Il était une fois un roi.|Elle est partie hier soir.|Peux-tu m'aider, s'il te plaît ?|Merci pour votre aide."
    "|Les enfants jouent dans le jardin.|On verra bien demain.|Bonjour, comment ça va ?",
    "Spanish": "No lo sé.|¿Cómo estás?|¿Dónde está la estación?|Está muy bueno.|Te quiero mucho."
    "|No tenemos tiempo.|Hace frío aquí.|El perro duerme en el sofá.|¿Qué haces?|Érase una vez un rey."
    "|Ella se fue ayer por la noche.|¿Puedes ayudarme, por favor?|Gracias por su ayuda."
    "|Los niños juegan en el jardín.|Mañana será otro día.|Buenos días, ¿qué tal?",
    "Italian": "Non lo so.|Come stai oggi?|Dov'è la stazione?|È molto buono.|Ti amo tanto.|Non abbiamo tempo."
    "|Qui fa freddo.|Il cane dorme sul divano.|Che cosa fai?|C'era una volta un re.|È partita ieri sera."
    "|Mi puoi aiutare, per favore?|Grazie per il vostro aiuto.|I bambini giocano nel giardino."
    "|Domani è un altro giorno.|Buongiorno, come va?",
    "Portuguese": "Eu não sei.|Como você está?|Onde fica a estação?|Está muito bom.|Eu te amo muito.|Não temos tempo."
    "|Está frio aqui.|O cachorro dorme no sofá.|O que você está fazendo?|Era uma vez um rei."
    "|Ela foi embora ontem à noite.|Você pode me ajudar, por favor?|Obrigado pela sua ajuda."
    "|As crianças brincam no jardim.|Amanhã é outro dia.|Bom dia, tudo bem?",
}

#: Lines in capitals, short lines, and languages of which only a few small words are known.
MORE_FOREIGN: Final = (
    "DAS IST EIN TEST FÜR DIE STIMME UND NICHT MEHR|LA MAISON EST GRANDE ET BELLE|HALLO, WIE GEHT ES DIR HEUTE"
    "|Fermez la porte|Me gusta el helado.|Dove si trova la stazione?|Vorrei un caffè, per favore|Buenas noches a todos"
    "|Hej, hur mår du idag?|Jag vill köpa en kopp kaffe.|Bugün hava çok güzel.|Benim adım Mehmet ve öğretmenim."
    "|Xin chào, bạn có khỏe không?|Tôi rất thích ăn phở bò.|Dzień dobry, jak się masz?|Nie wiem, gdzie jest dworzec."
    "|Hyvää huomenta, mitä kuuluu?|Tänään on kaunis päivä.|Nem tudom, hol van az állomás.|Watashi wa gakusei desu."
    "|Ohayou gozaimasu, ogenki desu ka?|Ik weet het niet precies."
)


def refused(text: str, language_type: str = "Auto") -> bool:
    try:
        refusing.check(text, language_type)
    except TextError as error:
        return error.code == "language_unsupported"
    return False


@pytest.mark.parametrize("text", ENGLISH.strip().replace("\n", "|").split("|"))
def test_english_is_spoken(text: str) -> None:
    """None of these lines is refused, whatever foreign words and names it holds."""
    assert not refused(text)


@pytest.mark.parametrize("language", FOREIGN)
def test_short_foreign_lines_are_refused(language: str) -> None:
    """Of sixteen everyday lines at least thirteen are refused as not English, and none when it is called English."""
    lines = FOREIGN[language].split("|")
    taken = [line for line in lines if not refused(line)]
    assert len(taken) <= 3, taken
    assert not any(refused(line, "English") for line in lines)


@pytest.mark.parametrize("text", MORE_FOREIGN.split("|"))
def test_the_lexicon_tells_what_small_words_do_not(text: str) -> None:
    """Lines in capitals and lines of many languages are refused, unless they are called English."""
    assert refused(text)
    assert not refused(text, "English")


def test_the_lexicon_is_asked_only_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """English with small words, or without any of another language, costs no look at the lexicon."""
    monkeypatch.setattr(tongues, "_lexicon", lambda: pytest.fail("the lexicon was read"))
    refusing.check("The old lighthouse keeper climbed the winding stairs.", "Auto")
    refusing.check("Markets rally, banks lend, stocks soar, bonds slump.", "Auto")
    refusing.check("NASA LAUNCHES NEW MOON ROCKET", "Auto")


def test_no_clause_of_an_english_text_is_refused() -> None:
    """What a live session cuts off and speaks by itself is English in each of its pieces."""
    modules = (argparse, asyncio, inspect, logging, subprocess)
    pieces: list[str] = []
    for module in modules:
        for thing in [module, *vars(module).values()]:
            arriving = Arriving(300)
            pieces += [piece.text for piece in arriving.feed(inspect.getdoc(thing) or "") + arriving.flush()]
    assert len(pieces) > 1000
    assert [piece for piece in pieces if refused(piece)] == []
