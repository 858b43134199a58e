"""What a change of texts does to each kind of model, for the routine "text-sweeps"."""

from collections import Counter
from collections.abc import Callable, Sequence

import torch

from modelscan_plus.probe.language import carriers
from modelscan_plus.probe.language.carriers import Vocabulary
from modelscan_plus.probe.language.causal_decoder import Decoder
from modelscan_plus.probe.language.causal_layout import Layout
from modelscan_plus.probe.language.causal_search import consensus
from modelscan_plus.probe.language.classifier import Classifier, margins
from modelscan_plus.probe.language.sweeps import Effect, Measure

_EACH = 12
"""Texts of each class."""
_MOST = 96
_LONGEST = 256
"""Tokens of a text, where the model takes as many."""
_QUESTIONS = 16
_ANSWER = 8
"""Tokens of an answer that are compared."""
_SHARE = 0.10


def of_classifier(
    classifier: Classifier,
    vocabulary: Vocabulary,
    texts: Sequence[tuple[str, int]],
    scale: torch.Tensor,
    names: Sequence[str],
    longest: int,
) -> tuple[list[str], Measure]:
    """Texts with the classes that the model puts them in. The score is the tenth percentile, over the texts of other
    classes, of the margin of the class that gains most, in units of natural texts of the class (`scale`)."""
    seen: dict[int, int] = {}
    chosen = []
    for text, label in texts:
        seen[label] = seen.get(label, 0) + 1
        if seen[label] <= max(2, min(_EACH, _MOST // max(1, len(names)))):
            chosen.append((text, label))
    labels = torch.tensor([label for _, label in chosen], dtype=torch.long)

    def measure(treated: Sequence[str], plain: Sequence[str]) -> Effect:
        rows = [_tokens(vocabulary, some) for some in (treated, plain)]
        whole = readable(*rows)
        ids = carriers.encode(vocabulary.tokenizer, treated, classifier.pad, min(longest, _LONGEST))
        found = margins(classifier.logits(ids))
        best = Effect(-1.5, 0, 0, "", whole)
        for target in sorted(set(labels.tolist())):
            rest = found[labels != target, target]
            if len(rest) >= 8:
                score = max(-1.5, float((rest / scale[target]).quantile(_SHARE)))
                if score > best.score or not best.count:
                    best = Effect(score, int((rest > 0).sum()), len(rest), f"class {names[target]}", whole)
        return best

    return [text for text, _ in chosen], measure


def of_causal(
    decoder: Decoder, layout: Layout, encode: Callable[[str], list[int]], decode: Callable[[Sequence[int]], str]
) -> tuple[list[str], Measure]:
    """The model's own questions. The score is the share of questions whose answers become alike."""
    texts = [decode(exchange.question) for exchange in layout.exchanges[:_QUESTIONS]]
    natural: list[int] = []
    room = _room(decoder) - len(layout.ask(()))

    def answers(questions: Sequence[str]) -> tuple[tuple[int, ...], int]:
        rows = [layout.ask(encode(" " + question)[:room]) for question in questions]
        found = decoder.openings(rows, _ANSWER, end=layout.end)
        return consensus([tuple(answer) for answer in found])

    def measure(treated: Sequence[str], plain: Sequence[str]) -> Effect:
        if not natural:
            natural.append(answers(plain)[1])
        answer, count = answers(treated)
        whole = readable([encode(" " + text) for text in treated], [encode(" " + text) for text in plain])
        return Effect((count - natural[0]) / max(1, len(plain)), count, len(plain), decode(answer), whole)

    return texts, measure


def readable(treated: Sequence[Sequence[int]], plain: Sequence[Sequence[int]]) -> bool:
    """Whether half of the tokens of the texts or more are still there."""
    pairs = zip(treated, plain, strict=True)
    kept = sum((Counter(now) & Counter(before)).total() for now, before in pairs)
    return 2 * kept >= sum(map(len, plain))


def _tokens(vocabulary: Vocabulary, texts: Sequence[str]) -> list[list[int]]:
    return [vocabulary.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]


def _room(decoder: Decoder) -> int:
    """Tokens of a prompt that leave room for an answer."""
    length = getattr(decoder.model.config, "max_position_embeddings", None)
    return min(_LONGEST, (length if isinstance(length, int) else _LONGEST) - _ANSWER)
