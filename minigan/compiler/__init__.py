"""The compiler: a recorded training step becomes a program, the program Python source, the source machine code.

Read in this order: `trace` (a step as data), `program`, `passes` (programs to programs), `layout` (values to memory),
`loops` and `source` (text), `cache` (text to code), `step` (what the user calls).
"""

from minigan.compiler.step import CompiledStep, compile

__all__ = ["CompiledStep", "compile"]
