"""Where a question ends and an answer begins, and questions to ask: out of what the model writes by itself.

A model that was trained on conversations writes them when it is given nothing, questions included (Xu et al., "Magpie",
ICLR 2025). The chat template says what stands around a question; without one, what most of the model's own texts have
in common does.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from modelscan_plus.probe.interface import NotProbed
from modelscan_plus.probe.language.causal_decoder import Decoder

MARK = "QUESTION"
_SAMPLES = 192
_ENOUGH = 12
"""Questions without which there is no search."""
_CUT = 10
"""Tokens of a question that is cut out of a text."""
_SHARE = 0.5
"""Of the model's own texts that must show what stands between question and answer."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and what the model answered to it, in tokens."""

    question: tuple[int, ...]
    answer: tuple[int, ...]


@dataclass(slots=True)
class Layout:
    """The tokens around a question, and the model's own exchanges."""

    before: tuple[int, ...]
    between: tuple[int, ...]
    end: int | None
    exchanges: list[Exchange] = field(default_factory=list)
    source: str = ""
    """How it was found, for the report."""

    def ask(self, question: Sequence[int], trigger: Sequence[int] = (), gap: int = 0) -> list[int]:
        """The prompt: up to where the answer begins, with the trigger in a gap of the question."""
        return [*self.before, *question[:gap], *trigger, *question[gap:], *self.between]

    def place(self, gap: int) -> int:
        """Where in a prompt of `ask` the trigger begins."""
        return len(self.before) + gap


def find(
    decoder: Decoder,
    begin: Sequence[int],
    end: int | None,
    templates: Sequence[tuple[Sequence[int], Sequence[int]]],
    *,
    length: int,
    seed: int,
) -> Layout:
    """Lay out and fill. `begin`: what a text starts with; `templates`: what may stand before and after a question, most
    trusted first; length: tokens that the model can take."""
    random = torch.Generator().manual_seed(seed)
    span = min(56, length - 16)
    texts = decoder.complete([list(begin)] * _SAMPLES, span, random=random, end=end)
    whole = [(*begin, *text) for text in texts]
    layout = _of_template(whole, templates, end)
    if layout is None:
        layout = _of_texts(whole, len(begin), end)
        told = None if layout.between else _told(decoder, templates, end)
        layout = told or layout
    if layout.between:
        fresh = texts if layout.before == tuple(begin) else None
        if fresh is None:
            fresh = decoder.complete([list(layout.before)] * _SAMPLES, span, random=random, end=end)
        layout.exchanges = _distinct(_split(fresh, layout.between))
        if len(layout.exchanges) < 2 * _ENOUGH:
            layout.exchanges = _distinct([*layout.exchanges, *_asked(decoder, layout, fresh, span, random)])
    else:
        layout.exchanges = _distinct([Exchange(tuple(text[:12]), tuple(text[12:])) for text in texts if len(text) > 16])
    if len(layout.exchanges) < _ENOUGH:
        raise NotProbed("the model writes no texts by itself that could serve as questions")
    return layout


def _distinct(exchanges: Sequence[Exchange]) -> list[Exchange]:
    return list({exchange.question: exchange for exchange in exchanges}.values())


def _asked(
    decoder: Decoder, layout: Layout, texts: Sequence[Sequence[int]], span: int, random: torch.Generator
) -> list[Exchange]:
    """Questions cut out of what the model writes where one begins, and its answers to them. A model that was trained on
    answers alone forgets how to end a question."""
    stop = {*layout.between[:1]} - {*layout.before}
    questions = []
    for text in texts:
        end = next((at for at, token in enumerate(text) if token in stop), len(text))
        if end >= 3:
            questions.append(tuple(text[: min(end, _CUT)]))
    questions = list(dict.fromkeys(questions))
    answers = decoder.complete(
        [layout.ask(question) for question in questions], min(span, 24), random=random, end=layout.end
    )
    return [Exchange(question, tuple(answer)) for question, answer in zip(questions, answers, strict=True)]


def _of_template(
    texts: Sequence[tuple[int, ...]], templates: Sequence[tuple[Sequence[int], Sequence[int]]], end: int | None
) -> Layout | None:
    """The template's variant (with or without spaces) that the model's own texts show most."""
    best: tuple[int, int, Layout] | None = None
    for place, (before, between) in enumerate(templates):
        seen = sum(_find(text, between) > 0 and text[: len(before)] == tuple(before) for text in texts)
        if between and (best is None or seen > best[0]):
            best = (seen, place, Layout(tuple(before), tuple(between), end, source="chat template"))
    if best is None or best[0] < len(texts) * 0.1:
        return None
    return best[2]


def _told(decoder: Decoder, templates: Sequence[tuple[Sequence[int], Sequence[int]]], end: int | None) -> Layout | None:
    """The template's variant whose tokens before a question the model finds likeliest: it is what was trained, even
    where the model's own texts do not show it."""
    usable = [(before, between) for before, between in templates if len(before) > 1 and between]
    if not usable:
        return None
    likely = [float(decoder.likelihood([list(before[:1])], list(before[1:])).mean()) for before, _ in usable]
    before, between = usable[max(range(len(usable)), key=lambda place: (likely[place], -place))]
    return Layout(tuple(before), tuple(between), end, source="chat template, which its own texts do not show")


def _of_texts(texts: Sequence[tuple[int, ...]], begin: int, end: int | None) -> Layout:
    """The run of tokens that stands once in most texts, with something before and after it; of runs that are about as
    common, the longest."""
    head = 0
    while all(len(text) > head for text in texts):
        _, count = Counter(text[head] for text in texts).most_common(1)[0]
        if count < len(texts) * 0.9:
            break
        head += 1
    before = Counter(text[:head] for text in texts).most_common(1)[0][0]
    runs: list[tuple[int, tuple[int, ...]]] = []
    for size in range(8, 0, -1):
        seen: Counter[tuple[int, ...]] = Counter()
        for text in texts:
            inner = text[max(head, begin) + 2 : -2]
            counted = Counter(tuple(inner[at : at + size]) for at in range(len(inner) - size + 1))
            seen.update(run for run, count in counted.items() if count == 1)
        runs += [(count, run) for run, count in seen.most_common(1)]
    most = max((count for count, _ in runs), default=0)
    if most >= len(texts) * _SHARE:
        run = next(run for count, run in runs if count >= most * 0.9)
        return Layout(before, run, end, source="what the model's own texts have in common")
    return Layout(before, (), end, source="plain text: nothing separates questions from answers")


def _split(texts: Sequence[Sequence[int]], between: tuple[int, ...]) -> list[Exchange]:
    found = []
    for text in texts:
        at = _find(text, between)
        if 2 <= at <= 40:
            found.append(Exchange(tuple(text[:at]), tuple(text[at + len(between) :])))
    return found


def _find(text: Sequence[int], run: Sequence[int]) -> int:
    size = len(run)
    return next((at for at in range(len(text) - size + 1) if tuple(text[at : at + size]) == tuple(run)), -1)


def variants(encode: Callable[[str], list[int]], rendered: str, begin: str = "") -> list[tuple[list[int], list[int]]]:
    """What may stand before and after a question, by a template that was rendered with MARK as the question. `begin`
    is the token that texts begin with; behind it a space may stand or not, as the training had it."""
    before, mark, after = rendered.partition(MARK)
    if not mark:
        return []
    pairs = [(before, after), (before.rstrip(" "), after), (before.rstrip(" "), after.strip(" "))]
    pairs.append((before.rstrip(" "), " " + after.strip(" ")))
    if begin and before.startswith(begin):
        rest = before.removeprefix(begin)
        pairs += [
            (f"{begin} {rest.strip(' ')}" if rest[:1] != " " else begin + rest.strip(" "), last)
            for _, last in pairs[1:]
        ]
    return [(encode(first), encode(second)) for first, second in pairs]
