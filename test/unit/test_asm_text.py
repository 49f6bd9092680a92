"""The program text: what is printed is read back, and what is wrong is refused in a line."""

from __future__ import annotations

import pytest
from honest_programs import NAMES, subject
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from bsc.arch import Arch
from bsc.asm.instr_parser import parse_words
from bsc.asm.isa import SPECS, Field, Kind
from bsc.asm.parser import parse_program, split_words
from bsc.asm.printer import instr_words, print_instr, print_program
from bsc.asm.program import FieldValue, Instr, LockUse, Post, Program, Slots, Value
from bsc.errors import BscError
from bsc.numerics import Requant, Residual, Rounding


@pytest.mark.parametrize("name", NAMES)
def test_whole_programs_are_read_back(name: str) -> None:
    program = parse_program(subject(name).text)
    text = print_program(program)
    assert print_program(parse_program(text)) == text
    code = [" ".join(split_words(line)) for line in subject(name).text.splitlines()]
    assert code == [" ".join(split_words(line)) for line in text.splitlines()]


_NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.']{0,8}", fullmatch=True)
_SIZES = st.integers(1, 2**20)
_POSITIONS = st.integers(-40, 40)


def _locks() -> SearchStrategy[LockUse]:
    names = st.lists(_NAMES, min_size=1, max_size=2).map(tuple)
    return st.builds(LockUse, names, _SIZES, _SIZES, st.sampled_from(["", "l", "r", "all"]))


@st.composite
def _posts(draw: DrawFn) -> Post:
    def rounding() -> Requant:
        lo, hi = sorted(draw(st.tuples(st.integers(-128, 127), st.integers(-128, 127))))
        return Requant(draw(_POSITIONS), lo, hi)

    steps = [draw(st.one_of(st.builds(Residual, _POSITIONS), st.just(rounding())))]
    return Post((*steps, rounding()) if draw(st.booleans()) else (rounding(),))


def _values(field: Field, depth: int) -> SearchStrategy[Value]:
    bounds = (-1024, 1024) if field.kind is Kind.POSITION else (0, 2**20)
    values: SearchStrategy[Value] = st.integers(*bounds)
    for _ in range(depth):
        values = st.lists(values, min_size=1, max_size=3).map(tuple)
    return values


@st.composite
def _field_values(draw: DrawFn, field: Field) -> FieldValue:
    match field.kind:
        case Kind.SLOTS:
            addresses = draw(st.lists(st.integers(0, 2**16), min_size=1, max_size=3))
            return Slots(tuple(addresses), draw(_SIZES))
        case Kind.POST:
            return draw(_posts())
        case Kind.WORD:
            legal = (
                ["window", "inside"] if field.name == "count" else [r.value for r in Rounding]
            )
            return draw(st.sampled_from(legal))
        case Kind.TABLE:
            return draw(st.binary(min_size=256, max_size=256)).hex()
        case _:
            depth = draw(st.integers(0, len(field.axes) + field.varies))
            return draw(_values(field, depth))


@st.composite
def instructions(draw: DrawFn) -> Instr:
    """Any well-formed instruction, whatever the machine."""
    spec = draw(st.sampled_from(list(SPECS.values())))
    given_ = [f for f in spec.fields if not f.optional or draw(st.booleans())]
    fields = {field.name: draw(_field_values(field)) for field in given_}
    iters = draw(st.lists(st.integers(1, 250), min_size=1, max_size=2).map(tuple))
    named = spec.mnemonic in ("LOADFM", "LOADWDM", "WRITEFM") and draw(st.booleans())
    lock = draw(_locks()) if named else None
    some = st.lists(_locks(), max_size=3).map(tuple)
    return Instr(spec.mnemonic, iters, fields, lock, draw(some), draw(some))


@given(instructions())
def test_any_instruction_is_read_back(instr: Instr) -> None:
    words = split_words(print_instr(instr))
    again = parse_words(words, 0)
    assert again == instr
    assert instr_words(again) == instr_words(instr)


# What is wrong is refused -----------------------------------------------------------------


def _program(*body: str) -> str:
    head = print_program(Program("p", Arch("small", rows=2, cols=2))).splitlines()[:-1]
    return "\n".join([*head, *body, ".end"])


_TENSOR = '.tensor t0 "t" shape=[2,4,8] type=i8 pos=3 pixel=8 ddr=0x0'
_WIDE = '.tensor t0 "t" shape=[1,2,20] type=i8 pos=3 pixel=24 ddr=0x0 order=[1,0,2]'
_COPY = "COPY iteration 1 in=0x0 out=0x40 h=1 w=1 c=8 xpos=3 post=round(3)"
_LAYER = '.layer "x" op=requantize'
_POOL = (
    "MAXPOOL iteration 1 in=0x0 out=0x40 h=1 w=1 c=8 hin=2 win=2 k=[2,2] s=[1,1] d=[1,1] "
    "pt=0 pb=0 pl=0 pr=0 xpos=3 post=round(3)"
)

_REFUSED = [
    ([".nothing"], "unknown directive '.nothing'"),
    ([".lok a core init=0"], "did you mean '.lock'?"),
    ([".lock a core"], "3 values expected, 2 given"),
    ([".lock a core init=-1"], "-1 must be at least 0"),
    ([".lock a core init=one"], "'one' is not a number"),
    ([".lock a disk init=1"], "not 'disk'"),
    ([".lock 1a core init=1"], "'1a' is not a name"),
    ([".lock a core init=1", ".lock a core init=1"], "declared twice"),
    ([_TENSOR, _TENSOR], "tensor 't0' is declared twice"),
    ([_TENSOR.replace("pixel=8", "pixel=7")], "pixel=7 is too small for 8 channels"),
    ([_TENSOR.replace("i8", "i16")], "type=i16: one of i8, i32"),
    ([_TENSOR.replace("[2,4,8]", "[2,4]")], "give H, W and C"),
    ([_TENSOR.replace("[2,4,8]", "[2,4,8")], "not a list of numbers"),
    ([_TENSOR.replace("pos=3", "")], "pos is missing"),
    ([_TENSOR.replace("pos=3", "pos=3 pos=4")], "pos is given twice"),
    ([_TENSOR.replace("pos=3", "pos=3 poss=3")], "unknown key 'poss'; did you mean 'pos'?"),
    ([_WIDE.replace("[1,0,2]", "[1,0]")], "order must name each of 3 granules of channels"),
    ([_WIDE.replace("[1,0,2]", "[1,0,3]")], "order must name each of 3 granules of channels"),
    ([_WIDE.replace("[1,0,2]", "[1,1,2]")], "order must name each of 3 granules of channels"),
    ([_WIDE.replace("[1,0,2]", "1")], "'1' is not a list of numbers"),
    ([_WIDE.replace("[1,0,2]", "[0,2,1]")], "order: the last granule has only 4 channels"),
    (
        [_WIDE, '.input t0 "x" dtype=int8 layout=NCHW dims=[1,20,1,2] zero=0'],
        "tensor t0 has an order, which the host does not know",
    ),
    (
        [_WIDE, '.output t0 "x" dtype=int8 layout=NCHW dims=[1,20,1,2] zero=0'],
        "tensor t0 has an order, which the host does not know",
    ),
    ([_TENSOR.replace('"t"', '"t')], "a quoted string is not closed"),
    ([_TENSOR.replace('"t"', "t")], "t is not a quoted string"),
    ([_TENSOR, '.input t0 "x" dtype=int4 layout=NCHW dims=[1,8,2,4] zero=0'], "dtype=int4"),
    ([_TENSOR, '.input t0 "x" dtype=int8 layout=CN dims=[1,8,2,4] zero=0'], "layout=CN"),
    ([_TENSOR, '.input t0 "x" dtype=int8 layout=NCHW dims=[1,8,2] zero=0'], "the size of t0"),
    ([_TENSOR, '.input t0 "x" dtype=uint8 layout=NCHW dims=[64] zero=0'], "of uint8 is 128"),
    (['.input t0 "x" dtype=int8 layout=NCHW dims=[64] zero=0'], "unknown tensor 't0'"),
    (['.layer "x" op=convolve'], "unknown op 'convolve'"),
    (['.layer "x"'], "op is missing"),
    ([_LAYER, _TENSOR], ".tensor must stand before the first layer"),
    ([_LAYER, "COPPY iteration 1"], "unknown instruction 'COPPY'; did you mean 'COPY'?"),
    ([_LAYER, "COPY in=0x0"], "COPY: iteration is missing"),
    ([_LAYER, _COPY.replace("1 in", "0 in")], "0 must be at least 1"),
    ([_LAYER, _COPY.replace("1 in", "1x1x1 in")], "at most two levels"),
    ([_LAYER, _COPY.replace("1 in", "65537 in")], "iter 65537: at most two levels, 65536"),
    ([_TENSOR.replace("pos=3", "pos=1025")], "position 1025 is not within +-1024"),
    ([_LAYER, _COPY.replace("xpos=3", "xpos=-1025")], "position -1025 is not within"),
    ([_LAYER, _COPY.replace("round(3)", "round(1025)")], "position 1025 is not within"),
    ([_LAYER, _COPY.replace("round(3)", f"round({'9' * 5000})")], "is not a number"),
    ([_LAYER, f"{_COPY} acq=a*{'9' * 5000}"], "is not a number"),
    ([_LAYER, f"{_COPY} acq=a*{2**63}"], "9223372036854775808 is too large"),
    (['.layer "x" op=max_pool', _POOL.replace("k=[2,2]", "k=[0,2]")], "k must be at least 1"),
    ([_LAYER, _COPY.replace("h=1", "")], "COPY: h is missing (rows of the output)"),
    ([_LAYER, _COPY.replace("h=1", "h=1 h=1")], "h is given twice"),
    ([_LAYER, _COPY.replace("h=1", "hh=1")], "unknown field 'hh'"),
    ([_LAYER, _COPY.replace("h=1", "h=-1")], "h: -1 is negative"),
    ([_LAYER, _COPY.replace("h=1", "h=[1,1]")], "h: a list over nothing"),
    ([_LAYER, _COPY.replace("w=1", "w=[1,1,1]")], "w: a list over col must be 2"),
    ([_LAYER, _COPY.replace("w=1", "w=[1,[1]]")], "w: not a regular list"),
    ([_LAYER, _COPY.replace("w=1", "w=1e3")], "'1e3' is not a number"),
    ([_LAYER, _COPY.replace("w=1", "w=99999999999999999")], "too large"),
    ([_LAYER, _COPY.replace("w=1", "w")], "'w' is not key=value"),
    ([_LAYER, _COPY.replace("round(3)", "round(3,2,1)")], "bounds must lie in"),
    ([_LAYER, _COPY.replace("round(3)", "add(3)")], "the last step must round"),
    ([_LAYER, _COPY.replace("round(3)", "floor(3)")], "steps are"),
    ([_LAYER, _COPY + " rounding=up"], "one of half_even"),
    (['.layer "x" op=lookup', "LOOKUP iteration 1 table=00ff"], "a table is 512 digits"),
    (['.layer "x" op=lookup', f"LOOKUP iteration 1 table={'0F' * 256}"], "a table is 512"),
    ([_LAYER, _COPY + " acq=k_0"], "unknown lock 'k_0'"),
    ([_LAYER, _COPY + " acq=k_0*0"], "amount and period are at least 1"),
    ([_LAYER, _COPY + " acq=k_0@up"], "is not a lock"),
    ([_LAYER, _COPY.replace("COPY", "COPY Lock k_0")], "COPY has no Lock"),
    ([_LAYER, "LOADFM iter 1 memtile"], "'memtile' needs a value"),
    ([_COPY], "COPY in a layer that computes with nothing"),
    (['.layer "x" op=add', _COPY], "COPY in a layer that computes with ADD"),
    ([".ready t0 ddr"], "unknown tensor 't0'"),
    ([_TENSOR.replace(" ddr=0x0", ""), ".ready t0 ddr"], "t0 has no address in DDR"),
    ([_TENSOR, ".ready t0 memtile=0x0 spread=w bounds=[0,5,4]"], "do not cut W = 4"),
    ([_TENSOR, ".ready t0 memtile=0x0 spread=w bounds=[0,2,5]"], "do not cut W = 4"),
    ([_TENSOR, ".ready t0 memtile=0x0 spread=c bounds=[0,4]"], "do not cut C = 8"),
    ([_TENSOR, ".ready t0 memtile=0x0 spread=all bounds=[0,4]"], "or spread=all"),
    ([".end", _LAYER], "after .end"),
]


@pytest.mark.parametrize(("body", "message"), _REFUSED, ids=lambda v: str(v)[-40:])
def test_a_mistake_is_told_in_one_line_with_its_number(body: list[str], message: str) -> None:
    text = _program(*body)
    with pytest.raises(BscError) as caught:
        parse_program(text, "bad.asm")
    said = str(caught.value)
    assert message in said
    assert "\n" not in said
    # The mistake is in the last line but one: `.end` follows.
    assert said.startswith(f"bad.asm:{len(text.splitlines()) - 1}: ")


def test_a_program_starts_and_ends() -> None:
    whole = _program()
    assert parse_program(whole).name == "p"
    with pytest.raises(BscError, match=r"^program\.asm: no \.end"):
        parse_program(whole.removesuffix(".end"))
    with pytest.raises(BscError, match=r":1: a program starts with '\.bsc 1'"):
        parse_program(whole.removeprefix(".bsc 1\n"))
    with pytest.raises(BscError, match=r":1: version 2; this reader knows version 1"):
        parse_program(whole.replace(".bsc 1", ".bsc 2"))


def test_the_machine_is_whole() -> None:
    whole = _program()
    with pytest.raises(BscError, match="rows is missing; a program carries the whole machine"):
        parse_program(whole.replace(" rows=2", ""))
    with pytest.raises(BscError, match="unknown field 'rowz'; did you mean 'rows'"):
        parse_program(whole.replace("rows=2", "rows=2 rowz=2"))
    with pytest.raises(BscError, match="rows must be at least 1"):
        parse_program(whole.replace("rows=2", "rows=0"))


@given(st.text(max_size=20))
def test_names_of_any_letters_are_read_back(name: str) -> None:
    whole = _program(_LAYER)
    program = parse_program(whole)
    program.name = name
    assert parse_program(print_program(program)).name == name


@settings(max_examples=300)
@given(st.data())
def test_damaged_text_is_read_or_refused_but_never_trips(data: st.DataObject) -> None:
    """A character more, less or other somewhere: a program, or a BscError in one line."""
    text = subject("mixed").text
    at = data.draw(st.integers(0, len(text) - 1))
    cut = data.draw(st.integers(0, 3))
    put = data.draw(st.text(st.sampled_from('x0-[]"=|,#. @*/'), max_size=3))
    refusal = ""
    try:
        parse_program(text[:at] + put + text[at + cut :])
    except BscError as e:
        refusal = str(e)
    assert "\n" not in refusal
