"""The driver itself, on a widget as small as can be."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from browser.lab import CellError, LabPage
from tools.kernels import KERNELS

WIDGET = '''
import anywidget, traitlets

class Counter(anywidget.AnyWidget):
    _esm = """export default { render({ model, el }) {
      const button = document.createElement("button");
      const draw = () => { button.textContent = `count ${model.get("value")}`; };
      button.onclick = () => { model.set("value", model.get("value") + 1); model.save_changes(); };
      model.on("change:value", draw);
      draw();
      el.append(button);
    } }"""
    value = traitlets.Int(0).tag(sync=True)

counter = Counter()
counter
'''


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_widget_is_drawn_and_answers(lab: LabPage, kernel: str) -> None:
    lab.open(
        [WIDGET, "import ipykernel; print(ipykernel.__version__, counter.value)"], kernel=kernel
    )
    lab.run_cell(0)
    button = lab.output(0).get_by_role("button")
    expect(button).to_have_text("count 0")

    button.click()
    expect(button).to_have_text("count 1")
    lab.run_cell(1)

    version, value = lab.output_text(1).split()
    assert f"ipykernel{version.split('.')[0]}" == kernel
    assert value == "1"
    assert lab.evaluate_in_kernel("[counter.value, '“']") == [1, "“"]


def test_cells_are_edited_run_and_restarted(lab: LabPage) -> None:
    lab.open(["x = 1", "print(x)"])
    lab.run_all()
    assert lab.output_text(1) == "1\n"

    lab.set_source(0, "x = 2")
    lab.run_all()
    assert lab.output_text(1) == "2\n"

    lab.restart_kernel()
    with pytest.raises(CellError, match="name 'x' is not defined"):
        lab.run_cell(1)


def test_a_started_cell_runs_on_while_the_page_reloads(lab: LabPage) -> None:
    lab.open(["import threading; go = threading.Event()", "go.wait(60); print('went on')", "1 + 1"])
    lab.run_cell(0)
    lab.start_cell(1)

    lab.reload()
    assert lab.server.busy()

    lab.server.interrupt()
    lab.wait_for_kernel()
    lab.run_cell(2)
    assert lab.output_text(2) == "2"
