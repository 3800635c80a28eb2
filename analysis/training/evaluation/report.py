"""The report as text: a pure function of the results, the notes and the pictures there are."""

from collections.abc import Mapping, Sequence

from analysis.training.evaluation.curves import DEFOCUS, DOSE, PIXEL_SIZE
from analysis.training.evaluation.goals import goals
from analysis.training.evaluation.limits import RULE, ReliableDomain
from analysis.training.evaluation.markdown import (
    ABSENT,
    interval,
    number,
    percent,
    percent_interval,
    table,
)
from analysis.training.evaluation.report_classes import classes_section
from analysis.training.evaluation.report_real import real_section
from analysis.training.evaluation.results import Evaluation, MethodResult
from analysis.training.evaluation.summaries import ALL, COUNTED_NM, Bias

# Groschner, Choi and Scott (2021), Table 1 and text: Dice.
PAPER = (
    ("U-Net", 0.80, 0.59, 0.89),
    ("Fourier filtering", 0.52, 0.33, 0.78),
    ("Otsu's threshold", 0.33, 0.21, 0.45),
)
REACHED = {True: "yes", False: "no", None: ABSENT}

Pictures = Mapping[str, str]
Notes = Mapping[str, str]


def report(evaluation: Evaluation, pictures: Pictures, notes: Notes) -> str:
    """The whole report in GitHub's markdown.

    Args:
        evaluation: the numbers.
        pictures: markdown of each picture there is, by its name.
        notes: paragraphs by key, from people.
    """
    sections = [
        _head(evaluation, notes),
        _goals(evaluation),
        _segmentation(evaluation, pictures, notes),
        _diameters(evaluation.judged, pictures, notes),
        real_section(evaluation, notes),
        classes_section(evaluation, pictures, notes),
        _domain(evaluation.judged, pictures, notes),
        _failures(evaluation, pictures, notes),
        _how(evaluation),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _head(evaluation: Evaluation, notes: Notes) -> str:
    return "\n\n".join(
        part
        for part in (
            "# Evaluation",
            f"Written by `fringewatch evaluate` on {evaluation.date}; nothing here is edited by "
            "hand except the paragraphs it takes over from its file of notes. In brackets: 95 % "
            "intervals.",
            notes.get("summary", ""),
        )
        if part
    )


def _goals(evaluation: Evaluation) -> str:
    rows = [
        [goal.what, goal.asked, goal.found, REACHED[goal.reached]]
        for goal in goals(evaluation.methods)
    ]
    return f"## Asked and reached: {evaluation.judged.name}\n\n" + table(
        ["", "asked", "measured", "reached"], rows
    )


def _segmentation(evaluation: Evaluation, pictures: Pictures, notes: Notes) -> str:
    judged = evaluation.judged
    materials = [name for name in judged.core if name != ALL]
    parts = [
        "## Segmentation, simulated core set",
        f"Particles of 3-12 nm on amorphous carbon at 0.02-0.05 nm/px and 200-3000 e/Å². Dice, "
        f"precision and recall are of pixels, means over {judged.core[ALL].micrographs} "
        f"micrographs, intervals by bootstrap over them. Instance F1 counts particles with an IoU "
        f"of at least 0.5 as found; pieces below {COUNTED_NM:g} nm that the border leaves over "
        "are not asked for. False area is the share of an empty micrograph taken for particle. "
        "Bias is found against true area-equivalent diameter, median over whole single particles. "
        "Seconds are medians for one micrograph, features and classes included where there are "
        "any; they depend on the computer, their ratios less so.",
        notes.get("segmentation", ""),
        table(
            ["method", "Dice", "precision", "recall", "instance F1", "false area", "bias", "s"],
            [_row(method) for method in evaluation.methods],
        ),
        "Dice by material:",
        table(
            ["method", *materials],
            [
                [method.name, *(interval(method.core[name].dice, 2) for name in materials)]
                for method in evaluation.methods
            ],
        ),
        pictures.get("dice", ""),
        f"{judged.name}, by material:",
        table(
            ["material", "micrographs", "particles", "Dice", "precision", "recall", "instance F1"],
            [
                [
                    name,
                    str(each.micrographs),
                    str(each.particles),
                    interval(each.dice),
                    interval(each.precision),
                    interval(each.recall),
                    interval(each.instance_f1),
                ]
                for name, each in judged.core.items()
            ],
        ),
        _paper(),
        pictures.get("samples", ""),
        "Confusion of pixels, rows adding up to 1 (the paper's Figure 2):",
        pictures.get("pixels", ""),
        "Precision and recall of pixels against the threshold of the probability, before opening "
        "and closing (the paper's supplement):",
        pictures.get("thresholds", ""),
        _unseen(evaluation, notes),
    ]
    return _joined(parts)


def _row(method: MethodResult) -> list[str]:
    core = method.core[ALL]
    false_area = percent_interval(method.empty.false_area, 2) if method.empty else ABSENT
    return [
        method.name,
        interval(core.dice),
        number(core.precision.value),
        number(core.recall.value),
        interval(core.instance_f1),
        false_area,
        f"{percent(core.bias.relative.value)} ({number(core.bias.absolute_nm.value)} nm)",
        number(core.seconds, 2),
    ]


def _paper() -> str:
    rows = [[name, *(f"{value:.2f}" for value in values)] for name, *values in PAPER]
    return (
        "For orientation, Dice as the paper gives it, on its own 43 experimental micrographs and "
        "against an expert's outlines; these are other pictures and another truth:\n\n"
        + table(["paper", "combined", "CdSe", "Au"], rows)
    )


def _unseen(evaluation: Evaluation, notes: Notes) -> str:
    methods = [method for method in evaluation.methods if method.unseen]
    if not methods:
        return ""
    materials = [name for name in methods[0].unseen if name != ALL]
    rows = [
        [
            method.name,
            interval(method.unseen[ALL].dice),
            interval(method.unseen[ALL].instance_f1),
            *(number(method.unseen[name].dice.value) for name in materials),
        ]
        for method in methods
    ]
    return _joined(
        [
            "### Materials that no training field has",
            notes.get("unseen", ""),
            table(["method", "Dice", "instance F1", *(f"Dice, {m}" for m in materials)], rows),
        ]
    )


def _diameters(judged: MethodResult, pictures: Pictures, notes: Notes) -> str:
    groups: list[tuple[str, Bias]] = [
        *judged.bias_by_size.items(),
        *((f"defocus {name}", each) for name, each in judged.bias_by_defocus.items()),
    ]
    rows = [
        [
            name,
            str(each.particles),
            percent_interval(each.relative),
            interval(each.absolute_nm),
        ]
        for name, each in groups
    ]
    return _joined(
        [
            f"## Diameters: {judged.name}",
            notes.get("diameters", ""),
            table(["core set", "particles", "median bias", "median bias / nm"], rows),
            pictures.get("bias", ""),
        ]
    )


def _domain(judged: MethodResult, pictures: Pictures, notes: Notes) -> str:
    if judged.domain is None:
        return ""
    return _joined(
        [
            "## Where it holds",
            "The same fields again, one condition at a time set to a value, the others drawn as "
            "for the core set; the last column by class of true diameters. Band: 95 % interval of "
            f"{judged.name}. Dashed: where the rule draws its lines. Class accuracy is balanced "
            "over the classes of matched particles that have at least ten examples.",
            notes.get("curves", ""),
            pictures.get("curves", ""),
            f"Rule: {RULE}",
            table(["", "reliable"], _domain_rows(judged.domain, judged)),
        ]
    )


def _domain_rows(domain: ReliableDomain, judged: MethodResult) -> list[list[str]]:
    tested = {name: [each.value for each in points] for name, points in judged.curves.items()}
    smallest, largest = domain.smallest_diameter_nm, domain.largest_diameter_nm
    sizes = None if smallest is None or largest is None else (smallest, largest)
    return [
        ["diameter / nm", _between(sizes)],
        [f"pixel size / nm (tested {_list(tested[PIXEL_SIZE])})", _between(domain.pixel_size_nm)],
        [f"dose / e/Å² (tested {_list(tested[DOSE])})", _between(domain.dose_e_per_a2)],
        [f"defocus / nm (tested {_list(tested[DEFOCUS])})", _between(domain.defocus_nm)],
    ]


def _between(ends: tuple[float, float] | None) -> str:
    return "nowhere tested" if ends is None else f"{_list(ends[:1])} to {_list(ends[1:])}"


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}".replace("-", "−") for value in values)


def _failures(evaluation: Evaluation, pictures: Pictures, notes: Notes) -> str:
    if not evaluation.failures:
        return ""
    parts = [
        "## Failures",
        f"The worst micrographs of {evaluation.judged.name} in the core and the empty set, picked "
        "by the numbers alone.",
    ]
    for failure in evaluation.failures:
        said = notes.get(
            failure.name, f"_Not explained yet: the notes have no paragraph `{failure.name}`._"
        )
        parts += [
            f"### {failure.title}",
            failure.facts,
            pictures.get(failure.name, ""),
            said,
        ]
    return _joined(parts)


def _how(evaluation: Evaluation) -> str:
    sets = [
        [
            each.name,
            each.purpose,
            str(each.fields),
            ABSENT if each.seed is None else str(each.seed),
            f"`{each.digest}`",
        ]
        for each in evaluation.sets
    ]
    versions = ", ".join(f"{name} {version}" for name, version in evaluation.versions.items())
    return _joined(
        [
            "## What was run",
            f"```\n{evaluation.command}\n```",
            table(
                ["method", "what it is"], [[each.name, each.about] for each in evaluation.methods]
            ).replace("---:", "---"),
            table(["set", "purpose", "fields", "seed", "manifest"], sets),
            f"Optics, dose and pixel size of each micrograph are drawn from seed {evaluation.seed} "
            f"and its number. {versions}.",
        ]
    )


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(part for part in parts if part)
