"""`python -m tests.acceptance.stub`: the real command with a threshold in place of the network.

Every mechanism is the real one: processes, spool, parser, regions, features, forest, masks, rows.
Only the network is left out, which takes seconds to load and says nothing about what is tested.
Each spawned child imports this module first, so what is heavy is imported where it is needed.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from analysis.segment import Probabilities

NOISE_PX = 4.0


class Threshold:
    """Dark is particle."""

    device = "stub"

    def use_smallest_tiles(self) -> None:
        """A threshold has none."""

    def probabilities(self, network_input: "NDArray[np.float32]") -> "Probabilities":
        """Near one where it is darker than halfway between mean and darkest, noise left out."""
        import cv2
        import numpy as np

        from analysis.segment import Probabilities

        smooth = cv2.GaussianBlur(network_input, (0, 0), NOISE_PX)
        limit = (smooth.mean() + smooth.min()) / 2
        particle = np.where(smooth < limit, np.float32(0.95), np.float32(0.05))
        return Probabilities(particle=particle, seam=None, overlap=None)


def worker_main(*arguments: Any) -> None:
    """The worker as it is, its network replaced."""
    from analysis import bundle
    from daemon import worker

    bundle._segmenter = lambda *_: Threshold()  # type: ignore[assignment,return-value]
    worker.worker_main(*arguments)


def main() -> None:
    """The command."""
    from daemon import assembly, cli

    assembly.worker_main = worker_main  # type: ignore[attr-defined]
    cli.main()


if __name__ == "__main__":
    from tests.acceptance import stub  # by its name, as the spawned child will import it

    stub.main()
