"""A domain for tests: each routine opens one model of a folder, in the sandbox, with the readers of all domains."""

from dataclasses import dataclass

from modelscan_plus.core.probe import ProbeOutcome, RoutineReport
from modelscan_plus.probe.files import ModelFiles
from modelscan_plus.probe.interface import Job, Subject, Tell

DOMAIN = "tests.probe.readers:ReaderDomain"


@dataclass(frozen=True)
class Opening:
    """Opens one model."""

    name: str
    files: ModelFiles

    @property
    def title(self) -> str:
        return f"Open {self.name}"

    def missing(self) -> str:
        return ""

    def cost(self) -> int:
        return 1

    def run(self, tell: Tell) -> RoutineReport:
        if self.files.single:
            from modelscan_plus.probe.onnx.network import load

            load(self.files[self.files.single])
        else:
            from modelscan_plus.probe.language.load import load as load_folder

            load_folder(self.files)
        return RoutineReport(
            routine=self.name, title=self.title, outcome=ProbeOutcome.NOTHING_FOUND, reason="it opened"
        )


class ReaderDomain:
    """Takes a folder of models: files that end in .onnx, and folders."""

    name = "readers"

    def claims(self, files: ModelFiles) -> bool:
        return len(files.sources) > 1

    def preload(self) -> None:
        import modelscan_plus.probe.onnx.network  # noqa: F401 - imported before the sandbox closes
        from modelscan_plus.probe.language.load import preload

        preload()

    def open(self, job: Job) -> Subject:
        parts: dict[str, ModelFiles] = {}
        for top in sorted({name.partition("/")[0] for name in job.model}):
            inside = {name: job.model[name] for name in job.model if name == top or name.startswith(f"{top}/")}
            parts[top] = ModelFiles({name.removeprefix(f"{top}/"): source for name, source in inside.items()})
        return Subject("unknown", [Opening(name, files) for name, files in parts.items()])
