"""A picture with sliders: where ipywidgets is installed they move it, elsewhere it is shown once, with a sentence.

ipywidgets is no dependency of the package: who reads the course on a page, or runs it as a script, needs none.

The picture is an output of its own, which is replaced when a control moves. `ipywidgets.interact` would draw into an
Output widget: nbclient, and with it papermill, may wait for such a one for ever (its issue 312), and a saved notebook
shows nothing of it.
"""

import html
import importlib
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from IPython.display import HTML, display
from IPython.utils.capture import capture_output


class Slider(NamedTuple):
    """value is where it stands at first. Whole numbers if all four are. live: it moves the picture while it is dragged;
    else when it is let go, for pictures that take longer than a fifth of a second."""

    value: float
    low: float
    high: float
    step: float = 1
    label: str | None = None
    live: bool = True


def interact(function: Callable[..., Any], **controls: Slider | Sequence[Any]) -> None:
    """Show what the function displays, with a control for each of its parameters: a slider, or a choice from a list."""
    if importlib.util.find_spec("ipywidgets") is None:
        print("There are no widgets here (pip install ipywidgets); this is what they show at first.")
        function(**{name: each.value if isinstance(each, Slider) else each[0] for name, each in controls.items()})
        return
    widgets = importlib.import_module("ipywidgets")
    made = {name: _widget(widgets, name, each) for name, each in controls.items()}
    first = HTML(_drawn(function, {name: each.value for name, each in made.items()}))
    display(widgets.VBox(list(made.values())))
    picture = display(first, display_id=True)

    def redraw(_: Any) -> None:
        try:
            drawn = _drawn(function, {name: each.value for name, each in made.items()})
        except Exception as error:  # nobody would see it otherwise
            drawn = f"<pre>{html.escape(f'{type(error).__name__}: {error}')}</pre>"
        picture.update(HTML(drawn))

    for each in made.values():
        each.observe(redraw, "value")


def _drawn(function: Callable[..., Any], values: dict[str, Any]) -> str:
    """What a function prints and displays, as HTML."""
    with capture_output() as captured:
        result = function(**values)
        if result is not None:
            display(result)
    shown = [f"<pre>{html.escape(captured.stdout)}</pre>"] if captured.stdout else []
    for output in captured.outputs:
        shown.append(output.data.get("text/html") or f"<pre>{html.escape(output.data.get('text/plain', ''))}</pre>")
    return "".join(shown)


def _widget(widgets: Any, name: str, control: Slider | Sequence[Any]) -> Any:
    if not isinstance(control, Slider):
        return widgets.Dropdown(options=list(control), value=control[0], description=name)
    value, low, high, step, label, live = control
    whole = all(isinstance(number, int) for number in (value, low, high, step))
    kind = widgets.IntSlider if whole else widgets.FloatSlider
    return kind(value, min=low, max=high, step=step, description=label or name, continuous_update=live)
