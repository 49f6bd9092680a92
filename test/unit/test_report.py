"""Tables and records are functions of costs, and say what the costs say."""

from __future__ import annotations

import json

import pytest
from rich.console import Console
from rich.table import Table

from bsc.arch import preset
from bsc.checking import CheckResult, Difference, TensorCheck
from bsc.cost.network import LayerCost, NetworkCost
from bsc.frontend import NodeReport
from bsc.report.host import host_lines
from bsc.report.layers import layer_table, short_name, time_lines
from bsc.report.outcome import difference_lines, elided_table, outcome_lines
from bsc.report.record import cost_record, total_of
from bsc.report.screen import print_table
from bsc.report.units import plural, ratio, scaled, seconds


def layer(name: str, start: float, duration: float, bound: str, macs: int) -> LayerCost:
    return LayerCost(
        f"{name}_QuantizeLinear_Output",
        "conv2d",
        start,
        duration,
        bound,
        macs=macs,
        macs_dense=2 * macs,
        weight_bytes=600 if macs else 0,
        weight_bytes_dense=1000 if macs else 0,
        ddr_read_bytes=700,
        ddr_write_bytes=0,
        shares={"ddr": duration / 4, bound: duration * 3 / 4},
    )


@pytest.fixture
def cost() -> NetworkCost:
    layers = [layer("conv1", 0, 3e-6, "compute", 4000), layer("pool", 3e-6, 1e-6, "load", 0)]
    bounds = {"compute": 1e-6, "load": 1.6e-6}
    return NetworkCost("serial", 4e-6, 1.6e-6, bounds, layers, [])


def text_of(table: Table) -> list[list[str]]:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(table)
    return [line.split() for line in captured.get().splitlines()]


NODES = [
    NodeReport("quant", "QuantizeLinear", "host", "quantizes"),
    NodeReport("conv", "Conv", "array", "qnn.conv2d"),
    *(NodeReport(f"soft{i}", "Softmax", "host", "floating point") for i in range(5)),
    NodeReport("", "Cast", "host", "a cast"),
]


def test_the_record_has_the_fields_that_scripts_count_on(cost: NetworkCost):
    record = cost_record("m.onnx", preset("paper-4x4"), "serial", {"serial": cost}, NODES)
    assert json.loads(json.dumps(record)) == record
    head = {key: record[key] for key in ("model", "arch", "timing")}
    assert head == {"model": "m.onnx", "arch": "paper-4x4", "timing": "serial"}
    assert (record["total_s"], record["lower_bound_s"]) == (4e-6, 1.6e-6)
    assert record["timings"] == {
        "serial": {
            "total_s": 4e-6,
            "lower_bound_s": 1.6e-6,
            "lower_bounds_s": {"compute": 1e-6, "load": 1.6e-6},
        }
    }
    assert record["layers"][0] == {
        "name": "conv1_QuantizeLinear_Output",
        "op": "conv2d",
        "start_s": 0,
        "duration_s": 3e-6,
        "bound": "compute",
        "macs": 4000,
        "macs_dense": 8000,
        "weight_bytes": 600,
        "weight_bytes_dense": 1000,
        "ddr_read_bytes": 700,
        "ddr_write_bytes": 0,
        "shares_s": {"ddr": 0.75e-6, "compute": 2.25e-6},
    }
    assert record["totals"]["ddr_read_bytes"] == 1400
    assert [entry["node"] for entry in record["host"]][:2] == ["quant", "soft0"]


def test_the_layers_are_those_of_the_timing_asked_for(cost: NetworkCost):
    other = NetworkCost("other", 1.0, 0.5, {"load": 0.5}, [], [])
    record = cost_record("m", preset("npu1"), "other", {"serial": cost, "other": other})
    assert record["layers"] == []
    assert list(record["timings"]) == ["serial", "other"]


def test_the_total_is_the_sum(cost: NetworkCost):
    total = total_of(cost.layers)
    assert total.duration_s == pytest.approx(4e-6)
    assert (total.macs, total.macs_dense) == (4000, 8000)
    assert total.weight_bytes == 600


def test_the_layer_table(cost: NetworkCost):
    head, *rows = text_of(layer_table(cost))
    assert head[:5] == ["layer", "op", "us", "%", "bound"]
    conv = "conv1 conv2d 3.0 75.0 compute 4.00 k 0.50 600 0.60 700"
    pool = "pool conv2d 1.0 25.0 load 700"
    total = "total 4.0 100.0 4.00 k 0.50 600 0.60 1.40 k"
    assert [" ".join(row) for row in rows] == [conv, pool, total]


def test_a_table_is_printed_whole(cost: NetworkCost, capsys: pytest.CaptureFixture[str]):
    cost.layers[0].name = "n" * 150
    print_table(layer_table(cost))
    out = capsys.readouterr().out
    assert "n" * 150 in out
    assert "…" not in out
    assert len(out.splitlines()) == 4


def test_time_and_bound(cost: NetworkCost):
    assert time_lines(cost) == [
        "4.0 us with serial timing",
        "1.6 us lower bound (load), 2.50 times that",
    ]


def test_names_are_short_in_tables_and_never_empty():
    assert short_name("a_QuantizeLinear_Output") == "a"
    assert short_name("_QuantizeLinear_Output") == "_QuantizeLinear_Output"
    assert short_name("plain") == "plain"


def test_host_nodes_of_one_reason_share_a_line():
    assert host_lines(NODES) == [
        "1 of 8 ONNX nodes on the array",
        "on the host: quant: quantizes",
        "on the host: soft0, soft1, soft2 and 2 more: floating point",
        "on the host: (unnamed): a cast",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(2.8956e-3, "2,895.6 us"), (0.0123, "12.3 ms"), (4.5, "4.5 s"), (0.0, "0.0 us")],
)
def test_seconds(value: float, text: str):
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (999.7, "1.00 k"),
        (1234, "1.23 k"),
        (99_960, "100 k"),
        (2.3e9, "2.30 G"),
        (315e6, "315 M"),
    ],
)
def test_scaled(value: float, text: str):
    assert scaled(value) == text


def test_ratio_and_plural():
    assert (ratio(1, 2), ratio(1, 0)) == ("0.50", "–")
    assert (plural(1, "tensor"), plural(2048, "tensor")) == ("1 tensor", "2,048 tensors")


# Checks --------------------------------------------------------------------------------


def result_of(*tensors: TensorCheck, every_tensor: bool = True, **more: object) -> CheckResult:
    return CheckResult("m.onnx", "npu1", 2, 0, every_tensor, tensors, **more)  # pyright: ignore


GOOD = TensorCheck("a", "a", values=10)
ELIDED = TensorCheck("b", elided="a_QuantizeLinear_Output adds it", values=5)
BAD = TensorCheck("c", "layer c", "", 2048, 7, Difference(1, (0, 2, 3), 5, -5))


def test_all_equal():
    result = result_of(GOOD, ELIDED)
    assert outcome_lines(result) == [
        "1 of 1 tensor made by the program equal: 10 of 10 values",
        "1 of 1 tensor elided, run by the reference interpreter equal: 5 of 5 values",
        "1 made + 1 elided = 2 of the model's 2 quantized tensors",
    ]
    assert difference_lines(result) == []
    assert text_of(elided_table(result.elided))[1] == ["b", "a", "adds", "it"]


def test_a_difference_is_named_by_tensor_layer_and_index():
    result = result_of(GOOD, BAD, ELIDED)
    assert not result.ok
    assert outcome_lines(result)[0].endswith("2,051 of 2,058 values")
    assert difference_lines(result) == [
        "tensor 'c' (made by layer 'layer c') is the first that differs: 7 of 2,048 values, "
        "the first for input 1 at [0, 2, 3]: 5, onnxruntime has -5"
    ]


def test_what_is_unaccounted_for_is_named():
    result = result_of(GOOD, unaccounted=("x", "y"))
    assert not result.ok
    assert outcome_lines(result)[-1].endswith("= 1 of the model's 3 quantized tensors")
    (line,) = difference_lines(result)
    assert line.startswith("2 quantized tensors of the model neither made nor elided")


def test_onnxruntime_may_be_at_fault():
    node = NodeReport("fc", "Gemm", "array", "qnn.dense", "c", 2**25)
    assert difference_lines(result_of(GOOD, uncertified=(node,))) == []
    lines = difference_lines(result_of(BAD, uncertified=(node,)))
    assert "the sums of 'fc' reach 33,554,432" in lines[1]


def test_outputs_only():
    result = result_of(GOOD, every_tensor=False)
    assert outcome_lines(result) == [
        "1 of 1 tensor of the program's outputs equal: 10 of 10 values"
    ]
