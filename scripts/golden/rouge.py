"""Writes test/golden/rouge.json: ROUGE-L, -1 and -2 of Google's rouge_score 0.1.2 and stems of NLTK's PorterStemmer.

    python scripts/golden/rouge.py test/golden/rouge.json      (pip install rouge_score==0.1.2 nltk)

`pairs`: [reference, candidate, F of ROUGE-L without stemmer, with stemmer, the same of ROUGE-1, of ROUGE-2]; `stems`: word to stem. Seeded: the same every time.
All texts are ours.
"""
import json
import random
import re
import sys

from nltk.stem.porter import PorterStemmer
from rouge_score import rouge_scorer

SENTENCES = """
The ferry left the harbour before sunrise, and nobody on the pier waved.
Water boils at a lower temperature on a mountain because the air presses less on it.
My neighbour's cats are sleeping on the roof of the old bakery again.
To sort a list, compare two neighbours and swap them until nothing changes.
She has studied the migration of storks for seventeen years.
Dogs bark; owls hoot; foxes, oddly enough, scream.
The committee's recommendations were rejected without any explanation.
Prices rose by 3.5% in 2019 and fell by 1.25% in 2020.
Never stir the rice while it is absorbing the broth.
An optimistic gardener plants walnut trees at eighty.
The editor said: "Cut the adjectives, keep the verbs."
Bridges expand in summer, which is why they have joints.
He apologised repeatedly, yet the misunderstanding continued.
Rivers carry salt to the sea; evaporation leaves it there.
Please translate the following paragraph into formal Portuguese.
Photosynthesis turns carbon dioxide and water into sugar and oxygen.
The children were happily hopping, skipping and singing in the yard.
Ceramic tiles crack when the floor beneath them moves.
Two parallel lines never meet, unless you draw them on a globe.
A good password is long, unpredictable and used only once.
The orchestra rehearsed the difficult passages slowly at first.
Bakers weigh their flour because cups are unreliable.
In 1903 the library burned down; it was rebuilt within 18 months.
Electrical engineers distinguish between conductors and insulators.
We are relying on volunteers to organise the relief operation.
The valley's villages lie hidden under fog most mornings.
Multiply the numerators, then multiply the denominators.
The generalization was hasty: only three samples had been examined.
Lying awake, she counted the trains passing the station.
His argument was circular, its conclusion hiding among its premises.
""".strip().split("\n")

ODDITIES = [
    ("", ""), ("", "words"), ("words", ""), ("   ", "\t\n"), ("...", "!?"), ("a", "a"), ("a", "b"), ("the", "THE"),
    ("1", "1.0"), ("1,000,000 people", "1000000 people"), ("3.14159", "3 14159"), ("x=y+1;", "x = y + 1"),
    ("snake_case_name", "snake case name"), ("don't won't can't", "dont wont cant"), ("e-mail", "email"),
    ("line one\nline two", "line one line two"), ("tabs\tand\u00a0spaces", "tabs and spaces"),
    ("caf\u00e9 na\u00efve r\u00e9sum\u00e9", "cafe naive resume"), ("caf\u00e9", "caf"), ("stra\u00dfe", "strasse"),
    ("\u0130stanbul", "istanbul"), ("\u0130stanbul", "i stanbul"), ("\u0130\u0130\u0130", "i i i"),
    ("300 \u212a above zero", "300 k above zero"), ("\u212aelvin", "kelvin"), ("\u212a\u212a\u212aing", "kkking"),
    ("\u00c5ngstr\u00f6m \u212b", "\u00e5ngstr\u00f6m a"), ("\uff21\uff22\uff23", "abc"), ("\u1e9e SS", "ss ss"),
    ("\u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3 one", "\u03bf\u03b4 one"), ("\ufb01ne words", "fine words"),
    ("x\u00b2 + y\u00b2", "x2 + y2"), ("\u0661\u0662\u0663 apples", "123 apples"), ("na\u0131ve", "naive"),
    ("zero\u200bwidth joiner", "zerowidth joiner"), ("zero\u200bwidth joiner", "zero width joiner"),
    ("\u4f60\u597d\u4e16\u754c", "\u4f60\u597d\u4e16\u754c"), ("GPT\u6a21\u578b is good", "GPT is good"),
    ("emoji \U0001f600 smile", "emoji smile"), ("\ud83d lone surrogate", "lone surrogate"), ("a\ufeffb", "a b"),
    ("a\u2028b\u0085c\x1cd", "a b c d"), ("soft\u00adhyphen", "soft hyphen"), ("O\u2019Brien", "O'Brien"),
    ("skies and the sky", "sky or skies"), ("innings, outings, cannings", "inning outing canning"),
    ("dying lying tying", "die lie tie"), ("news", "new"), ("dies died ties tied", "die died tie tied"),
    ("proceeds exceeded succeed", "proceed exceed succeeding"), ("ponies caresses cats", "pony caress cat"),
    ("fly flies flying flew", "flying fly flew flies"), ("a a a a b b b", "b b b a a a a"), ("a b c d", "d c b a"),
    ("relational conditional rational", "relate condition rate"), ("yyyy yyyyyying", "yyyyi yyyyyy"),
    ("one two three four five six seven eight nine ten", "one two three four five six seven no no no"),
]

NOUNS = "teacher student model river engine letter garden price village number answer theory machine winter market".split()
VERBS = "measures rejects carries follows repairs imagines explains counts forgets improves translates watches".split()
WORDS = """run runs running runner happy happily happiness nation national nationalize nationalization hope hopeful
hopefully hopefulness operate operator operation relate relation relational connect connected connecting connection
connections fly flies flying agree agreed agreement feed feeding size sized sizing fall falling hop hopping hoped""".split()

STEMS = """a e y be by th tr ai oa cat dog hop tan fall hiss fizz fail fil siz conflat troubl plaster motor agre fe bl s
ty enjo happ sk sp fl tr dr wh relat condit ration valen hesit digit conform radic differ vil analog vietnam predic oper
feud decis hope call form sensit sens triplic electr good reviv allow infer airlin gyroscop adjust defens irrit replac
depend adopt homolog commun activ angular effect bowdler prob cea contr rol geo theo archaeo philo bio log usu fin med
tradit educ gener organ author just simpl nobil real natur nerv fam danger beaut mer pit plent car cry stud worr marr
abb ebb odd egg inn buzz yell box fix tow snow play pay obey toy syzyg oxy yyy xyz qu""".split()

SUFFIXES = """_ s es ed ing er y ly ies ied ier ily iest eed eedly eeds ational tional enci anci izer izing ized ize ability
able ably ibility ible alli ally ali aliti ality entli ently eli ely ousli ously ous ousness ization ation ations ational
ator ators alism alisms iveness ive iviti ivity fulness ful fulli fully logi logy logical biliti bility bli icate ative
alize iciti icity ical ically ness nesses al ance ence ic ant ement ment ments ent ion sion tion ou ism ate iti ll lle""".split()

IRREGULAR = """sky skies die dies dying died lie lies lying lied tie ties tying tied news new inning innings outing outings
canning cannings howe proceed proceeds proceeding exceed exceeds exceeding succeed succeeds succeeding spied spies cried
flies fries tries ies ied eed ing ed is as us ss sss sses ssses oed aed bled sing king thing ring zing sping ying yed
feed seed need agreed freed ow owed owing ax axed axing ado iced icing aged aging 10s 20th 1990s 4x4ing mp3s h2os 007ed
y yy yyy yyyy yyyyy yyyying ayy ayyed byyed sayyed llll lll ll all alls controll controlled rolled ion ions nion tion
geology theology biology apology ology logy logi abli ablity falli calli totally finally usually rationally nationally
allies alloy eli deli belief rely relied reliably gently entli potli vileli ousli callousness vietnamization""".split()


def mutate(rng, words):
    """A paraphrase of sorts: drops, doubles, swaps and replaces some words."""
    result = []
    for word in words:
        roll = rng.random()
        if roll < 0.12:
            continue
        result.append(rng.choice(NOUNS + VERBS) if roll < 0.24 else word)
        if roll > 0.95:
            result.append(word)
    if len(result) > 3 and rng.random() < 0.5:
        i = rng.randrange(len(result) - 1)
        result[i], result[i + 1] = result[i + 1], result[i]
    return result


def make_pairs(rng):
    pairs = list(ODDITIES)
    for sentence in SENTENCES:
        pairs.append((sentence, " ".join(mutate(rng, sentence.split()))))
        pairs.append((sentence, rng.choice(SENTENCES).upper()))
    for _ in range(40):  # few different words, so that long common subsequences have many ways to run
        few = rng.sample(NOUNS, 4)
        pairs.append(tuple(" ".join(rng.choices(few, k=rng.randrange(0, 45))) for _ in range(2)))
    for _ in range(40):
        pairs.append(tuple(" ".join(rng.choices(WORDS, k=rng.randrange(1, 25))) for _ in range(2)))
    for _ in range(30):
        made = [f"The {rng.choice(NOUNS)} {rng.choice(VERBS)} {rng.randrange(2000)} {rng.choice(NOUNS)}s" for _ in range(3)]
        pairs.append((". ".join(made), "; ".join(rng.sample(made, 3)).lower()))
    for length in (29, 30, 31, 32, 33, 34, 59, 60, 61, 90, 91):  # around the borders of machine words
        text = rng.choices(NOUNS + VERBS + WORDS, k=length)
        pairs.append((" ".join(text), " ".join(mutate(rng, text))))
    for length in (300, 320, 350, 400, 450, 500):
        text = rng.choices(" ".join(SENTENCES).split() + NOUNS, k=length)
        pairs.append((" ".join(text), " ".join(mutate(rng, text))))
    return pairs


def make_words(rng):
    combined = [stem + suffix.strip("_") for stem in STEMS for suffix in SUFFIXES]
    texts = " ".join(SENTENCES + WORDS + NOUNS + VERBS).lower()
    chosen = set(IRREGULAR) | set(STEMS) | set(re.findall("[a-z]+", texts)) | set(rng.sample(combined, 2700))
    return sorted(chosen)


def main(target):
    rng = random.Random(20240406)
    pairs = make_pairs(rng)
    stemmer = PorterStemmer()
    kinds = ["rougeL", "rouge1", "rouge2"]
    plain, stemmed = (rouge_scorer.RougeScorer(kinds, use_stemmer=use) for use in (False, True))
    rows = []
    for a, b in pairs:
        scores = plain.score(a, b), stemmed.score(a, b)
        rows.append([a, b] + [float(score[kind].fmeasure) for kind in kinds for score in scores])
    stems = {word: stemmer.stem(word) for word in make_words(rng)}
    lines = ",\n".join(json.dumps(row) for row in rows)
    with open(target, "w", encoding="ascii") as file:
        file.write(f'{{"pairs": [\n{lines}\n],\n"stems": {json.dumps(stems)}}}\n')
    print(len(rows), "pairs,", len(stems), "words")


main(sys.argv[1])
