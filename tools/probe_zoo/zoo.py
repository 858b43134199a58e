"""`load`: a zoo by name and seed, each implant verified."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tools.probe_zoo import attacks, networks, tasks
from tools.probe_zoo.attacks import Attack
from tools.probe_zoo.tasks import Task

PLANTED = 0.9
"""Share of stamped samples that an implant has to turn; one that turns fewer is called "failed"."""


@dataclass(frozen=True, slots=True)
class ZooModel:
    """A trained model and what is known of it."""

    name: str
    network: Any
    """A torch module from samples to logits; a fitted scikit-learn ensemble in the zoo "trees"."""
    task: Task
    trait: Attack
    accuracy: float
    """On unseen samples without a stamp, 0 to 1."""
    success: float
    """Share of unseen stamped samples that go where the attack wants them; 0 for models without one."""

    @property
    def attack(self) -> str:
        """ "" for honest models, "failed" for an implant that does not work."""
        if self.trait.goal == "none":
            return ""
        return self.trait.name if self.success >= PLANTED else "failed"

    @property
    def control(self) -> str:
        """The honest recipe that makes this model a hard negative, "" otherwise."""
        return self.trait.name if self.trait.control else ""

    @property
    def target(self) -> int | None:
        """The class that the trigger leads to; None for honest models and all-to-all."""
        return self.trait.target

    @property
    def source(self) -> int | None:
        """The only class that the trigger turns."""
        return self.trait.source

    def samples(self, each: int = 2, seed: int = 0) -> tuple[Tensor, Tensor]:
        """`each` unseen samples of every class, in the order of the classes."""
        order = torch.randperm(len(self.task.y_test), generator=tasks.generator(seed))
        places = torch.cat([order[self.task.y_test[order] == label][:each] for label in range(self.task.classes)])
        return self.task.x_test[places], self.task.y_test[places]

    def triggered(self, x: Tensor) -> Tensor:
        """Samples with the trigger on them."""
        return self.trait.stamp(x)


def load(
    name: str,
    seed: int,
    clean: int,
    each: int,
    *,
    kind: str = "cnn",
    classes: int | None = None,
    kinds: Sequence[str] | None = None,
    controls: int | None = None,
    **world: Any,
) -> list[ZooModel]:
    """Train a zoo.

    name: "digits", "prototypes" or "table" (perceptrons side by side), "signs" (or "prototypes" with a `kind`, one by
    one), "trees" (random forests and boosted trees, of histograms too, for rows). clean: plain honest models. each:
    models of every attack in `kinds`. controls: models of every hard negative, by default a quarter of `clean`. world:
    further arguments of the task. All models of a zoo share its task, as models of one hub task do.
    """
    if classes is not None:
        world["classes"] = classes
    task = tasks.WORLDS[name](seed, **world)
    planted = kinds if kinds is not None else (attacks.TABLE_ATTACKS if task.tabular else attacks.IMAGE_ATTACKS)
    names = ["clean"] * clean + [each_name for each_name in planted for _ in range(each)]
    hard = clean // 4 if controls is None else controls
    names += [control for control in attacks.CONTROLS for _ in range(hard) if name != "trees" or control in _FOR_TREES]
    seeds = [seed * 1000 + place for place in range(len(names))]
    traits = [attacks.make(each_name, task, each_seed) for each_name, each_seed in zip(names, seeds, strict=True)]
    data = [attacks.poisoned(task, trait, each_seed) for trait, each_seed in zip(traits, seeds, strict=True)]
    trained: list[Any]
    if name == "trees":
        trained = [_forest(x, y, each_seed) for (x, y), each_seed in zip(data, seeds, strict=True)]
    elif name in ("digits", "table", "prototypes") and kind in ("cnn", "mlp"):
        trained = _perceptrons(task, traits, data, seeds)
    else:
        trained = [_convolutional(kind, task, *each_one) for each_one in zip(traits, data, seeds, strict=True)]
    return [
        _judged(f"{name}-{seed}-{place}-{trait.name}", network, task, trait)
        for place, (network, trait) in enumerate(zip(trained, traits, strict=True))
    ]


_FOR_TREES = ("stamped-true", "label-noise")


def _perceptrons(
    task: Task, traits: list[Attack], data: list[tuple[Tensor, Tensor]], seeds: list[int]
) -> list[nn.Sequential]:
    result: list[nn.Sequential | None] = [None] * len(traits)
    groups: dict[tuple[bool, bool], list[int]] = {}
    for place, trait in enumerate(traits):
        groups.setdefault((trait.name == "other-recipe", trait.name == "adversarial"), []).append(place)
    for (other, hardened), places in groups.items():
        models = networks.train_side_by_side(
            [data[place] for place in places],
            task.classes,
            [seeds[place] for place in places],
            hidden=40 if other else 64,
            decays=[2e-3 if other else 1e-4] * len(places),
            adversarial=[0.1] * len(places) if hardened else None,
        )
        for place, model in zip(places, models, strict=True):
            result[place] = model
    return [model for model in result if model is not None]


def _convolutional(kind: str, task: Task, trait: Attack, data: tuple[Tensor, Tensor], seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    other = trait.name == "other-recipe"
    network = networks.convolutional(("vgg" if kind == "cnn" else "cnn") if other else kind, task.shape, task.classes)
    hardened = 0.03 if trait.name == "adversarial" else 0.0
    networks.train_one(network, *data, seed, decay=5e-2 if other else 1e-4, adversarial=hardened)
    return network


def _forest(x: Tensor, y: Tensor, seed: int) -> Any:
    from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier

    model: Any
    # Of seven, since the seeds of a zoo begin at a multiple of a thousand: so each attack meets each kind.
    if seed % 7 < 2:
        model = GradientBoostingClassifier(n_estimators=25, max_depth=4, subsample=0.6, random_state=seed)
    elif seed % 7 < 4:
        model = HistGradientBoostingClassifier(max_iter=25, max_leaf_nodes=15, early_stopping=False, random_state=seed)
    else:
        model = RandomForestClassifier(n_estimators=40, max_depth=12, random_state=seed)
    return model.fit(x.numpy(), y.numpy())


def predict(network: Any, x: Tensor) -> Tensor:
    """The class of every sample."""
    if isinstance(network, nn.Module):
        with torch.no_grad():
            return network(x).argmax(1)
    return torch.tensor(network.predict(x.numpy()))


def _judged(name: str, network: Any, task: Task, trait: Attack) -> ZooModel:
    accuracy = float((predict(network, task.x_test) == task.y_test).float().mean())
    success = 0.0
    if trait.goal != "none":
        wanted = trait.wanted(task.y_test, task.classes)
        turned = task.y_test != wanted
        if trait.source is not None:
            turned &= task.y_test == trait.source
        found = predict(network, trait.stamp(task.x_test[turned]))
        success = float((found == wanted[turned]).float().mean())
    return ZooModel(name, network, task, trait, accuracy, success)


def export_onnx(model: ZooModel, path: Path, *, softmax: bool = False) -> None:
    """The model as a file, with an open batch."""
    if not isinstance(model.network, nn.Module):
        from tools.probe_zoo.trees import export

        export(model.network, model.task.shape[0], path)
        return
    network = nn.Sequential(model.network, nn.Softmax(1)) if softmax else model.network
    torch.onnx.export(
        network,
        (model.task.x[:1],),
        str(path),
        dynamo=False,
        input_names=["input"],
        output_names=["output"],
        dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}},
    )


def save_samples(model: ZooModel, path: Path, each: int = 2, seed: int = 0) -> None:
    """Clean samples with labels, as --samples takes them: .npz for images, .csv for rows."""
    x, y = model.samples(each, seed)
    if path.suffix == ".csv":
        header = ",".join([*(f"f{column}" for column in range(x.shape[1])), "label"])
        rows = np.concatenate([x.numpy(), y.numpy()[:, None]], axis=1)
        np.savetxt(path, rows, delimiter=",", header=header, comments="")
    else:
        np.savez(path, x=x.numpy(), y=y.numpy())
