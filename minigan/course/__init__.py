"""The course: lessons to step through, exercises that grade themselves.

Read in this order: `lesson` (one source file, cell by cell), `library` (where the lessons are), `exports` (the
student's script and notebook), `judging` (what a check is made of, and how it says what is wrong), `grader` (runs in a
process of its own), `grading` (starts it), `progress`, `bundle` (a week for a class).
"""

from minigan.course.grading import Verdict, grade
from minigan.course.lesson import Cell, Lesson
from minigan.course.library import find_lesson, lessons

__all__ = ["Cell", "Lesson", "Verdict", "find_lesson", "grade", "lessons"]
