"""minigan lesson: the course, from the first lesson to the last."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from minigan.cli.options import parse
from minigan.course import exports, find_lesson, grade, lessons
from minigan.course.bundle import write_bundle
from minigan.course.progress import Progress, default_folder, find_file
from minigan.errors import ConfigError
from minigan.files import write_bytes

Word = tyro.conf.Positional[str]
Folder = Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]

USAGE = """usage: minigan lesson COMMAND ...

Lessons to step through, with exercises that are graded here.

  list [DIR]            the lessons, and how far you are
  start NN [DIR]        get a lesson: a script with cells, or --notebook
  check NN [DIR]        grade its exercises, and say what is wrong
  solution NN           print the solutions, or one: solution 04.2
  bundle NN [NN ...]    a zip file of lessons for a class

DIR is the folder of your lessons: my-lessons, unless you name another one.
Start with: minigan lesson start 01"""

MARKS = {"right": "right", "wrong": "WRONG", "open": "not done yet"}


@dataclass
class List:
    """Show all lessons, and how many exercises of each are done.

    Attributes
    ----------
    folder : Path, optional
        Where your lessons are.
    """

    folder: Folder = None


@dataclass
class Start:
    """Get a lesson: a Python script in cells, to be stepped through in an editor, or a notebook.

    Attributes
    ----------
    number : str
        The lesson, such as 04.
    folder : Path, optional
        Where to put it.
    notebook : bool
        A Jupyter notebook instead of a script.
    """

    number: Word
    folder: Folder = None
    notebook: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False


@dataclass
class Check:
    """Grade the exercises of a lesson, and say what is wrong. Only its setup cell and its exercises are run.

    Attributes
    ----------
    number : str
        The lesson, such as 04.
    folder : Path, optional
        Where your lessons are, or a file.
    seed : int, optional
        Of the inputs on which answers are tried; by default your own, drawn at the start. The environment
        variable MINIGAN_COURSE_SEED sets it too.
    time_limit : float
        Seconds for one exercise.
    """

    number: Word
    folder: Folder = None
    seed: int | None = None
    time_limit: float = 60.0


@dataclass
class Solution:
    """Print the solutions of a lesson.

    Attributes
    ----------
    number : str
        A lesson, such as 04, or one exercise, such as 04.2.
    """

    number: Word


@dataclass
class Bundle:
    """Write what a class needs for some lessons: scripts, notebooks, a README, a test for pytest.

    Attributes
    ----------
    numbers : list of str
        The lessons, such as 01 04.
    out : Path
        A file that ends in .zip.
    package : str
        What pip installs: a name, the address of a wheel, or git+https://... With it, the bundle holds a workflow for
        GitHub Classroom too.
    """

    numbers: tyro.conf.Positional[list[str]] = field(default_factory=list)
    out: Path = Path("lessons.zip")
    package: str = ""


def main(args):
    if not args or args[0] in ("-h", "--help"):
        print(USAGE)
        return 0
    word, *rest = args
    if word not in _COMMANDS:
        raise ConfigError(f"minigan lesson {word}: expected one of {', '.join(_COMMANDS)}")
    kind, run = _COMMANDS[word]
    return run(parse(kind, rest, f"lesson {word}"))


def _list(options):
    folder = options.folder or default_folder()
    progress = Progress(folder)
    width = max(len(lesson.title) for lesson in lessons().values())
    for number, lesson in lessons().items():
        done = f"{progress.done(lesson.exercises)}/{len(lesson.exercises)}"
        print(f"{number}  {lesson.title:{width}}{lesson.minutes:5} min  exercises {done}")
    print("\nget one: minigan lesson start NN")


def _start(options):
    lesson = find_lesson(options.number)
    folder = options.folder or default_folder()
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; expected a folder for your lessons")
    path = folder / (lesson.name + (".ipynb" if options.notebook else ".py"))
    if path.exists():
        raise ConfigError(f"{path} exists, with your answers; to begin anew, move it away or name another folder")
    cells = exports.stub_cells(lesson)
    progress = Progress(folder)
    progress.save()
    write_bytes(path, exports.notebook(cells) if options.notebook else exports.script(cells))
    print(f"lesson {lesson.number}: {lesson.title} ({lesson.minutes} minutes)")
    print(f"  {lesson.goal}\n")
    if options.notebook:
        print(f"Open {path} in Jupyter.")
    else:
        print(f"Open {path} in an editor that runs `# %%` cells (VS Code, Spyder, PyCharm),")
        print("or get a notebook: add --notebook.")
    print(f"Then grade its {len(lesson.exercises)} exercises: {_command('check', lesson, options.folder)}")


def _check(options):
    lesson = find_lesson(options.number)
    target = options.folder or default_folder()
    path = target if target.suffix in (".py", ".ipynb") else find_file(target, lesson.name)
    progress = Progress(path.parent)
    if not options.time_limit > 0:
        raise ConfigError(f"--time-limit is {options.time_limit}; expected seconds, more than 0")
    verdicts = grade(path, lesson, seed=_seed(options.seed, progress.seed), time_limit=options.time_limit)
    print(f"lesson {lesson.number}: {lesson.title} ({path})")
    for verdict in verdicts:
        print(f"  {verdict.exercise}  {MARKS[verdict.state]:14}{lesson.exercises[verdict.exercise].title}")
        for line in verdict.message.splitlines():
            print(f"        {line}")
    progress.record(verdicts)
    right = sum(verdict.state == "right" for verdict in verdicts)
    print(
        f"{right} of {len(verdicts)} exercises are right" + _what_next(lesson, right == len(verdicts), options.folder)
    )
    return 0 if right == len(verdicts) else 1


def _what_next(lesson, all_right, folder):
    if not all_right:
        return f"; after a change: {_command('check', lesson, folder)}"
    later = [other for number, other in lessons().items() if number > lesson.number]
    return f". Next: {_command('start', later[0], folder)}" if later else ". That was the last lesson."


def _command(word, lesson, folder):
    return f"minigan lesson {word} {lesson.number}" + (f" {folder}" if folder else "")


def _seed(given, own):
    """Return the seed of a check: the option, the environment's, or the student's own."""
    if given is None:
        text = os.environ.get("MINIGAN_COURSE_SEED") or str(own)
        if not text.isdecimal():
            raise ConfigError(f"MINIGAN_COURSE_SEED is {text!r}; expected a whole number of at least 0")
        given = int(text)
    if given < 0:
        raise ConfigError(f"--seed is {given}; expected at least 0")
    return given


def _solution(options):
    number, dot, _ = options.number.partition(".")
    lesson = find_lesson(number)
    exercise = f"{lesson.number}.{options.number.partition('.')[2]}" if dot else None
    if exercise not in (None, *lesson.exercises):
        raise ConfigError(f"there is no exercise {options.number!r}; lesson {lesson.number} has {_listed(lesson)}")
    print(exports.solution(lesson, exercise), end="")


def _listed(lesson):
    return ", ".join(lesson.exercises)


def _bundle(options):
    if not options.numbers:
        raise ConfigError("which lessons? minigan lesson bundle 01 04 --out week1.zip")
    if options.out.suffix != ".zip":
        raise ConfigError(f"--out {options.out}: expected a name that ends in .zip")
    chosen = {lesson.number: lesson for lesson in map(find_lesson, options.numbers)}
    write_bundle(list(chosen.values()), options.out, options.package)
    print(f"lessons {', '.join(chosen)} in {options.out}")


_COMMANDS = {
    "list": (List, _list),
    "start": (Start, _start),
    "check": (Check, _check),
    "solution": (Solution, _solution),
    "bundle": (Bundle, _bundle),
}
