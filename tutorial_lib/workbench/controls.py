"""A picture with sliders: where ipywidgets is installed they move it, elsewhere it is shown once, with a sentence.

ipywidgets is no dependency of the package: who reads the course on a page, or runs it as a script, needs none.

The picture is an output of its own, which is replaced when a control moves. `ipywidgets.interact` would draw into an
Output widget: nbclient, and with it papermill, may wait for such a one for ever (its issue 312), and a saved notebook
shows nothing of it.

A page has no Python. What its sliders show is drawn beforehand, in a run of the notebook with `RECORD` set: then
`interact` displays, besides, the pictures of some positions, as an output of a kind of its own that a program collects.
"""

import html
import importlib
import importlib.util
import itertools
import json
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from IPython.display import HTML, display
from IPython.utils.capture import capture_output

RECORD = "TUTORIAL_LIB_FRAMES"  # in the environment: JSON {control: positions}, for controls that have many
FRAMES = "application/vnd.tutorial-lib.frames+json"
MOST_POSITIONS = 9  # of one control
# JupyterLab draws none around a slider: whoever moves it with the keyboard would not see where they are. (In
# ipywidgets 7, which Colab has, a slider's handle has another name.)
RING = (
    "<style>.noUi-handle:focus-visible, .ui-slider-handle:focus-visible "
    "{ outline: 3px solid #1a73e8 !important; outline-offset: 2px; }</style>"
)


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
        function(**{name: _first(each) for name, each in controls.items()})
        return
    widgets = importlib.import_module("ipywidgets")
    labels = {name: _label(name, each) for name, each in controls.items()}
    room = f"{max(map(len, labels.values())) + 1}ch"  # as much for each: no label is cut, and they stand in line
    made = {name: _widget(widgets, labels[name], each, room) for name, each in controls.items()}
    first = HTML(_drawn(function, {name: each.value for name, each in made.items()}))
    display(widgets.VBox([*made.values(), focus_ring(widgets)]))
    picture = display(first, display_id=True)

    def redraw(_: Any) -> None:
        try:
            drawn = _drawn(function, {name: each.value for name, each in made.items()})
        except Exception as error:  # nobody would see it otherwise
            drawn = f"<pre>{html.escape(f'{type(error).__name__}: {error}')}</pre>"
        picture.update(HTML(drawn))

    for each in made.values():
        each.observe(redraw, "value")
    if RECORD in os.environ:
        record(function, **controls)


def focus_ring(widgets: Any) -> Any:
    """A widget that takes no room: beside sliders, it draws a ring around the handle that the keyboard moves."""
    return widgets.HTML(RING, layout={"display": "none"})


def record(function: Callable[..., Any], **controls: Slider | Sequence[Any]) -> None:
    """Display, for a program, what the function shows at some positions of its controls, each with each.

    The last control moves fastest. Positions are those that `RECORD` names, or all. Raises ValueError if they are not
    the control's own, leave out where it stands at first, or are more than nine.
    """
    named = json.loads(os.environ[RECORD])
    positions = {name: _positions(name, each, named.get(name)) for name, each in controls.items()}
    about = [
        {
            "label": _label(name, each),
            "kind": "slider" if isinstance(each, Slider) else "choice",
            "positions": positions[name],
            "first": positions[name].index(_first(each)),
        }
        for name, each in controls.items()
    ]
    settings = [dict(zip(positions, values, strict=True)) for values in itertools.product(*positions.values())]
    display({FRAMES: {"controls": about, "frames": [_drawn(function, each) for each in settings]}}, raw=True)


def _label(name: str, control: Slider | Sequence[Any]) -> str:
    own = control.label if isinstance(control, Slider) else None
    return own or name


def _first(control: Slider | Sequence[Any]) -> Any:
    return control.value if isinstance(control, Slider) else control[0]


def _positions(name: str, control: Slider | Sequence[Any], named: list[Any] | None) -> list[Any]:
    """The positions to record: those that are named, or all."""
    every: list[Any]
    if isinstance(control, Slider):
        steps = round((control.high - control.low) / control.step)
        every = [round(control.low + n * control.step, 9) for n in range(steps + 1)]
    else:
        every = list(control)
    chosen = every if named is None else named
    if _first(control) not in chosen or any(each not in every for each in chosen):
        raise ValueError(
            f"{name} cannot be recorded at {chosen}: take positions of its own, {_first(control)} among them."
        )
    if len(chosen) > MOST_POSITIONS:
        raise ValueError(f"{name} has {len(chosen)} positions: name at most {MOST_POSITIONS} of them to record.")
    return chosen


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


def _widget(widgets: Any, label: str, control: Slider | Sequence[Any], room: str) -> Any:
    """room: the width of the label, as CSS writes it."""
    style = {"description_width": room}
    if not isinstance(control, Slider):
        return widgets.Dropdown(options=list(control), value=control[0], description=label, style=style)
    value, low, high, step, _, live = control
    whole = all(isinstance(number, int) for number in (value, low, high, step))
    kind = widgets.IntSlider if whole else widgets.FloatSlider
    wide = {"width": "36em", "max_width": "100%"}  # twice as wide as by itself: some have 150 steps
    return kind(
        value, min=low, max=high, step=step, description=label, continuous_update=live, style=style, layout=wide
    )
