"""Classifiers in ONNX files, of images and of rows: what fits them is searched for by inversion.

What 0 and 1 of the unit box stand for comes from the samples where they tell (arrays and rows in the model's own
units); without them images are taken to run from 0 to 1, or to 255 where the file declares uint8.
"""

import dataclasses
import importlib
from typing import TYPE_CHECKING

from modelscan_plus.probe.files import ModelFiles
from modelscan_plus.probe.interface import Job, NotProbed, Routine, Subject

if TYPE_CHECKING:
    from torch import Tensor

    from modelscan_plus.probe.inversion.context import Context, Samples
    from modelscan_plus.probe.inversion.view import View
    from modelscan_plus.probe.onnx import OnnxNetwork

_UNTRIED = (
    "triggers of several classes at once, without a reference",
    "one trigger for one source class, and each class to the next: only beside a reference (--reference)",
    "triggers that each input makes anew by a network, beyond what an additive pattern catches",
)
_MODULES = ("onnx", "inversion.context", "inversion.impressions", "inversion.routines", "inversion.joint")
_EACH, _UNSEEN = 20, 20
"""Samples of a class to search with, and to try triggers on."""
_IMPRESSIONS = 4


class OnnxClassifierDomain:
    """Claims single .onnx files."""

    name = "onnx-classifier"

    def claims(self, files: ModelFiles) -> bool:
        """By the name; whether it is a classifier shows when it is opened."""
        return files.single.lower().endswith(".onnx")

    def preload(self) -> None:
        """Import torch, the searches and what reads samples; read the calibration."""
        for name in _MODULES:
            importlib.import_module(f"modelscan_plus.probe.{name}")
        # numpy imports it when a forest is first opened, and then files are closed.
        importlib.import_module("numpy.ma")
        from modelscan_plus.probe import samples
        from modelscan_plus.probe.inversion import calibration

        samples.preload()
        calibration.preload()

    def open(self, job: Job) -> Subject:
        """Read model, samples and references. Raises `NotProbed`."""
        import torch

        from modelscan_plus.probe.inversion import calibration
        from modelscan_plus.probe.onnx import load

        network = load(job.model[job.model.single], gradients=False).to(job.spec.device)
        samples, view, columns = _prepare(job, network)
        context = _context(job, network, view, samples, columns)
        image = not view.tabular
        facts = [
            ("classes", str(view.classes)),
            ("input", " × ".join(map(str, view.sample))),
            ("samples used", _count(context.samples)),
            ("references used", str(len(context.references))),
        ]
        if context.impressions:
            facts.append(("class impressions", "samples were made from the network itself"))
        return Subject(
            "image-classifier" if image else "tabular-classifier",
            _routines(context, image=image, gradients=network.gradients),
            untried=_untried(context),
            facts=tuple(facts),
            calibration=calibration.name(),
            versions=(("torch", str(torch.__version__)),),
        )


def _count(samples: "Samples | None") -> str:
    return (
        "none"
        if samples is None
        else f"{len(samples.labels)} to search with, {len(samples.unseen_labels)} to try triggers on"
    )


def _untried(context: "Context") -> tuple[str, ...]:
    return _UNTRIED if not context.references or context.view.tabular else _UNTRIED[2:]


def _routines(context: "Context", *, image: bool, gradients: bool) -> list[Routine]:
    from modelscan_plus.probe.inversion.joint import JointRoutine
    from modelscan_plus.probe.inversion.routines import ColumnsRoutine, MarginRoutine, PairsRoutine, TriggerRoutine

    if not image:
        return [ColumnsRoutine(context)]
    if not gradients:
        raise NotProbed("the network has operators without gradients")
    triggers = [TriggerRoutine(context, kind) for kind in ("patch", "additive", "warp", "filter")]
    return [MarginRoutine(context), *triggers, JointRoutine(context), PairsRoutine(context)]


def _prepare(job: Job, network: "OnnxNetwork") -> "tuple[tuple[Tensor, Tensor | None] | None, View, tuple[str, ...]]":
    """Samples in the unit box with labels, the view, and names of columns."""
    import torch

    from modelscan_plus.probe.inversion.view import View
    from modelscan_plus.probe.samples import read_images, read_rows

    shape, device = network.input.sample, job.spec.device
    chunk = max(1, min(4096, network.largest_batch // 2))
    if network.input.kind == "tabular":
        if job.samples is None:
            raise NotProbed("a table's columns have no known range without samples (--samples)")
        rows = read_rows(job.samples, shape[0])
        x = torch.from_numpy(rows.values.copy()).to(device)
        low, high = x.amin(0), x.amax(0)
        margin = 0.25 * (high - low)
        high = torch.where(high - low > 0, high + margin, low + 1)
        view = View(network, shape, network.classes, low - margin, high, chunk=chunk)
        labels = torch.from_numpy(rows.labels.copy()) if rows.labels is not None else None
        return (view.to_unit(x), labels), view, rows.columns
    layout = network.input.layout
    sample = {"NHW": (1, *shape), "NHWC": (shape[-1], *shape[:-1])}.get(layout, shape)
    sample = (sample[0], sample[1], sample[2])
    top = 255.0 if network.input.dtype == "uint8" else 1.0
    low, high = torch.tensor(0.0, device=device), torch.tensor(top, device=device)
    found = None
    if job.samples is not None:
        images = read_images(job.samples, sample)
        if images.box is not None:
            low, high = (torch.from_numpy(end.copy()).to(device)[:, None, None] for end in images.box)
        labels = torch.from_numpy(images.labels.copy()) if images.labels is not None else None
        found = torch.from_numpy(images.pixels.copy()).to(device), labels
    return found, View(network, sample, network.classes, low, high, layout, chunk), ()


def _context(
    job: Job,
    network: "OnnxNetwork",
    view: "View",
    samples: "tuple[Tensor, Tensor | None] | None",
    columns: tuple[str, ...],
) -> "Context":
    from modelscan_plus.probe.inversion.context import Context, divide
    from modelscan_plus.probe.inversion.impressions import GOOD, impressions
    from modelscan_plus.probe.onnx import load

    context = Context(view, job.spec, columns=columns, convolutional=network.convolutional)
    if view.tabular and not network.gradients:
        low, high = view.low.cpu(), view.high.cpu()
        context.splits = [
            ((thresholds.to(low) - low[place]) / (high[place] - low[place])).to(view.low)
            for place, thresholds in enumerate(network.splits())
        ]
    if samples is not None:
        context.samples = divide(view, *samples, most=_EACH, unseen=_UNSEEN)
    elif view.classes <= 1000:
        random = context.random("impressions")
        x, labels, _ = impressions(view, _IMPRESSIONS, context.steps.impressions, random, device=job.spec.device)
        if float((labels >= 0).float().mean()) >= GOOD:
            good = labels >= 0
            context.samples = divide(view, x[good], labels[good].cpu(), most=_EACH, unseen=_UNSEEN)
            context.impressions = True
    for files in job.references:
        other = load(files[files.single]).to(job.spec.device) if files.single.lower().endswith(".onnx") else None
        if other is None or other.classes != view.classes or other.input.sample != view.network.input.sample:  # type: ignore[attr-defined]
            raise NotProbed(f"the reference {files.label} does not take the same input, or has other classes")
        context.references = (*context.references, dataclasses.replace(view, network=other))
    return context
