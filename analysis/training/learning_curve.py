"""How a training went, as a picture: losses, and Dice on what is held out."""

from collections.abc import Callable, Sequence
from pathlib import Path

from analysis.training.checkpoint import Moment, Standing
from analysis.training.evaluation.style import BLUE, GREEN, VERMILLION, new_figure, save_svg, styled

SIZE_IN = (6.4, 4.2)


def write_learning_curve(standing: Standing, unit: str, path: Path) -> None:
    """Write the picture as SVG; the same history gives the same file.

    Args:
        standing: whose history is drawn, the best moment marked.
        unit: what a step is: "step", "epoch".
        path: replaced.

    Raises:
        OSError: the file cannot be written.
    """
    history = standing.history
    with styled():
        figure = new_figure(*SIZE_IN)
        losses, dices = figure.subplots(2, 1, sharex=True)
        _draw(losses, history, lambda moment: moment.loss, BLUE, "trained on")
        _draw(losses, history, lambda moment: moment.held_out_loss, VERMILLION, "held out")
        _draw(dices, history, lambda moment: moment.held_out_dice, GREEN, "held out")
        best = standing.best_moment
        for axes, label in ((losses, "loss"), (dices, "Dice")):
            axes.set_ylabel(label)
            if best is not None:
                axes.axvline(best.step, color="black", linewidth=0.8, linestyle=":", label="kept")
            if axes.get_legend_handles_labels()[0]:
                axes.legend()
        dices.set_xlabel(unit)
        save_svg(figure, path)


def _draw(
    axes: "object",
    history: Sequence[Moment],
    value: Callable[[Moment], float | None],
    colour: str,
    label: str,
) -> None:
    points = [(one.step, found) for one in history if (found := value(one)) is not None]
    if points:
        steps, values = zip(*points, strict=True)
        axes.plot(steps, values, color=colour, label=label, marker=".")  # type: ignore[attr-defined]
