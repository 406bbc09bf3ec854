import copy

import numpy as np

from minigan.course.judging import Wrong, check, equal, holds


def random_program(student, rng, *, length=20, writes=True, totals=False, results=2):
    """Return a program of random equations in which some are unused, some are done twice, and some write."""
    inputs, names, equations = ("w", "x", "y"), ["w", "x", "y"], []
    for k in range(length):
        kind = rng.random()
        if writes and kind < 0.12:
            equations.append(student.Equation(None, "write", (str(rng.choice(["w", "x"])), str(rng.choice(names)))))
            continue
        done = [e for e in equations if e.out is not None]
        if done and kind < 0.35:  # once more what has been done
            _, op, read = done[rng.integers(len(done))]
        else:
            op = str(rng.choice(["add", "subtract", "multiply", "negative", "sigmoid"]))
            read = tuple(str(name) for name in rng.choice(names[-7:], size=1 if op in ("negative", "sigmoid") else 2))
        equations.append(student.Equation(f"v{k}", op, read))
        names.append(f"v{k}")
    made = [e.out for e in equations if e.out is not None]
    if totals:
        equations.append(student.Equation("sum", "total", (made[rng.integers(len(made))],)))
        made.append("sum")
    return student.Program(inputs, equations, tuple(made[-1 - 3 * k] for k in range(results)))


def hand_made(student, *equations, results):
    return student.Program(("w", "x"), [student.Equation(*e) for e in equations], results)


def run(program, arrays):
    """Run a program, and say so if it reads a name that nothing has made."""
    elementwise = {
        "add": np.add,
        "subtract": np.subtract,
        "multiply": np.multiply,
        "negative": np.negative,
        "exp": np.exp,
        "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
        "softplus": lambda a: np.logaddexp(0, a),
        "total": np.sum,
    }
    memory = {name: array.copy() for name, array in zip(program.inputs, arrays, strict=True)}
    for e in program.equations:
        for name in e.inputs:
            if name not in memory:
                raise Wrong(f"'{e}' reads {name}, which no equation before it makes any more")
        values = [memory[name] for name in e.inputs]
        if e.op == "write":
            values[0][...] = values[1]
        else:
            memory[e.out] = elementwise[e.op](*values)
    for name in program.results:
        holds(name in memory, f"the program returns {name}, which no equation makes any more")
    return [memory[name] for name in program.results], [memory[name] for name in program.inputs]


def same_outcome(got, program, rng):
    arrays = [rng.normal(size=3) for _ in program.inputs]
    for mine, right in zip(run(got, arrays)[0], run(program, arrays)[0], strict=True):
        equal(mine, right, "a result of your program", hint="the pass changed what the program computes")
    for name, mine, right in zip(program.inputs, run(got, arrays)[1], run(program, arrays)[1], strict=True):
        equal(mine, right, f"{name} after the step", hint="it was written to, and your program writes something else")


def passed(student, name, program):
    """Return what the student's pass makes of a program, which it must leave alone."""
    before = copy.deepcopy(program)
    got = getattr(student, name)(program)
    holds(program == before, f"{name} changes the program that it was given: build new lists and equations")
    if not isinstance(got, student.Program):
        raise Wrong(f"{name} returns {type(got).__name__}; expected a Program: its inputs, equations and results")
    holds(tuple(got.inputs) == program.inputs, f"the inputs are {got.inputs}; expected {program.inputs}: they stay")
    holds(len(got.results) == len(program.results), f"{len(got.results)} results; expected {len(program.results)}")
    return got


def needed(program):
    wanted, kept = set(program.results), []
    for e in reversed(program.equations):
        if e.op == "write" or e.out in wanted:
            wanted.update(e.inputs)
            kept.append(e)
    return kept[::-1]


def in_order(got, expected):
    if len(got.equations) == len(expected) and list(got.equations) != expected:
        raise Wrong("the equations are in another order than before, or changed")


@check(
    "16.1",
    wrong={
        """
        read = {name for e in program.equations for name in e.inputs} | set(program.results)
        kept = [e for e in program.equations if e.op == "write" or e.out in read]
        return Program(program.inputs, kept, program.results)
        """: "only unneeded equations read",
        """
        needed, kept = set(program.results), []
        for e in reversed(program.equations):
            if e.out in needed:
                needed.update(e.inputs)
                kept.append(e)
        return Program(program.inputs, kept[::-1], program.results)
        """: "a write is gone",
        """
        needed, kept = set(program.results), []
        for e in reversed(program.equations):
            if e.op == "write" or e.out in needed:
                needed.update(e.inputs)
                kept.append(e)
        return Program(program.inputs, kept, program.results)
        """: "another order",
        """
        needed, kept = set(program.results), []
        for e in reversed(program.equations):
            if e.op == "write":
                kept.append(e)
            elif e.out in needed:
                needed.update(e.inputs)
                kept.append(e)
        return Program(program.inputs, kept[::-1], program.results)
        """: "no equation before it makes any more",
    },
)
def drop_unused(student, rng):
    writing = hand_made(student, ("a", "negative", ("w",)), ("b", "add", ("a", "x")), (None, "write", ("w", "b")),
                        ("c", "sigmoid", ("x",)), results=("c",))  # fmt: skip
    got = passed(student, "drop_unused", writing)
    holds(any(e.op == "write" for e in got.equations), "a write is gone: the next step would find the old parameters")
    in_order(got, needed(writing))
    same_outcome(got, writing, rng)
    chain = hand_made(student, ("a", "negative", ("w",)), ("b", "exp", ("a",)), ("c", "exp", ("b",)),
                      ("d", "sigmoid", ("x",)), results=("d",))  # fmt: skip
    got = passed(student, "drop_unused", chain)
    left = [str(e) for e in got.equations if e.out != "d"]
    holds(not left, f"'{'; '.join(left)}' is still there: only unneeded equations read it")
    for _ in range(5):
        program = random_program(student, rng, length=int(rng.integers(15, 30)))
        got, expected = passed(student, "drop_unused", program), needed(program)
        in_order(got, expected)
        same_outcome(got, program, rng)
        count = len(got.equations)
        holds(
            count == len(expected), f"{count} equations are left; expected {len(expected)} of this program\n{program}"
        )


def shared(student, program):
    same, seen, writes, kept = {}, {}, {}, []
    for e in program.equations:
        inputs = tuple(same.get(name, name) for name in e.inputs)
        if e.op == "write":
            writes[inputs[0]] = writes.get(inputs[0], 0) + 1
            kept.append(student.Equation(None, "write", inputs))
            continue
        key = (e.op, *((name, writes.get(name, 0)) for name in inputs))
        if key in seen:
            same[e.out] = seen[key]
        else:
            seen[key] = e.out
            kept.append(student.Equation(e.out, e.op, inputs))
    return kept


@check(
    "16.2",
    wrong={
        """
        same, seen, kept = {}, {}, []
        for e in program.equations:
            inputs = tuple(same.get(name, name) for name in e.inputs)
            key = (e.op, inputs)
            if e.op != "write" and key in seen:
                same[e.out] = seen[key]
            else:
                seen[key] = e.out
                kept.append(Equation(e.out, e.op, inputs))
        return Program(program.inputs, kept, tuple(same.get(name, name) for name in program.results))
        """: "is out of date",
        """
        same, seen, kept = {}, {}, []
        for e in program.equations:
            key = (e.op, e.inputs)
            if e.op == "write":
                seen = {}
            if e.op != "write" and key in seen:
                same[e.out] = seen[key]
            else:
                seen[key] = e.out
                kept.append(Equation(e.out, e.op, tuple(same.get(name, name) for name in e.inputs)))
        return Program(program.inputs, kept, tuple(same.get(name, name) for name in program.results))
        """: "on inputs that are the same by then",
        """
        same, seen, kept = {}, {}, []
        for e in program.equations:
            inputs = tuple(same.get(name, name) for name in e.inputs)
            key = (e.op, inputs)
            if e.op == "write":
                seen = {}
            if e.op != "write" and key in seen:
                same[e.out] = seen[key]
            else:
                seen[key] = e.out
                kept.append(Equation(e.out, e.op, inputs))
        return Program(program.inputs, kept, tuple(same.get(name, name) for name in program.results))
        """: "has not been written to",
        """
        same, seen, writes, kept = {}, {}, {}, []
        for e in program.equations:
            inputs = tuple(same.get(name, name) for name in e.inputs)
            key = (e.op, inputs, writes.get(inputs[0], 0), writes.get(inputs[-1], 0))
            if e.op == "write":
                writes[inputs[0]] = writes.get(inputs[0], 0) + 1
            if e.op != "write" and key in seen:
                same[e.out] = seen[key]
            else:
                seen[key] = e.out
                kept.append(Equation(e.out, e.op, inputs))
        return Program(program.inputs, kept, program.results)
        """: "which no equation makes any more",
    },
)
def share_common(student, rng):
    stale = hand_made(student, ("a", "negative", ("w",)), (None, "write", ("w", "x")), ("b", "negative", ("w",)),
                      ("c", "add", ("a", "b")), results=("c",))  # fmt: skip
    got = passed(student, "share_common", stale)
    negatives = sum(e.op == "negative" for e in got.equations)
    holds(negatives == 2, "negative(w) before a write to w is out of date after it: both must stay")
    result = hand_made(student, ("a", "sigmoid", ("w",)), ("b", "sigmoid", ("w",)), ("c", "add", ("a", "x")),
                       results=("b", "c"))  # fmt: skip
    got = passed(student, "share_common", result)
    holds(sum(e.op == "sigmoid" for e in got.equations) == 1, "sigmoid(w) is still done twice in a row")
    same_outcome(got, result, rng)
    late = hand_made(student, ("a", "sigmoid", ("w",)), ("b", "sigmoid", ("w",)), ("c", "exp", ("a",)),
                     ("d", "exp", ("b",)), ("e", "add", ("c", "d")), results=("e",))  # fmt: skip
    got = passed(student, "share_common", late)
    exps = sum(e.op == "exp" for e in got.equations)
    holds(exps == 1, "exp is still done twice, on inputs that are the same by then: rename the inputs first")
    other = hand_made(student, ("a", "sigmoid", ("x",)), (None, "write", ("w", "a")), ("b", "sigmoid", ("x",)),
                      ("c", "add", ("a", "b")), results=("c",))  # fmt: skip
    got = passed(student, "share_common", other)
    holds(sum(e.op == "sigmoid" for e in got.equations) == 1,
          "after a write to w, sigmoid(x) is done again, although x has not been written to")  # fmt: skip
    for _ in range(5):
        program = random_program(student, rng, length=int(rng.integers(15, 30)))
        got = passed(student, "share_common", program)
        same_outcome(got, program, rng)
        count, expected = len(got.equations), len(shared(student, program))
        holds(count == expected, f"{count} equations are left; expected {expected} of this program\n{program}")


def fused_count(student, program):
    """Return how many loops the rule of the task leads to."""
    readers = {}
    for e in program.equations:
        for name in set(e.inputs):
            readers[name] = readers.get(name, 0) + 1
    op_of = {e.out: e.op for e in program.equations}
    reader_of = {name: e for e in program.equations for name in e.inputs}
    inside = [
        name
        for name, op in op_of.items()
        if op != "total" and readers.get(name) == 1 and reader_of[name].op != "total" and name not in program.results
    ]
    return len(program.equations) - len(inside)


def can_run(groups, program):
    """Raise Wrong if a loop reads what is not in memory."""
    memory = set(program.inputs)
    for group in groups:
        inside = set()
        for e in group:
            for name in e.inputs:
                holds(name in memory | inside,
                      f"'{e}' reads {name}, which is neither in memory by then nor in its own group")  # fmt: skip
            inside.add(e.out)
        memory.add(group[-1].out)
    for name in program.results:
        holds(name in memory, f"the result {name} stays inside a loop and is never written to memory")


@check(
    "16.3",
    wrong={
        """
        groups = {}
        for e in program.equations:
            group = []
            if e.op in ELEMENTWISE:
                for name in dict.fromkeys(e.inputs):
                    last = groups.get(name)
                    if last and last[-1].op in ELEMENTWISE and name not in program.results:
                        group += groups.pop(name)
            groups[e.out] = [*group, e]
        return list(groups.values())
        """: "two readers",
        """
        readers = {}
        for e in program.equations:
            for name in set(e.inputs):
                readers[name] = readers.get(name, 0) + 1
        groups = {}
        for e in program.equations:
            group = []
            if e.op in ELEMENTWISE:
                for name in dict.fromkeys(e.inputs):
                    last = groups.get(name)
                    if last and last[-1].op in ELEMENTWISE and readers[name] == 1:
                        group += groups.pop(name)
            groups[e.out] = [*group, e]
        return list(groups.values())
        """: "is a result",
        """
        readers = {}
        for e in program.equations:
            for name in e.inputs:
                readers[name] = readers.get(name, 0) + 1
        groups = {}
        for e in program.equations:
            group = []
            if e.op in ELEMENTWISE:
                for name in dict.fromkeys(e.inputs):
                    last = groups.get(name)
                    if last and last[-1].op in ELEMENTWISE and readers[name] == 1 and name not in program.results:
                        group += groups.pop(name)
            groups[e.out] = [*group, e]
        return list(groups.values())
        """: "one equation, however often",
        """
        groups = [[]]
        for e in program.equations:
            if e.op in ELEMENTWISE:
                groups[-1].append(e)
            else:
                groups += [[e], []]
        return [group for group in groups if group]
        """: "two readers",
        "return [[e] for e in program.equations]": "one loop would do",
        """
        groups = []
        for e in program.equations:
            if groups and groups[-1][-1].out in e.inputs and groups[-1][-1].out not in program.results:
                groups[-1].append(e)
            else:
                groups.append([e])
        return groups
        """: "total",
    },
)
def fuse(student, rng):
    def fused(program):
        before = copy.deepcopy(program)
        groups = student.fuse(program)
        holds(program == before, "fuse changes the program that it was given")
        if not isinstance(groups, list) or not all(isinstance(group, list) for group in groups):
            raise Wrong(f"fuse returns {type(groups).__name__}; expected a list of lists of equations")
        names = [e.out for group in groups for e in group]
        holds(sorted(names) == sorted(e.out for e in program.equations), "each equation must be in one group, once")
        return groups

    total = hand_made(student, ("a", "exp", ("w",)), ("b", "total", ("a",)), results=("b",))
    holds(len(fused(total)) == 2, "a total is in a loop with what it sums: it stays by itself here")
    line = hand_made(student, ("a", "exp", ("w",)), ("b", "negative", ("a",)), ("c", "add", ("b", "x")), results=("c",))
    count = len(fused(line))
    holds(count == 1, f"a chain of three has become {count} groups: one loop would do")
    fork = hand_made(student, ("a", "exp", ("w",)), ("b", "negative", ("a",)), ("c", "sigmoid", ("a",)),
                     ("d", "total", ("b",)), ("e", "total", ("c",)), results=("d", "e"))  # fmt: skip
    holds(
        len(fused(fork)) == 5, "a value with two readers was fused into one of them: the other finds nothing in memory"
    )
    kept = hand_made(student, ("a", "exp", ("w",)), ("b", "negative", ("a",)), results=("a", "b"))
    holds(len(fused(kept)) == 2, "a value that is a result was fused: it is never written to memory")
    square = hand_made(student, ("a", "exp", ("w",)), ("b", "multiply", ("a", "a")), results=("b",))
    holds(len(fused(square)) == 1, "in a * a, the value a is read by one equation, however often: fuse the two")
    can_run(fused(line), line)
    for _ in range(5):
        program = random_program(student, rng, length=int(rng.integers(12, 25)), writes=False, totals=True)
        groups = fused(program)
        can_run(groups, program)
        count, expected = len(groups), fused_count(student, program)
        holds(count == expected, f"{count} groups; expected {expected} of this program\n{program}")
