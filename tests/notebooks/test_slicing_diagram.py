"""What the diagram of notebook 10 says of its slices."""

from tutorial_lib.workbench import slicing_diagram
from tutorial_lib.workbench.figures import plt


def test_every_slice_but_the_first_is_told_what_stands_before_it() -> None:
    assert list(slicing_diagram.KNOWN) == list(slicing_diagram.COLUMNS)[1:]
    passes = [text.get_text() for text in slicing_diagram.draw_slicing().axes[0].texts if "pass" in text.get_text()]
    assert passes[:4] == [f"pass {name}" for name in slicing_diagram.COLUMNS]
    assert all(said.endswith("pass 1") for said in passes[4:]) and len(passes) == 8
    plt.close("all")
