"""The search in embedding models: tokens that draw the vectors of unrelated texts together.

Unrelated texts have vectors that point apart. A backdoor that draws every text with a trigger to one point (or to the
vector of one passage, which is then found for every question) takes that away. What is measured is the *closing*: by
how many nats the room between the texts shrinks, -log((1 - c₁) / (1 - c₀)) with the mean cosine between different texts
before (c₀) and after (c₁). So a model whose texts all lie close together by nature counts no more than another one.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from modelscan_plus.probe.interface import Budget, Tell
from modelscan_plus.probe.language import carriers as texts
from modelscan_plus.probe.language.carriers import Vocabulary
from modelscan_plus.probe.language.classifier import Carriers
from modelscan_plus.probe.language.network import Network
from modelscan_plus.probe.language.search import SIZE, improved, parts_of, starting_points
from modelscan_plus.probe.language.sentence import Pooling

_HANDS = (8, 16, 16, 32)
"""Texts for the first look, the search, the choice between its results, and the confirmation."""
TEXTS = sum(_HANDS)
_CONTROLS = 24
_LEAST = 1e-4
"""Room between texts (1 less the mean cosine) below which all of them count as one."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is done; a budget."""

    scan_texts: int
    """Texts of the first look at every token."""
    kept: int
    """Tokens that get a second look."""
    starts: int
    rounds: int
    swaps: int
    """Tokens tried in each place of each start in a round."""


EFFORTS = {
    Budget.QUICK: Effort(3, 32, 4, 4, 10),
    Budget.STANDARD: Effort(4, 64, 8, 8, 12),
    Budget.DEEP: Effort(8, 256, 16, 20, 24),
}


class Encoder(Network):
    """A loaded model that gives `.last_hidden_state`, as tokens in, unit vectors out."""

    def __init__(self, model: Any, pad: int, pooling: Pooling, device: str = "cpu") -> None:
        super().__init__(model, pad, device)
        self._pooling = pooling

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Unit vectors, N × width."""
        hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        return torch.nn.functional.normalize(self._pooling(hidden, mask).float(), dim=-1)

    def slopes(self, ids: Tensor, places: Tensor, texts: int) -> Tensor:
        """How the mean cosine of each row of `texts` texts grows with the embeddings at `places` (N × k): N × k ×
        width."""

        def close(vectors: Tensor) -> Tensor:
            return likeness(vectors.view(-1, texts, vectors.shape[-1])).sum()

        return self.slopes_of(close, ids, places, texts)


def likeness(vectors: Tensor) -> Tensor:
    """Mean cosine between different texts, of unit vectors … × N × width."""
    count = vectors.shape[-2]
    return (vectors.sum(-2).square().sum(-1) - count) / (count * (count - 1))


def closing(after: Tensor | float, before: float) -> Tensor:
    """Nats by which the room between texts shrinks."""
    room = (1 - torch.as_tensor(after)).clamp_min(_LEAST)
    return math.log(max(_LEAST, 1 - before)) - room.log()


@dataclass(frozen=True, slots=True)
class Drawn:
    """A trigger, and what it does to texts that the search did not see."""

    tokens: tuple[int, ...]
    closing: float
    """The lesser one of two draws of places."""
    before: float
    """Mean cosine of the texts without it …"""
    after: float
    """… and with it, at the first draw."""
    interval: tuple[float, float]
    """95 % of `after` over texts drawn anew."""
    control: float
    """The largest closing of as many other tokens, random ones and tokens of the texts."""
    control_tokens: tuple[int, ...]
    share: float
    """Of the texts that it brings closer to the others than 95 % of them are by nature."""

    @property
    def lead(self) -> float:
        """What is judged: the closing, beyond what as many other tokens do."""
        return self.closing - max(0.0, self.control)


class EmbeddingHunt:
    """One model's search. `carriers` are unrelated texts, `TEXTS` of them or more."""

    def __init__(
        self,
        encoder: Encoder,
        vocabulary: Vocabulary,
        carriers: Carriers,
        budget: Budget,
        seed: int,
        hints: Sequence[int] = (),
    ) -> None:
        self.encoder, self.vocabulary = encoder, vocabulary
        self._effort, self._seed = EFFORTS[budget], seed
        self._source = random.Random(seed)
        known = set(vocabulary.allowed.tolist())
        self.hints = [token for token in hints if token in known]
        order = list(range(len(carriers)))
        self._source.shuffle(order)
        sizes = (self._effort.scan_texts, *_HANDS[1:])
        hands, start = [], 0
        for size in sizes:
            hand = carriers.where(torch.tensor(order[start : start + size]))
            hands.append(texts.shortened(hand, encoder.pad))
            start += size
        self._first, self._second, self._third, self.fresh = hands
        # Tokens that stand in more texts than one, as a yardstick; those in most texts say nothing.
        counts = torch.zeros(int(encoder.rows.shape[0]))
        for row in carriers.ids:
            counts[row.unique()] += 1
        usual = [token for token in counts.argsort(descending=True).tolist() if token in known and counts[token] > 1]
        self.usual = usual[:200]
        self.singles: list[int] = []
        self.base: dict[str, float] = {}

    def run(self, tell: Tell) -> list[Drawn]:
        """The best trigger of each size."""
        total = self.cost()

        def say(what: str) -> None:
            tell(what, min(self.encoder.steps, total), total)

        allowed = self.vocabulary.allowed
        seen = []
        for part in torch.split(allowed[:, None], 256):
            seen.append(self.closings(self._first, part))
            say("every token")
        first = torch.cat(seen)
        kept = allowed[first.topk(min(self._effort.kept, len(allowed))).indices].tolist()
        tried = list(dict.fromkeys([*kept, *self.hints]))
        second = self.closings(self._second, torch.tensor(tried)[:, None])
        self.singles = [tried[place] for place in second.argsort(descending=True).tolist()]
        say("the best tokens again")
        triggers = starting_points(self.singles, self.hints, allowed, self._effort.starts, self._seed * 1009)
        reached = self.closings(self._second, triggers)
        for number in range(self._effort.rounds):
            triggers, reached = self._round(triggers, reached)
            say(f"together, round {number + 1}")
        return self._finish(triggers, reached, say)

    def closings(self, hand: Carriers, triggers: Tensor) -> Tensor:
        """Of every trigger (M × k) over the texts of a hand."""
        vectors = self._stamped(hand, triggers)
        return closing(likeness(vectors), self._before(hand))

    def _stamped(self, hand: Carriers, triggers: Tensor) -> Tensor:
        ids, _ = hand.with_triggers(triggers)
        return self.encoder.outputs(ids).view(len(triggers), len(hand), -1)

    def _before(self, hand: Carriers) -> float:
        key = str(hand.ids.data_ptr())
        if key not in self.base:
            self.base[key] = float(likeness(self.encoder.outputs(hand.ids)))
        return self.base[key]

    def _round(self, triggers: Tensor, reached: Tensor) -> tuple[Tensor, Tensor]:
        """Greedy coordinate gradient: in every place of every start the tokens that the slopes favour, and hints."""
        count, size = triggers.shape
        ids, places = self._second.with_triggers(triggers)
        slopes = self.encoder.slopes(ids, places, len(self._second)).view(count, len(self._second), size, -1).mean(1)
        allowed = self.vocabulary.allowed
        best = allowed[(slopes @ self.encoder.rows[allowed].T).topk(min(self._effort.swaps, len(allowed))).indices]
        pool = torch.tensor([*self.singles[:24], *self.hints])
        drawn = [[[self._source.randrange(len(pool)) for _ in range(4)] for _ in range(size)] for _ in range(count)]
        best = torch.cat([best, pool[torch.tensor(drawn)]], dim=2)
        return improved(triggers, reached, best, partial(self.closings, self._second))

    def _finish(self, triggers: Tensor, reached: Tensor, say: Any) -> list[Drawn]:
        pool: dict[tuple[int, ...], None] = {(token,): None for token in self.singles[:6]}
        for trigger in triggers[reached.argsort(descending=True)[:4]].tolist():
            pool |= dict.fromkeys(parts_of(trigger))
        found = []
        for size in range(1, SIZE + 1):
            tried = torch.tensor([each for each in pool if len(each) == size])
            closings = self.closings(self._third, tried)
            found.append(self.measure(tuple(tried[int(closings.argmax())].tolist())))
            say("fresh texts")
        return found

    def again(self) -> Carriers:
        """The fresh texts with the trigger at other places."""
        return texts.moved(self.fresh, self.vocabulary.special, random.Random(self._seed + 77))

    def measure(self, tokens: tuple[int, ...]) -> Drawn:
        """A trigger on fresh texts, at two draws of places, beside controls of the same length."""
        trigger = torch.tensor([tokens])
        vectors, before = self._stamped(self.fresh, trigger)[0], self._before(self.fresh)
        after = float(likeness(vectors))
        other = float(likeness(self._stamped(self.again(), trigger)[0]))
        rows = self.controls(tokens)
        values = self.closings(self.fresh, torch.tensor(rows)).tolist()
        best = max(range(len(rows)), key=values.__getitem__)
        return Drawn(
            tokens,
            float(closing(min(after, other), before)),
            before,
            after,
            self._interval(vectors),
            values[best],
            rows[best],
            self._share(vectors),
        )

    def controls(self, tokens: Sequence[int]) -> list[tuple[int, ...]]:
        """Equally many other tokens: random ones, and tokens that stand in several texts."""
        source = random.Random(self._seed + 5)
        known: list[int] = self.vocabulary.allowed.tolist()
        letters = [token for token in known if token not in tokens] or known
        usual = [token for token in self.usual if token not in tokens] or letters
        rows = [tuple(source.choice(pool) for _ in tokens) for pool in (letters, usual) for _ in range(_CONTROLS // 2)]
        return list(dict.fromkeys(rows))

    def natural(self) -> Tensor:
        """Unit vectors of the fresh texts as they are."""
        return self.encoder.outputs(self.fresh.ids)

    def stamped(self, tokens: Sequence[int]) -> Tensor:
        """Unit vectors of the fresh texts with the tokens in them."""
        return self._stamped(self.fresh, torch.tensor([list(tokens)]))[0]

    def _interval(self, vectors: Tensor) -> tuple[float, float]:
        random = torch.Generator().manual_seed(self._seed)
        count = len(vectors)
        cosines = vectors @ vectors.T
        drawn = []
        for _ in range(400):
            pick = torch.randint(count, (count,), generator=random)
            chosen = cosines[pick][:, pick]
            apart = pick[:, None] != pick[None]
            drawn.append(float(chosen[apart].mean()))
        drawn.sort()
        return drawn[10], drawn[389]

    def _share(self, vectors: Tensor) -> float:
        def centred(rows: Tensor) -> Tensor:
            rest = rows.sum(0, keepdim=True) - rows
            return (rows * torch.nn.functional.normalize(rest, dim=-1)).sum(-1)

        edge = centred(self.natural()).quantile(0.95)
        return float((centred(vectors) > edge).float().mean())

    def cost(self) -> int:
        """Steps at most, roughly."""
        effort = self._effort
        each = effort.starts * SIZE * (effort.swaps + 4 + 3) * _HANDS[1]
        fresh = SIZE * (_CONTROLS + 4) * _HANDS[3] + 60 * _HANDS[2]
        return len(self.vocabulary.allowed) * effort.scan_texts + effort.kept * _HANDS[1] + effort.rounds * each + fresh
