"""What a person sees: masks, patterns and stamped samples as pictures, costs as bars with the band of clean models."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from modelscan_plus.core.probe import Bars, Exhibit, Picture, Table
from modelscan_plus.probe import png
from modelscan_plus.probe.inversion.context import Context
from modelscan_plus.probe.inversion.evidence import Evidence, Judgement
from modelscan_plus.probe.inversion.families import Family, Patch
from modelscan_plus.probe.tidy import BARS

_SIDE = 160
"""Pixels of a picture's longer side, about."""
_SHEET = 24
"""Samples on a sheet of all classes."""
_CELLS = 12


def of_trigger(context: Context, family: Family, evidence: Evidence, judgement: Judgement) -> list[Exhibit]:
    """Bars for all classes; pictures of the class that stands out, and a sheet of all."""
    verdict = judgement.verdict
    place = (
        verdict.place
        if verdict is not None
        else min(range(len(evidence.log_costs)), key=evidence.log_costs.__getitem__)
    )
    shown: list[Exhibit] = [_bars(context, evidence, judgement, f"Cost of {family.name} by class", family.unit)]
    samples = context.samples
    if samples is None:
        return shown
    own = [parameter[place : place + 1] for parameter in evidence.parameters]
    others = samples.x[samples.labels != place][:4]
    stamped = family.apply(others[None], own)[0]
    name = context.names[place]
    shown += [
        _picture(f"Trigger into {name}", _pattern(family, own, others, stamped), _pattern_caption(family)),
        _picture(f"Clean samples, stamped ones below ({name})", _grid([*others, *stamped], len(others)), ""),
    ]
    if isinstance(family, Patch):
        shown.append(_picture(f"Mask of {name}", own[0][0].sigmoid(), "white: where the trigger sits"))
    every = torch.stack(
        [
            family.apply(
                samples.x[samples.labels != label][None, :1], [p[label : label + 1] for p in evidence.parameters]
            )[0, 0]
            for label in range(min(context.view.classes, _SHEET))
        ]
    )
    columns = math.ceil(math.sqrt(len(every)))
    title = "One stamped sample for each class" + (f", the first {_SHEET}" if context.view.classes > _SHEET else "")
    shown.append(_picture(title, _grid(list(every), columns), "in the order of the classes, row by row"))
    return shown


def in_words(context: Context, family: Family, evidence: Evidence, judgement: Judgement) -> str:
    """The trigger of the class that stands out, in one line."""
    if judgement.verdict is None:
        return ""
    place = judgement.verdict.place
    own = [parameter[place : place + 1] for parameter in evidence.parameters]
    cost = math.exp(evidence.log_costs[place])
    if isinstance(family, Patch):
        mask = own[0][0, 0].sigmoid()
        rows, columns = (mask > 0.5 * mask.max()).nonzero(as_tuple=True)
        where = f"rows {int(rows.min())} to {int(rows.max())}, columns {int(columns.min())} to {int(columns.max())}"
        return f"about {cost:.1f} pixels in {where}"
    return f"{family.name}, {cost:.2f} {family.unit}"


def of_margin(context: Context, evidence: Evidence, judgement: Judgement) -> list[Exhibit]:
    """Bars of margins, and the input that the network is surest of."""
    shown: list[Exhibit] = [_bars(context, evidence, judgement, "Inverse of the largest margin by class", "")]
    if judgement.verdict is not None:
        place = judgement.verdict.place
        point = evidence.parameters[0][place]
        shown.append(_picture(f"The input that is most of all {context.names[place]}", point, ""))
    return shown


def of_sets(context: Context, evidence: Evidence, judgement: Judgement) -> tuple[list[Exhibit], str]:
    """Bars, and the columns of the class that stands out, as a table and in one line."""
    title = "How far the hardest rows stay from each class, and what its own rows say for the values"
    shown: list[Exhibit] = [_bars(context, evidence, judgement, title, "1 is the border")]
    if judgement.verdict is None:
        return shown, ""
    place, view = judgement.verdict.place, context.view
    chosen, values = evidence.parameters[place].tolist(), evidence.parameters[view.classes + place]
    low, high = view.low[chosen], view.high[chosen]
    names = [context.columns[column] if context.columns else f"column {column}" for column in chosen]
    rows = tuple((name, f"{float(value):.4g}") for name, value in zip(names, low + values * (high - low), strict=True))
    shown.append(Table(title=f"Columns that lead to {context.names[place]}", columns=("column", "value"), rows=rows))
    return shown, ", ".join(f"{name} = {value}" for name, value in rows)


def of_pairs(context: Context, own: Tensor, others: Tensor) -> tuple[Exhibit, ...]:
    """The closest pairs, beside the references."""
    difference = (own - others).mean(0)
    off = ~torch.eye(len(difference), dtype=torch.bool)
    difference = torch.where(off, difference - difference[off].median(), torch.inf)
    rows = []
    for place in difference.flatten().argsort()[:_CELLS].tolist():
        source, target = divmod(place, len(difference))
        rows.append((context.names[source], context.names[target], f"{float(difference[source, target].exp()):.3g}"))
    columns = ("from", "to", "cost to turn the model alone, over that to turn the reference alone; 1 is usual")
    return (Table(title="The pairs that are closest beside the references", columns=columns, rows=tuple(rows)),)


def _bars(context: Context, evidence: Evidence, judgement: Judgement, title: str, unit: str) -> Bars:
    verdict = judgement.verdict
    costs = tuple(round(math.exp(value), 4) for value in evidence.log_costs)[:BARS]
    return Bars(
        title=title,
        labels=tuple(context.names[: len(costs)]),
        values=costs,
        unit=unit,
        band=(round(verdict.band[0], 4), round(verdict.band[1], 4)) if verdict is not None else None,
        marked=(verdict.place,) if verdict is not None and verdict.place < len(costs) else (),
        caption="the band holds 95 of 100 classes of a clean model" if verdict is not None else "",
    )


def _pattern(family: Family, own: Sequence[Tensor], others: Tensor, stamped: Tensor) -> Tensor:
    if isinstance(family, Patch):
        return own[0][0].sigmoid() * own[1][0].sigmoid()
    change = (stamped - others).mean(0)
    return 0.5 + 0.5 * change / change.abs().max().clamp_min(1e-6)


def _pattern_caption(family: Family) -> str:
    return "pattern where the mask is" if isinstance(family, Patch) else "mean change, grey is none, stretched"


def _grid(pictures: Sequence[Tensor], columns: int) -> Tensor:
    """Pictures [C, H, W] side by side, with a light line between."""
    channels, height, width = pictures[0].shape
    rows = math.ceil(len(pictures) / columns)
    sheet = torch.ones(channels, rows * (height + 1) - 1, columns * (width + 1) - 1)
    for place, picture in enumerate(pictures):
        row, column = divmod(place, columns)
        top, left = row * (height + 1), column * (width + 1)
        sheet[:, top : top + height, left : left + width] = picture.cpu()
    return sheet


def _picture(title: str, pixels: Tensor, caption: str) -> Picture:
    """[C, H, W] from 0 to 1, magnified by whole numbers or thinned out to fit."""
    pixels = pixels.detach().cpu().clamp(0, 1)
    if len(pixels) not in (1, 3):
        pixels = pixels[:3] if len(pixels) > 3 else pixels[:1]
    longest = max(pixels.shape[1:])
    if longest > png.MAX_SIDE:
        thin = -(-longest // png.MAX_SIDE)
        pixels = pixels[:, ::thin, ::thin]
    else:
        times = max(1, min(_SIDE // longest, png.MAX_SIDE // longest))
        pixels = pixels.repeat_interleave(times, 1).repeat_interleave(times, 2)
    channels, height, width = pixels.shape
    data = (pixels * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous()
    return Picture(
        title=title, png=png.encode(bytes(data.flatten().tolist()), width, height, channels), caption=caption
    )
