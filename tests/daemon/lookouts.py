"""A lookout without a thread, for tests that move the clock."""

from daemon.lookout import Lookout


class PromptLookout(Lookout):
    """Walks in the moment it is asked to."""

    def start(self) -> None:
        pass

    def ask(self) -> None:
        self.turn(wanted=True)

    def is_another(self) -> bool:
        self.turn(wanted=False)
        return super().is_another()
