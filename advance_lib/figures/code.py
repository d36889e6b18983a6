"""The library's own code, as chapters show it.

Chapters: Recognising with one and two senses; Preserving what the audio network knows; One representation, two tasks;
Events in different scenes; The knowledge of sounds; Where the networks look.
"""

import ast
import inspect
from collections.abc import Callable
from textwrap import dedent

from IPython.display import Markdown


def source(*functions: Callable) -> Markdown:
    """Return the code of functions with their signatures, highlighted, without their docstrings.

    Raises:
        OSError: there is no source, as of a function that was typed in.
    """
    shown = []
    for function in functions:
        code = dedent(inspect.getsource(function))
        lines, definition = code.splitlines(), ast.parse(code).body[0]
        if ast.get_docstring(definition):
            written = definition.body[0]
            del lines[written.lineno - 1 : written.end_lineno]
        shown.append("\n".join(lines))
    return Markdown("```python\n{}\n```".format("\n\n\n".join(shown)))
