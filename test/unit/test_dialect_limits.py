"""Limits of the dialects that no text can overstep, only a program."""

from __future__ import annotations

import pytest
from xdsl.dialects.builtin import IntAttr, StringAttr, i32
from xdsl.utils.exceptions import VerifyException

from bsc.dialects.bsw import WeightType
from bsc.dialects.placement import Spread, SpreadAttr, SpreadAxis
from bsc.dialects.qnn_attributes import shape_of


def test_the_bias_of_a_weight_is_a_position():
    with pytest.raises(VerifyException, match="bias must be a position"):
        WeightType.new([*(IntAttr(8),) * 5, StringAttr("some")])


def test_a_spread_over_all_has_no_boundaries():
    with pytest.raises(VerifyException, match="a spread over all has no boundaries"):
        SpreadAttr(Spread(SpreadAxis.ALL, (0, 8)))


def test_only_tensors_have_a_shape():
    with pytest.raises(VerifyException, match="i32 is not a tensor"):
        shape_of(i32)
