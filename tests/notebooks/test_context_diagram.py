"""The map in the diagram of notebook 09 is a wavefront's."""

from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from tutorial_lib.context import coding_passes
from tutorial_lib.workbench import context_diagram
from tutorial_lib.workbench.figures import COLOURS, plt


def test_the_orange_positions_are_one_pass_of_a_wavefront_and_the_numbers_are_the_passes() -> None:
    figure = context_diagram.draw_context_model()
    axes = figure.axes[0]
    columns, rows = context_diagram.PASSES
    passes = coding_passes("wavefront", rows, columns).flatten().tolist()
    squares = [patch for patch in axes.patches if type(patch) is Rectangle]
    orange = [to_hex(square.get_facecolor()) == to_hex(COLOURS[1]) for square in squares]
    assert orange == [number == context_diagram.NOW for number in passes]
    assert [int(text.get_text()) for text in axes.texts if text.get_text().isdigit()] == passes
    plt.close(figure)
