"""What a student has done: a small file in the folder of the student's lessons."""

import json
import secrets
from collections.abc import Iterable
from pathlib import Path

from minigan.course.grading import Verdict
from minigan.errors import ConfigError, DataError
from minigan.files import write_bytes

FILE = "progress.json"
FOLDER = Path("my-lessons")


class Progress:
    """The student's own seed, and the state of each exercise that was ever checked.

    Parameters
    ----------
    folder : path-like
        Where the student's lessons are; it need not exist.

    Raises
    ------
    DataError
        If the file there is damaged.
    """

    def __init__(self, folder: str | Path):
        self.path = Path(folder) / FILE
        self.seed = secrets.randbelow(2**31)
        self.states: dict[str, str] = {}
        if self.path.exists():
            self.seed, self.states = self._read()

    def _read(self) -> tuple[int, dict[str, str]]:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            seed, states = content["seed"], content["exercises"]
            if not (isinstance(seed, int) and seed >= 0 and all(isinstance(s, str) for s in states.values())):
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError):
            raise DataError(f"{self.path} is damaged; remove it to begin a new one, your answers stay") from None
        return seed, states

    def save(self) -> None:
        """Write the file, and the folder if there is none."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = {"seed": self.seed, "exercises": dict(sorted(self.states.items()))}
        write_bytes(self.path, json.dumps(content, indent=1) + "\n")

    def record(self, verdicts: Iterable[Verdict]) -> None:
        """Keep what a check has found."""
        self.states |= {verdict.exercise: verdict.state for verdict in verdicts}
        self.save()

    def done(self, exercises: Iterable[str]) -> int:
        """Return how many of these exercises are right."""
        return sum(self.states.get(number) == "right" for number in exercises)


def default_folder() -> Path:
    """Return the folder of the student's lessons where none is named: here if they are here, else ``my-lessons``."""
    return Path() if Path(FILE).is_file() else FOLDER


def find_file(folder: Path, name: str) -> Path:
    """Return the student's file of a lesson: a script or a notebook, the one changed last if there are both.

    Raises
    ------
    ConfigError
        If there is neither.
    """
    candidates = [path for ending in (".py", ".ipynb") if (path := folder / (name + ending)).is_file()]
    if not candidates:
        raise ConfigError(f"{folder / name}.py does not exist; get it with: minigan lesson start {name[:2]} {folder}")
    return max(candidates, key=lambda path: path.stat().st_mtime_ns)
