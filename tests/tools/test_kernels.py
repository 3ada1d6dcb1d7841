from __future__ import annotations

import pytest

from tools.kernels import KERNELS, output_text, run_notebook

pytestmark = pytest.mark.usefixtures("jupyter")


@pytest.mark.parametrize(("kernel", "major"), list(zip(KERNELS, ("6", "7"), strict=True)))
def test_a_kernelspec_runs_the_ipykernel_it_names(kernel: str, major: str) -> None:
    ran = run_notebook(["import ipykernel; ipykernel.__version__"], kernel=kernel)

    assert output_text(ran.cells[0]).startswith(f"'{major}.")
