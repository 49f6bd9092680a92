"""The page of `bsc view` in headless Chromium, as a person uses it.

Not among the paths of pytest's own configuration: `make page` runs it, where there is a
browser.  BSC_CHROMIUM and BSC_CHROMEDRIVER say where, if they are not on the path;
BSC_SCREENSHOTS names a folder to put screenshots into.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from qdq_models import random_network
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

import bsc
from bsc.arch import preset
from bsc.prepare import prepare
from bsc.view import view_page

LANES = ["LOAD", "LOADW", "LOADFM", "LOADWDM", "COMP", "WRITEFM", "WRITE"]
ARGUMENTS = (
    "headless",
    "no-sandbox",
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "window-size=1500,1500",
)


def program_path(variable: str, *names: str) -> str:
    """The path of a program: given by a variable of the environment, or on the path."""
    found = [os.environ.get(variable), *map(shutil.which, names)]
    path = next((path for path in found if path), None)
    assert path is not None, f"none of {names} is on the path: install one or set {variable}"
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = program_path("BSC_CHROMIUM", "chromium", "chromium-browser")
    for argument in (*ARGUMENTS, f"user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = Service(program_path("BSC_CHROMEDRIVER", "chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture(scope="module", params=["resnet50", "random"])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of two programs: ResNet-50 dense and sparse, or two random networks, one of
    them on a machine so small that it spills."""
    if request.param == "resnet50":
        models = {name: prepare("resnet50", sparsity=s) for name, s in RESNETS.items()}
        texts = {name: bsc.compile(model).program for name, model in models.items()}
    else:
        small = dataclasses.replace(preset("paper-3x2"), memtile_bytes=16384)
        texts = {
            "roomy": bsc.compile(random_network(1), "paper-2x3").program,
            "spilling": bsc.compile(random_network(3), small).program,
        }
    path = tmp_path_factory.mktemp("page") / f"{request.param}.html"
    path.write_text(view_page(texts), encoding="utf-8")
    assert path.stat().st_size < 15e6
    return path


RESNETS = {"dense": 0.0, "sparse": 0.5}


@pytest.fixture
def opened(browser: webdriver.Chrome, page: Path) -> Iterator[webdriver.Chrome]:
    """The page, just opened; at the end there must be nothing on its console."""
    browser.get(page.as_uri())
    yield browser
    assert log(browser) == []


def log(browser: webdriver.Chrome) -> list[Any]:
    return cast("list[Any]", cast(Any, browser).get_log("browser"))


def evaluate(browser: webdriver.Chrome, script: str) -> Any:
    """The value of a JavaScript expression."""
    return cast(Any, browser).execute_script(f"return {script}")


def screenshot(browser: webdriver.Chrome, page: Path, name: str) -> None:
    if folder := os.environ.get("BSC_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        path = Path(folder) / f"{page.stem}-{name}.png"
        assert cast(Any, browser).save_screenshot(str(path))


def overs(browser: webdriver.Chrome, kind: str) -> list[WebElement]:
    """What lies over the drawings of the charts of a kind."""
    return browser.find_elements(By.CSS_SELECTOR, f'[data-chart="{kind}"] .u-over')


def size_of(over: WebElement) -> tuple[float, float]:
    """Width and height in pixels."""
    size = cast("dict[str, float]", cast(Any, over).size)
    return size["width"], size["height"]


def painted(browser: webdriver.Chrome, chart: int) -> int:
    """How many pixels of a chart's canvas are not blank."""
    return int(
        evaluate(
            browser,
            f"(() => {{ const c = bscView.charts[{chart}].plot.ctx.canvas; const d = "
            "c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0; "
            "for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n; })()",
        )
    )


def hover(browser: webdriver.Chrome, over: WebElement, x: float, y: float) -> str:
    """What the page says of a place, given in pixels from the top left."""
    width, height = size_of(over)
    left, top = x - width / 2, y - height / 2
    ActionChains(browser).move_to_element_with_offset(over, round(left), round(top)).perform()
    tip = browser.find_element(By.ID, "tip")
    return tip.text if tip.is_displayed() else ""


def centre_of(browser: webdriver.Chrome, lane: str) -> tuple[float, float]:
    """A place in the first timeline where an operation of a lane is, in pixels."""
    script = f"""(() => {{
      const {{ plot, program }} = bscView.charts[0];
      const lane = program.lanes.indexOf("{lane}");
      const channel = program.channels.find((c) => c.lane === lane && c.end > c.first);
      const {{ start, duration }} = program.ops;
      let i = channel.first;
      for (let j = i; j < channel.end; j++) if (duration[j] > duration[i]) i = j;
      const row = program.rows[lane];
      const y = row.y + row.height * (channel.part + 0.5) / row.count;
      return [plot.valToPos(start[i] + duration[i] / 2, "x"), plot.valToPos(y, "y")];
    }})()"""
    x, y = evaluate(browser, script)
    return float(x), float(y)


def largest_tensor(browser: webdriver.Chrome) -> tuple[float, float]:
    """The middle of the largest rectangle of the first memtile map, in pixels."""
    script = """(() => {
      const { plot, program } = bscView.charts.find((c) => c.kind === "memtiles");
      const area = ([, , , lo, hi, start, end]) => (hi - lo) * (end - start);
      const [, , , lo, hi, start, end] =
        bscView.tensors(program).reduce((a, b) => (area(b) > area(a) ? b : a));
      return [plot.valToPos((start + end) / 2, "x"), plot.valToPos((lo + hi) / 2, "y")];
    })()"""
    x, y = evaluate(browser, script)
    return float(x), float(y)


def test_lanes_and_memtile_maps_are_there(opened: webdriver.Chrome, page: Path):
    assert evaluate(opened, "bscView.charts.map((c) => c.kind)") == (
        ["timeline"] * 2 + ["memtiles"] * 2
    )
    assert evaluate(opened, "bscView.programs.map((p) => p.lanes)") == [LANES, LANES]
    for chart in range(4):
        assert painted(opened, chart) > 5000
    assert len(evaluate(opened, "bscView.tensors(bscView.programs[0])")) > 2
    screenshot(opened, page, "whole")
    before = evaluate(opened, "bscView.charts[2].plot.ctx.canvas.toDataURL()")
    Select(opened.find_element(By.ID, "memtile")).select_by_index(1)
    cast(Any, opened).execute_async_script("requestAnimationFrame(arguments[0])")
    assert evaluate(opened, "bscView.charts[2].plot.ctx.canvas.toDataURL()") != before


def test_hover_tells_of_the_instruction(opened: webdriver.Chrome, page: Path):
    (over, _) = overs(opened, "timeline")
    for lane in ("LOADW", "LOADFM", "LOADWDM", "COMP", "WRITEFM"):
        text = hover(opened, over, *centre_of(opened, lane))
        assert lane == "COMP" or text.startswith(lane)
        for word in ("line", "layer", "iteration", "bytes", "locks", "bound"):
            assert word in text, f"{lane}: {text}"
    screenshot(opened, page, "hover")
    (over, _) = overs(opened, "memtiles")
    text = hover(opened, over, *largest_tensor(opened))
    assert "address" in text
    assert "lives" in text


def test_dragging_zooms_down_to_iterations(opened: webdriver.Chrome, page: Path):
    (over, second) = overs(opened, "timeline")
    x, _ = centre_of(opened, "COMP")
    before = evaluate(opened, "bscView.window()")
    for _ in range(2):
        # An operation may be near the left edge.
        first = round(max(2, x - 20) - size_of(over)[0] / 2)
        ActionChains(opened).move_to_element_with_offset(over, first, 0).click_and_hold()\
            .move_by_offset(40, 0).release().perform()  # fmt: skip
        x, _ = centre_of(opened, "COMP")
    after = evaluate(opened, "bscView.window()")
    assert before[0] <= after[0] < after[1] <= before[1]
    assert after[1] - after[0] < (before[1] - before[0]) / 200
    assert evaluate(opened, "bscView.level()[0]") == "iterations"
    # All charts show the same window.
    windows = evaluate(
        opened, "bscView.charts.map((c) => [c.plot.scales.x.min, c.plot.scales.x.max])"
    )
    assert windows == [after] * 4
    screenshot(opened, page, "iterations")
    ActionChains(opened).double_click(second).perform()
    assert evaluate(opened, "bscView.window()") == before


def test_the_table_sorts_and_zooms(opened: webdriver.Chrome, page: Path):
    def column(key: str) -> list[str]:
        return evaluate(
            opened,
            f"""(() => {{
          const heads = [...document.querySelectorAll("th[data-key]")];
          const at = heads.findIndex((h) => h.dataset.key === "{key}");
          return [...document.querySelectorAll("#table tbody tr")]
            .map((r) => r.cells[at].textContent);
        }})()""",
        )

    head = opened.find_element(By.CSS_SELECTOR, "th[data-key=us0]")
    before = column("us0")
    evaluate(opened, "document.querySelector('#table').scrollIntoView({block: 'center'})")
    cast(Any, opened).execute_script("arguments[0].click()", head)
    filled = [float(text.replace(",", "")) for text in column("us0") if text]
    assert filled == sorted(filled, reverse=True)
    assert sorted(column("us0")) == sorted(before)
    cast(Any, opened).execute_script("arguments[0].click()", head)
    assert [float(t.replace(",", "")) for t in column("us0") if t] == sorted(filled)
    screenshot(opened, page, "table")
    evaluate(opened, "document.querySelector('#table tbody tr').click()")
    start, end = evaluate(opened, "bscView.window()")
    assert end - start < evaluate(opened, "bscView.programs[0].total_us")


def test_it_responds_within_a_second(browser: webdriver.Chrome, page: Path):
    start = time.perf_counter()
    browser.get(page.as_uri())
    assert evaluate(browser, "bscView.level().length") == 2
    opened = time.perf_counter() - start
    # Everything from the click to the drawing, at each level of detail.
    slowest = evaluate(
        browser,
        "(() => { let most = 0; const total = bscView.window()[1]; "
        "for (const share of [1, 0.5, 0.2, 0.1, 0.05, 0.01]) { const t = performance.now(); "
        "bscView.zoom(0, total * share); most = Math.max(most, performance.now() - t); } "
        "return most; })()",
    )
    assert opened < 5
    assert slowest < 1000
    assert log(browser) == []
