"""A causal language model as the probe sees it: rows of tokens in, probabilities of the next ones out.

Rows of different lengths are padded on the right, where a causal model does not look, or run in groups of one length;
so no architecture's way with masks and positions matters.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

Row = Sequence[int]
_NUMBERS = 1 << 25
"""Logits of one batch at most."""


class Decoder:
    """Wraps a `transformers` model; counts the sequences that go through it in `steps`."""

    def __init__(self, model: Any, device: str = "cpu") -> None:
        self.model = model.to(device)
        self.device = device
        self.table: Tensor = model.get_input_embeddings().weight.detach()
        self.vocabulary = int(self.table.shape[0])
        self.steps = 0

    def _batches(self, rows: Sequence[Row]) -> list[range]:
        longest = max(map(len, rows))
        each = max(1, _NUMBERS // (longest * self.vocabulary))
        return [range(start, min(start + each, len(rows))) for start in range(0, len(rows), each)]

    def _padded(self, rows: Sequence[Row]) -> Tensor:
        longest = max(map(len, rows))
        return torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows], device=self.device)

    @torch.no_grad()
    def following(self, rows: Sequence[Row]) -> Tensor:
        """Log-probabilities N × V of the token after each row."""
        found = []
        for part in self._batches(rows):
            chosen = [rows[place] for place in part]
            logits = self.model(input_ids=self._padded(chosen), use_cache=False).logits
            ends = torch.tensor([len(row) - 1 for row in chosen], device=self.device)
            found.append(logits[torch.arange(len(chosen), device=self.device), ends].float().log_softmax(-1).cpu())
        self.steps += len(rows)
        return torch.cat(found)

    @torch.no_grad()
    def likelihood(self, rows: Sequence[Row], target: Row) -> Tensor:
        """Log-probabilities N × m of the tokens of `target`, each after a row and what comes before it in `target`."""
        found = []
        for part in self._batches([[*row, *target] for row in rows]):
            chosen = [rows[place] for place in part]
            logits = self.model(
                input_ids=self._padded([[*row, *target[:-1]] for row in chosen]), use_cache=False
            ).logits
            found.append(_picked(logits, chosen, target).detach().cpu())
        self.steps += len(rows)
        return torch.cat(found)

    def slopes(self, rows: Sequence[Row], places: Sequence[int], length: int, target: Row) -> Tensor:
        """How the log-likelihood of `target` would change, to first order, with each token in place of those at
        `places` … `places + length` of each row: length × V, summed over the rows."""
        ids = self._padded([[*row, *target[:-1]] for row in rows])
        embedded = self.table[ids].clone().requires_grad_()
        total = _picked(self.model(inputs_embeds=embedded, use_cache=False).logits, rows, target).sum()
        (slope,) = torch.autograd.grad(total, embedded)
        at = torch.tensor([[place + offset for offset in range(length)] for place in places], device=self.device)
        own = slope[torch.arange(len(rows), device=self.device)[:, None], at].sum(0)
        self.steps += 2 * len(rows)
        return (own @ self.table.T).cpu()

    @torch.no_grad()
    def complete(
        self, rows: Sequence[Row], count: int, *, random: torch.Generator | None = None, end: int | None = None
    ) -> list[list[int]]:
        """`count` tokens after each row: the most probable ones or, with `random`, drawn. Cut before `end`."""
        result: list[list[int]] = [[] for _ in rows]
        groups: dict[int, list[int]] = {}
        for place, row in enumerate(rows):
            groups.setdefault(len(row), []).append(place)
        for places in groups.values():
            each = max(1, _NUMBERS // (self.vocabulary * 8))
            for start in range(0, len(places), each):
                part = places[start : start + each]
                for place, tokens in zip(part, self._group([rows[p] for p in part], count, random), strict=True):
                    result[place] = tokens[: tokens.index(end)] if end in tokens else tokens
        self.steps += len(rows)
        return result

    def openings(self, rows: Sequence[Row], count: int, *, end: int | None = None) -> list[list[int]]:
        """The `count` most probable tokens after each row, all rows side by side: faster than `complete` for few tokens
        and rows of many lengths. Cut before `end`."""
        grown = [list(row) for row in rows]
        for _ in range(count):
            for row, token in zip(grown, self.following(grown).argmax(-1).tolist(), strict=True):
                row.append(token)
        found = [row[len(start) :] for row, start in zip(grown, rows, strict=True)]
        return [tokens[: tokens.index(end)] if end in tokens else tokens for tokens in found]

    def _group(self, rows: Sequence[Row], count: int, random: torch.Generator | None) -> list[list[int]]:
        ids = torch.tensor([list(row) for row in rows], device=self.device)
        memory, drawn = None, []
        for _ in range(count):
            output = self.model(input_ids=ids, past_key_values=memory, use_cache=True, logits_to_keep=1)
            memory, logits = output.past_key_values, output.logits[:, -1].float().cpu()
            if random is None:
                chosen = logits.argmax(-1, keepdim=True)
            else:
                chosen = torch.multinomial(logits.softmax(-1), 1, generator=random)
            drawn.append(chosen)
            ids = chosen.to(self.device)
        found: list[list[int]] = torch.cat(drawn, 1).tolist()
        return found


def _picked(logits: Tensor, rows: Sequence[Row], target: Row) -> Tensor:
    ends = torch.tensor([len(row) - 1 for row in rows], device=logits.device)
    at = ends[:, None] + torch.arange(len(target), device=logits.device)
    own = logits[torch.arange(len(rows), device=logits.device)[:, None], at].float().log_softmax(-1)
    return own.gather(2, torch.tensor([list(target)] * len(rows), device=logits.device)[..., None])[..., 0]
