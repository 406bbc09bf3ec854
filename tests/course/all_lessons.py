"""All lessons, their exercises and the checks of these."""

from minigan.course import lessons
from minigan.course.grader import load_checks
from minigan.course.library import checks_file

LESSONS = lessons()
FILES = {number: checks_file(lesson) for number, lesson in LESSONS.items()}
CHECKS = {number: load_checks(path) if path.exists() else {} for number, path in FILES.items()}
EXERCISES = [(number, exercise) for number, checks in CHECKS.items() for exercise in checks]
