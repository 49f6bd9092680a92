"""`bsc-opt`: run passes over a module, as MLIR's opt tools do.

    bsc-opt --split-width --alloc-memtile model.onnx -o model.mlir

This is xDSL's own driver with other hooks: passes as flags, ONNX as input, one-line errors,
dumps and timings on stderr, weights beside the text, and validation by value.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import IO

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import PassPipeline
from xdsl.utils.arg_spec import ArgSpec, parse_spec
from xdsl.xdsl_opt_main import xDSLOptMain

from bsc.errors import BscError
from bsc.monitor import DumpPoints, PassMonitor
from bsc.pipelines import NAMED_PIPELINES, find_pass, parse_specs, resolve
from bsc.tools import arguments
from bsc.tools.arguments import PROG, PassFlag, UsageError
from bsc.tools.diagnostics import INTERRUPTED, USER_ERRORS, describe, flush_output
from bsc.tools.help import add_help
from bsc.tools.locations import LocatingParser, Locations

STDIN = "<stdin>"


class BscOptMain(xDSLOptMain):
    """xDSL's driver with the hooks of `bsc-opt`."""

    version_format = f"{PROG} {version('bsc')} (xDSL {{xdsl_version}})"

    def __init__(self, argv: Sequence[str]) -> None:
        self.argv = list(argv)
        self.flags: list[PassFlag] = []
        self.monitor = PassMonitor()
        self.locations: Locations | None = None
        self.chunk = -1
        self.line_offset = 0
        self.part: Path | None = None
        super().__init__(args=self.argv)

    # Command line ----------------------------------------------------------------------

    def register_all_arguments(self, arg_parser: argparse.ArgumentParser) -> None:
        super().register_all_arguments(arg_parser)
        names = {*self.available_passes, *NAMED_PIPELINES}
        arguments.add_options(arg_parser, self.available_targets)
        add_help(arg_parser, self.available_passes)
        arguments.raise_usage_errors(arg_parser, names)
        # xDSL parses this very list next, without the pass flags.
        self.argv[:], self.flags = arguments.split_pass_flags(self.argv, names)

    def setup_pipeline(self) -> None:
        try:
            specs = self.pass_specs()
            for name in (*self.args.print_ir_before, *self.args.print_ir_after):
                find_pass(name, self.available_passes)
            passes = resolve(map(arguments.read_arch_file, specs), self.available_passes)
        except BscError as e:
            raise UsageError(str(e)) from e
        self.monitor.verify = not self.args.disable_verify
        self.monitor.dumps = DumpPoints(
            before=frozenset(self.args.print_ir_before),
            after=frozenset(self.args.print_ir_after),
            between=self.args.print_between_passes,
            after_all=self.args.print_ir_after_all,
        )
        if self.args.validate_values:
            from bsc.validation import PassValidator

            self.monitor.validator = PassValidator(self.args.validate_values, note=print_note)
        self.pipeline = PassPipeline(passes, self.monitor)

    def pass_specs(self) -> Sequence[ArgSpec]:
        """The passes asked for, as flags or with -p.  Raises BscError if both are used."""
        if self.flags and self.args.passes:
            raise BscError(f"use either -p or --{self.flags[0].name}, not both")
        if self.flags:
            return [flag.spec(self.available_passes) for flag in self.flags]
        return parse_specs(self.args.passes)

    # Input -----------------------------------------------------------------------------

    def register_all_frontends(self) -> None:
        super().register_all_frontends()
        self.available_frontends["mlir"] = self.parse_mlir
        self.available_frontends["onnx"] = self.parse_onnx

    def get_input_stream(self) -> tuple[IO[bytes], str]:
        if self.args.input_file in (None, "-"):
            return sys.stdin.buffer, "mlir"
        extension = Path(self.args.input_file).suffix.removeprefix(".")
        if extension not in self.available_frontends and self.args.frontend is None:
            raise BscError(f"{self.args.input_file}: give a .mlir or .onnx file, or -f FORMAT")
        return super().get_input_stream()

    def get_input_name(self) -> str:
        return STDIN if self.args.input_file in (None, "-") else self.args.input_file

    def parse_chunk(
        self, chunk: IO[bytes], file_extension: str, start_offset: int = 0
    ) -> ModuleOp | None:
        self.chunk += 1
        self.line_offset = start_offset
        self.monitor.stage = ""
        with self.monitor.measure("parse"):
            return super().parse_chunk(chunk, file_extension, start_offset)

    def parse_mlir(self, stream: IO[bytes]) -> ModuleOp:
        """The frontend of `.mlir`: xDSL's parser, with positions for messages."""
        name = self.get_input_name()
        try:
            text = stream.read().decode("utf-8")
        except UnicodeDecodeError as e:
            raise BscError(f"{name}: not a text in UTF-8: {e.reason} at {e.start}") from e
        parser = LocatingParser(self.ctx, text, name)
        self.locations = Locations(parser, self.line_offset)
        return self.locations.parse_module(not self.args.no_implicit_module)

    def parse_onnx(self, stream: IO[bytes]) -> ModuleOp:
        """The frontend of `.onnx`.  It takes the path: weights may lie beside the model."""
        if self.get_input_name() == STDIN or self.args.split_input_file:
            raise BscError("an ONNX model is read whole, from a file of its own")
        from bsc.frontend import import_onnx

        return import_onnx(self.args.input_file).module

    # Output ----------------------------------------------------------------------------

    def output_path(self) -> Path | None:
        """The regular file to write, or None for a stream (stdout, a pipe, /dev/null)."""
        if self.args.output_file in (None, "-"):
            return None
        path = Path(self.args.output_file)
        return path if path.is_file() or not path.exists() else None

    def prepare_output(self) -> IO[str]:
        if self.args.output_file == "-":
            return sys.stdout
        if (path := self.output_path()) is None:
            return super().prepare_output()
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            stream = part.open("w", encoding="utf-8")
        except OSError as e:
            raise BscError(f"{path}: cannot write the output: {e.strerror}") from e
        self.part = part
        return stream

    def output_resulting_program(self, prog: ModuleOp) -> str:
        with self.monitor.measure("print"):
            if parse_spec(self.args.target).name == "mlir":
                self.save_weights(prog)
            return super().output_resulting_program(prog)

    def save_weights(self, module: ModuleOp) -> None:
        """Move large payloads into a file beside the text (the rules: `bsc.sidecar`)."""
        attributes = (attr for op in module.walk() for attr in op.properties.values())
        if all(attr.name != "bsw.payload" for attr in attributes):
            return  # without the import of numpy
        from bsc.sidecar import SUFFIX, save_payloads

        output, source = self.output_path(), Path(self.get_input_name())
        base = Path(source.stem.strip("<>")) if output is None else output.with_suffix("")
        number = f".{self.chunk}" if self.chunk else ""
        path = base.with_name(f"{base.name}{number}{SUFFIX}")
        sidecar = save_payloads(module, path, source.parent, replace=output is not None)
        if sidecar is not None and sidecar.changed and output is None:
            print_note(f"{sidecar.size} bytes of weights are in ./{sidecar.path}")

    def run(self) -> None:
        try:
            super().run()
            if self.part is not None:
                self.part.replace(self.args.output_file)
        finally:
            if self.part is not None:
                self.part.unlink(missing_ok=True)
            if self.args.time_passes:
                print(self.monitor.timing_table(), file=sys.stderr)


def print_note(text: str) -> None:
    """Print a note on stderr, in the form of the errors."""
    print(f"{PROG}: note: {text}", file=sys.stderr)


def run(argv: Sequence[str]) -> int:
    """Run `bsc-opt` on the arguments `argv`; returns the exit code."""
    tool: BscOptMain | None = None
    try:
        tool = BscOptMain(argv)
        tool.run()
        flush_output()
    except BrokenPipeError:
        # Whoever read our output has seen enough; what is still buffered has no reader.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except USER_ERRORS as e:
        if "--traceback" in argv:
            raise
        stage, locations = ("", None) if tool is None else (tool.monitor.stage, tool.locations)
        print(describe(e, PROG, stage, locations), file=sys.stderr)
        return 2 if isinstance(e, UsageError) else 1
    return 0


def main() -> int:
    """The console script."""
    # Passes allocate much and leave few cycles: without collections they are 2 to 4 times
    # faster, and frozen objects spare the last one at exit.
    gc.disable()
    code = run(sys.argv[1:])
    gc.freeze()
    return code
