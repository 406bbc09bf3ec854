"""Every exercise: the stub is open, the solution is right, each planted wrong answer gets the feedback it should."""

import ast

import pytest
from all_lessons import CHECKS, EXERCISES, LESSONS

from minigan.course import exports, grade
from minigan.course.library import folder

PLANTED = [
    pytest.param(lesson, exercise, answer, words, id=f"{exercise}-{words}")
    for lesson, exercise in EXERCISES
    for answer, words in CHECKS[lesson][exercise].wrong.items()
]
SEEDS = range(5)  # as many students


def with_answer(lesson, exercise, answer):
    """Return a student's script in which one exercise has this answer, and all others are right."""
    cells = [
        cell.answered(answer if cell.number == exercise else None) if cell.kind == "exercise" else cell
        for cell in lesson.cells
    ]
    return exports.script(cells)


@pytest.mark.parametrize("number", LESSONS)
def test_every_exercise_has_a_check(number):
    assert list(CHECKS[number]) == list(LESSONS[number].exercises)
    assert len(CHECKS[number]) >= 3
    assert all(exercise.startswith(f"{number}.") for exercise in CHECKS[number])


@pytest.mark.parametrize(("number", "exercise"), EXERCISES)
def test_two_wrong_answers_are_planted(number, exercise):
    assert len(CHECKS[number][exercise].wrong) >= 2


@pytest.mark.parametrize("number", LESSONS)
def test_stubs_are_open_and_solutions_right(number, tmp_path):
    lesson = LESSONS[number]
    path = tmp_path / f"{lesson.name}.py"
    path.write_text(exports.script(exports.stub_cells(lesson)), encoding="utf-8")
    assert {verdict.state for verdict in grade(path, lesson, seed=1)} == {"open"}
    path = path.with_suffix(".ipynb")
    path.write_text(exports.notebook(exports.solved_cells(lesson)), encoding="utf-8")
    assert {verdict.exercise: verdict.message for verdict in grade(path, lesson, seed=1)} == dict.fromkeys(
        lesson.exercises, ""
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("number", "exercise"), EXERCISES)
def test_solution_is_right_for_every_student(number, exercise, seed, judged):
    text = exports.script(exports.solved_cells(LESSONS[number]))
    assert judged(text, CHECKS[number][exercise], seed) == ("right", "")


@pytest.mark.parametrize(("number", "exercise", "answer", "words"), PLANTED)
def test_wrong_answer_gets_its_feedback(number, exercise, answer, words, judged):
    text = with_answer(LESSONS[number], exercise, answer)
    for seed in SEEDS[:2]:
        state, message = judged(text, CHECKS[number][exercise], seed)
        assert state == "wrong", f"seed {seed}"
        assert words in message


@pytest.mark.parametrize("number", LESSONS)
def test_lesson_has_what_a_lesson_needs(number):
    lesson = LESSONS[number]
    assert lesson.title
    assert lesson.goal
    assert lesson.prerequisites
    assert 15 <= lesson.minutes <= 120
    prose = "".join(cell.text for cell in lesson.cells if cell.kind == "prose")
    assert "\n## Break it" in prose
    assert "\n## Exercises\n" in prose
    assert any(cell.kind == "setup" for cell in lesson.cells)


@pytest.mark.parametrize("number", LESSONS)
def test_lesson_imports_public_names_only(number):
    path = folder() / f"{LESSONS[number].name}.py"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module]
        else:
            continue
        for name in names:
            assert not name.startswith("minigan.") or name == "minigan.checking", f"{name}: use mg."
            assert "._" not in name


@pytest.mark.parametrize("number", LESSONS)
def test_lesson_reads_no_private_names(number):
    path = folder() / f"{LESSONS[number].name}.py"
    private = {
        node.attr
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.endswith("__")
    }
    assert private == set()
