"""The slice of a graph as a picture: longest-path layers from top to bottom, as SVG without script or font of its own.

An edge that passes layers gets a narrow place of its own in each of them, so it crosses no box. Boxes of a layer
stand side by side with a gap, each as wide as its longest line; so no label can overlap another one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from modelscan_plus.core.finding import GraphEvidence, GraphNode
from modelscan_plus.core.text import inert, shorten

_CHARACTER = 7.3
"""Width of a character of the monospaced font at 12 px; the widest of the usual ones is 7.23."""
_LINE = 16
_PAD = 9
_GAP, _LEVEL = 22, 34
_LANE = 12
"""Width of the place where an edge passes a layer."""
_LONGEST = 34
_SWEEPS = 6


@dataclass(slots=True)
class _Place:
    """A box, or the place of a passing edge, in its layer."""

    key: int
    lines: tuple[str, ...] = ()
    layer: int = 0
    x: float = 0.0
    y: float = 0.0
    width: float = _LANE
    height: float = 0.0
    above: list[int] = field(default_factory=list)
    below: list[int] = field(default_factory=list)


def lines_of(node: GraphNode) -> tuple[str, ...]:
    """What is written into a box."""
    texts = (node.operator, node.name, node.literal)
    return tuple(shorten(inert(text), _LONGEST) for text in texts if text) or ("–",)


def picture(evidence: GraphEvidence, label: str) -> Markup:
    """The SVG element."""
    places = _places(evidence)
    layers = _layers(places)
    width, height = _arrange(places, layers)
    parts = [
        f'<svg class="graph" role="img" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}">'
        f"<title>{escape(label)}</title>"
    ]
    for start, end in evidence.edges:
        if _fits(evidence, start, end):
            loud = evidence.nodes[start].role in ("trigger", "gate")
            parts.append(f'<path class="edge{" loud" if loud else ""}" d="{_path(places, start, end)}"/>')
    for key, node in enumerate(evidence.nodes):
        parts.append(_box(node, places[key]))
    return Markup("".join(parts) + "</svg>")  # noqa: S704 - every text in it is escaped above and below


def _fits(evidence: GraphEvidence, start: int, end: int) -> bool:
    """A report that somebody edited may hold any numbers."""
    return 0 <= start < end < len(evidence.nodes)


def _places(evidence: GraphEvidence) -> dict[int, _Place]:
    places: dict[int, _Place] = {}
    for key, node in enumerate(evidence.nodes):
        lines = lines_of(node)
        width = max((len(line) for line in lines), default=1) * _CHARACTER + 2 * _PAD
        places[key] = _Place(key, lines, width=width, height=len(lines) * _LINE + 2 * _PAD - 4)
    edges = [(start, end) for start, end in evidence.edges if _fits(evidence, start, end)]
    for start, end in sorted(edges):
        places[end].layer = max(places[end].layer, places[start].layer + 1)
    # A source stands right above what it feeds, not at the top of a long picture.
    for key in reversed(range(len(evidence.nodes))):
        fed = [places[end].layer for start, end in edges if start == key]
        if fed and evidence.nodes[key].role in ("payload", "network", "input"):
            places[key].layer = max(places[key].layer, min(fed) - 1)
    lane = len(evidence.nodes)
    for start, end in edges:
        last = start
        for layer in range(places[start].layer + 1, places[end].layer):
            places[lane] = _Place(lane, layer=layer)
            places[last].below.append(lane)
            places[lane].above.append(last)
            last = lane
            lane += 1
        places[last].below.append(end)
        places[end].above.append(last)
    return places


def _layers(places: Mapping[int, _Place]) -> list[list[int]]:
    layers: list[list[int]] = [[] for _ in range(max((place.layer for place in places.values()), default=0) + 1)]
    for key, place in places.items():
        layers[place.layer].append(key)
    position = {key: float(at) for layer in layers for at, key in enumerate(layer)}
    for sweep in range(_SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            near = {
                key: _mean([position[other] for other in (places[key].above if sweep % 2 == 0 else places[key].below)])
                for key in layer
            }
            layer.sort(key=lambda key: (position[key] if near[key] is None else near[key], key))
            position |= {key: float(at) for at, key in enumerate(layer)}
    return layers


def _mean(numbers: Sequence[float]) -> float | None:
    return sum(numbers) / len(numbers) if numbers else None


def _arrange(places: Mapping[int, _Place], layers: list[list[int]]) -> tuple[float, float]:
    widths = [sum(places[key].width for key in layer) + _GAP * (len(layer) - 1) for layer in layers]
    whole = max(widths, default=0.0)
    y = 2.0
    for layer, width in zip(layers, widths, strict=True):
        x = 2.0 + (whole - width) / 2
        tallest = max(places[key].height for key in layer) if layer else 0.0
        for key in layer:
            place = places[key]
            place.x, place.y = x, y + (tallest - place.height) / 2
            if not place.lines:
                place.y, place.height = y, tallest
            x += place.width + _GAP
        y += tallest + _LEVEL
    return whole + 4, y - _LEVEL + 4


def _path(places: Mapping[int, _Place], start: int, end: int) -> str:
    """From box to box by way of the lanes between them."""
    current, parts = start, ""
    x, y = places[start].x + places[start].width / 2, places[start].y + places[start].height
    parts = f"M{x:.1f} {y:.1f}"
    for place in _way(places, start, end):
        top = place.x + place.width / 2, place.y
        middle = (y + top[1]) / 2
        parts += f"C{x:.1f} {middle:.1f} {top[0]:.1f} {middle:.1f} {top[0]:.1f} {top[1]:.1f}"
        x, y = top[0], top[1]
        if not place.lines:
            y += place.height
            parts += f"V{y:.1f}"
        current = place.key
    return parts if current == end else ""


def _way(places: Mapping[int, _Place], start: int, end: int) -> list[_Place]:
    for first in places[start].below:
        way, current = [], first
        while not places[current].lines:
            way.append(places[current])
            current = places[current].below[0]
        if current == end:
            return [*way, places[end]]
    return []


def _box(node: GraphNode, place: _Place) -> str:
    role = node.role if node.role in _ROLES else "rest"
    title = " · ".join(text for text in (_ROLES[role], node.operator, node.scope, node.name, node.literal) if text)
    text = "".join(
        f'<text x="{place.x + _PAD:.1f}" y="{place.y + _PAD + 9 + at * _LINE:.1f}"{_strong(at)}>{escape(line)}</text>'
        for at, line in enumerate(place.lines)
    )
    return (
        f'<g class="{role}"><title>{escape(inert(title))}</title>'
        f'<rect x="{place.x:.1f}" y="{place.y:.1f}" width="{place.width:.1f}" height="{place.height:.1f}" rx="6"/>'
        f"{text}</g>"
    )


def _strong(line: int) -> str:
    return ' class="op"' if line == 0 else ""


_ROLES = {
    "input": "input",
    "trigger": "trigger",
    "gate": "gate",
    "network": "network",
    "payload": "comes in instead",
    "effect": "effect",
    "rest": "what follows",
    "output": "output",
}
