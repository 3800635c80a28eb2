"""The part of the report about real micrographs."""

from collections.abc import Mapping, Sequence

from analysis.training.evaluation.markdown import number, percent, table
from analysis.training.evaluation.results import (
    Evaluation,
    MethodResult,
    RealScore,
    RealSummary,
    best_of_scales,
)


def real_section(evaluation: Evaluation, notes: Mapping[str, str]) -> str:
    """Every patch, every method; empty without patches."""
    rows = real_rows(evaluation.methods)
    if not rows:
        return ""
    patches = next(iter(rows.values())).patches
    filled = [index for index, patch in enumerate(patches) if not patch.empty]
    empty = [index for index, patch in enumerate(patches) if patch.empty]
    parts = [
        "## Real micrographs",
        "Patches with human outlines; nothing was trained or tuned on them. The truth of the "
        "simulation ends at the last projected atoms, while a human outline lies 0.1-0.3 nm "
        "further out and includes the halo: Dice is given as it is and, after the slash, with "
        f"the found mask grown by {evaluation.margin_nm:g} nm, one margin for all patches and "
        "methods. The margin belongs to this comparison alone: no diameter contains it. Best of "
        "the scales takes for each patch the scale that did best on it, which nobody knows "
        "beforehand.",
        notes.get("real", ""),
        "Dice, patches with particles:",
        _dice_table(rows, filled),
        "Share of the picture taken for particle, patches without:",
        _area_table(rows, empty),
        _outside(evaluation.methods),
    ]
    return "\n\n".join(part for part in parts if part)


def real_rows(methods: Sequence[MethodResult]) -> dict[str, RealSummary]:
    """The patches of each method, and of the best of the scales where there are several."""
    groups: dict[str, list[RealSummary]] = {}
    for method in methods:
        if method.real is not None:
            groups.setdefault(method.group, []).append(method.real)
    rows = {method.name: method.real for method in methods if method.real is not None}
    best = {
        f"{name}, best of {len(group)} scales": best_of_scales(group)
        for name, group in groups.items()
        if len(group) > 1
    }
    return rows | best


def _dice_table(rows: Mapping[str, RealSummary], chosen: Sequence[int]) -> str:
    return table(
        ["method", "mean", *_names(rows, chosen)],
        [
            [
                method,
                f"{number(each.dice)} / **{number(each.dice_with_margin)}**",
                *(_dice(each.patches[index]) for index in chosen),
            ]
            for method, each in rows.items()
        ],
    )


def _dice(patch: RealScore) -> str:
    return f"{number(patch.dice, 2)} / {number(patch.dice_with_margin, 2)}"


def _area_table(rows: Mapping[str, RealSummary], chosen: Sequence[int]) -> str:
    if not chosen:
        return ""
    return table(
        ["method", "mean", *_names(rows, chosen)],
        [
            [
                method,
                percent(each.false_area, 2),
                *(percent(each.patches[i].found_fraction, 2) for i in chosen),
            ]
            for method, each in rows.items()
        ],
    )


def _names(rows: Mapping[str, RealSummary], chosen: Sequence[int]) -> list[str]:
    patches = next(iter(rows.values())).patches
    return [
        f"{patches[i].name.rsplit('.', 1)[0]} ({patches[i].material}, "
        f"{patches[i].pixel_size_nm:g} nm/px)"
        for i in chosen
    ]


def _outside(methods: Sequence[MethodResult]) -> str:
    """Which patches a bundle was not made for."""
    said = []
    for method in methods:
        patches = () if method.real is None else method.real.patches
        outside = [patch.name for patch in patches if not patch.in_domain]
        if outside:
            said.append(f"{method.name} ({', '.join(outside)})")
    return (
        f"Outside the pixel range a bundle states, and segmented all the same: {'; '.join(said)}."
        if said
        else ""
    )
