"""The report on disc: pictures beside it, every one made anew."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.training.evaluation import charts
from analysis.training.evaluation.cases import Case, CaseSource
from analysis.training.evaluation.markdown import notes, picture
from analysis.training.evaluation.methods import Method
from analysis.training.evaluation.report import report
from analysis.training.evaluation.results import Evaluation
from analysis.training.evaluation.run import Made
from analysis.training.evaluation.scores import CaseScore
from analysis.training.evaluation.style import save_png, save_svg, styled
from analysis.training.evaluation.views import outlined_picture, sample_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURES = Path("pictures") / "evaluation"
PAPER_MATERIALS = ("Au", "CdSe")
MOST_SAMPLE_METHODS = 4


def write_document(made: Made, path: Path, notes_path: Path | None = None) -> list[Path]:
    """Write the report and its pictures; the paths written, the report first.

    Args:
        made: of `run.evaluate`.
        path: of the report; pictures go into `pictures/evaluation` beside it.
        notes_path: paragraphs to take over, by key.

    Raises:
        OSError: a file cannot be written.
    """
    folder = path.parent / PICTURES
    with styled():
        drawn = {
            **_charts(made.evaluation, folder),
            **_samples(made, folder),
            **_failures(made, folder),
        }
    marked = {name: picture(each, path, WORDS.get(name, name)) for name, each in drawn.items()}
    path.write_text(report(made.evaluation, marked, notes(notes_path)), encoding="utf-8")
    return [path, *drawn.values()]


def write_json(evaluation: Evaluation, path: Path) -> None:
    """Write every number; what is not known is null.

    Raises:
        OSError: the file cannot be written.
    """
    path.write_text(json.dumps(_plain(asdict(evaluation)), indent=1) + "\n", encoding="utf-8")


WORDS: Mapping[str, str] = {
    "dice": "Dice of every method on every material",
    "pixels": "Confusion of pixels by material",
    "thresholds": "Precision and recall against the threshold",
    "bias": "Diameter bias by size and defocus",
    "confusion": "Confusion of the classes",
    "reliability": "Share right against stated probability",
    "curves": "Scores over dose, defocus, pixel size and particle size",
    "samples": "Micrographs and what each method takes for particle",
}


def _charts(evaluation: Evaluation, folder: Path) -> dict[str, Path]:
    judged = evaluation.judged
    bundles = [method for method in evaluation.methods if method.curves]
    wanted: dict[str, Callable[[], Figure]] = {
        "dice": lambda: charts.dice_chart(evaluation.methods),
        "pixels": lambda: charts.pixel_confusion_chart(judged),
        "thresholds": lambda: charts.threshold_chart(judged),
        "bias": lambda: charts.bias_chart(judged),
    }
    if bundles:
        wanted["curves"] = lambda: charts.curve_chart(bundles)
    classes = judged.classes
    if classes is not None:
        wanted["confusion"] = lambda: charts.confusion_chart(classes)
        wanted["reliability"] = lambda: charts.reliability_chart(classes)
    paths = {name: folder / f"{name}.svg" for name in wanted}
    for name, draw in wanted.items():
        save_svg(draw(), paths[name])
    return paths


def _samples(made: Made, folder: Path) -> dict[str, Path]:
    """The paper's Figures 3 and 4: the most usual micrograph of gold and of cadmium selenide."""
    scores = made.scores["core"][made.evaluation.judged.name]
    cases = [_usual(scores, made.sources["core"], name) for name in PAPER_MATERIALS]
    shown = [case for case in cases if case is not None]
    if not shown:
        return {}
    path = folder / "samples.png"
    save_png(sample_picture(shown, _few(made.methods)), path)
    return {"samples": path}


def _usual(
    scores: Sequence[CaseScore], sources: Sequence[CaseSource], material: str
) -> Case | None:
    """The case of this material whose Dice is nearest its median."""
    chosen = [score for score in scores if score.material == material]
    if not chosen:
        return None
    middle = sorted(chosen, key=lambda score: score.pixels.dice)[len(chosen) // 2]
    return _source(sources, middle.key).make()


def _few(methods: Sequence[Method]) -> list[Method]:
    """The judged one, and the paper's two; then others as far as there is room."""
    names = [methods[0].name, "Fourier filtering", "Otsu"]
    first = [method for name in names for method in methods if method.name == name]
    others = [method for method in methods[1:] if method not in first]
    return list(reversed([*first, *others][:MOST_SAMPLE_METHODS]))


def _failures(made: Made, folder: Path) -> dict[str, Path]:
    judged = made.methods[0]
    sources = [*made.sources["core"], *made.sources.get("empty", ())]
    paths = {}
    for number, failure in enumerate(made.evaluation.failures, start=1):
        case = _source(sources, failure.key).make()
        path = folder / f"failure-{number}.png"
        save_png(outlined_picture(case, {judged.name: judged.find(case)}), path)
        paths[failure.name] = path
    return paths


def _source(sources: Sequence[CaseSource], key: str) -> CaseSource:
    return next(source for source in sources if source.key == key)


def _plain(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
