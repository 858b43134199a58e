"""A child that follows the Python files of a repository together (formats/text/python/follow)."""

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.coverage import Coverage, CoverageState
from modelscan_plus.core.limits import Limits
from modelscan_plus.formats.summaries import Stated
from modelscan_plus.formats.text.python.follow.bundle import followed
from modelscan_plus.inspection import FileResult

NAME = "linked"


class LinkedExaminer:
    """Satisfies what a child asks of an examiner."""

    def inspect(self, artifact: Artifact, limits: Limits) -> FileResult:
        """One summary for each file of the bundle that does something; its path stands as the member."""
        summaries = tuple(Stated((path,), summary) for path, summary in followed(artifact, limits).items())
        return FileResult((), Coverage(CoverageState.ANALYSED), summaries=summaries)
