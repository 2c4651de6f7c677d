# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Generated code, and programs on it, under mypy and pyright, both strict.

Part of it is of public .proto files, or rather of the modules that were generated from them:
these hold descriptors, and protoc takes descriptors where it could take files.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from generating import TYPED, generate, protoc, run_python
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from support import HERE

pytestmark = [pytest.mark.uvgrpc_only, pytest.mark.slow]

# By the packages on PyPI that have them.
PUBLIC = {
    "googleapis-common-protos": [
        "google.cloud.location.locations_pb2",
        "google.longrunning.operations_pb2",
    ],
    "grpcio-channelz": ["grpc_channelz.v1.channelz_pb2"],
    "grpcio-health-checking": ["grpc_health.v1.health_pb2"],
    "grpcio-reflection": ["grpc_reflection.v1alpha.reflection_pb2"],
    "grpc-interceptor": ["grpc_interceptor.testing.protos.dummy_pb2"],
    "xds-protos": [
        "google.api.servicecontrol.v1.service_controller_pb2",
        "google.api.servicemanagement.v1.servicemanager_pb2",
        "google.logging.v2.logging_pb2",
        "cel.expr.conformance.conformance_service_pb2",
        "envoy.service.accesslog.v3.als_pb2",
        "envoy.service.auth.v3.external_auth_pb2",
        "envoy.service.cluster.v3.cds_pb2",
        "envoy.service.discovery.v3.ads_pb2",
        "envoy.service.endpoint.v3.eds_pb2",
        "envoy.service.ext_proc.v3.external_processor_pb2",
        "envoy.service.health.v3.hds_pb2",
        "envoy.service.listener.v3.lds_pb2",
        "envoy.service.load_stats.v3.lrs_pb2",
        "envoy.service.rate_limit_quota.v3.rlqs_pb2",
        "envoy.service.ratelimit.v3.rls_pb2",
        "envoy.service.route.v3.rds_pb2",
        "envoy.service.secret.v3.sds_pb2",
        "envoy.service.status.v3.csds_pb2",
        "opencensus.proto.agent.trace.v1.trace_service_pb2",
        "opentelemetry.proto.collector.logs.v1.logs_service_pb2",
        "opentelemetry.proto.collector.metrics.v1.metrics_service_pb2",
        "opentelemetry.proto.collector.trace.v1.trace_service_pb2",
        "udpa.service.orca.v1.orca_pb2",
        "xds.service.orca.v3.orca_pb2",
    ],
}

_MYPY = """
[mypy]
strict = true
python_version = 3.11
explicit_package_bases = true
enable_error_code = deprecated
cache_dir = {cache}
# Checked elsewhere, with what it needs for that.
[mypy-uvgrpc.*]
ignore_errors = true
[mypy-google.rpc.*]
ignore_missing_imports = true
"""


# Errors by their files and lines.
Errors = dict[str, dict[int, str]]


@dataclass
class Checked:
    """What the checkers find.

    Attributes:
      folder: where all is.
      generated: the generated files.
    """

    folder: Path
    generated: list[Path]
    mypy: Errors
    pyright: Errors


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generated")
    generate(folder, "python", "pyi", "uvgrpc")
    modules = [importlib.import_module(name) for names in PUBLIC.values() for name in names]
    files: dict[str, FileDescriptor] = {}
    for module in modules:
        _collect(module.DESCRIPTOR, files)
    descriptors = FileDescriptorSet()
    for file in files.values():
        file.CopyToProto(descriptors.file.add())
    (folder / "all.binpb").write_bytes(descriptors.SerializeToString())
    given = [name for name in files if not name.startswith("google/protobuf/")]
    options = [f"--descriptor_set_in={folder / 'all.binpb'}"]
    done = protoc(folder, given, outputs=("python", "pyi", "uvgrpc"), options=options)
    assert done.returncode == 0, done.stderr
    # So that the packages that are installed do not come first; google is in several places.
    for place in {file.parent for file in folder.rglob("*_pb2.py")}:
        for package in (place, *place.parents):
            if package.is_relative_to(folder) and package not in (folder, folder / "google"):
                (package / "__init__.py").touch()
    for program in TYPED.glob("*.py"):
        shutil.copy(program, folder)
    _add_documented(folder)
    return folder


def _add_documented(folder: Path) -> None:
    """Adds the example of the documentation."""
    text = (HERE.parent.parent / "docs" / "codegen.md").read_text()
    (proto,) = re.findall(r"```proto[^\n]*\n(.*?)```", text, re.DOTALL)
    (folder / "helloworld.proto").write_text(proto)
    (folder / "documented.py").write_text(re.findall(r"```python\n(.*?)```", text, re.DOTALL)[-1])
    options = [f"-I{folder}"]
    done = protoc(folder, ["helloworld.proto"], outputs=("python", "pyi", "uvgrpc"), options=options)
    assert (done.returncode, done.stderr) == (0, "")


def _collect(file: FileDescriptor, files: dict[str, FileDescriptor]) -> None:
    """A file and all that it imports, each after what it imports."""
    if file.name not in files:
        for imported in file.dependencies:
            _collect(imported, files)
        files[file.name] = file


@pytest.fixture(scope="module")
def checked(folder: Path) -> Checked:
    generated = sorted(folder.rglob("*_uvgrpc.py"))
    programs = [folder / name for name in ("documented.py", "greeters.py", "wrong.py")]
    with ThreadPoolExecutor(2) as threads:
        mypy = threads.submit(_run_mypy, folder, [*generated, *programs])
        pyright = threads.submit(_run_pyright, folder, [*generated, *programs])
        return Checked(folder, generated, mypy.result(), pyright.result())


def _run_mypy(folder: Path, files: list[Path]) -> Errors:
    config = folder / "mypy.ini"
    config.write_text(_MYPY.format(cache=folder / "cache"))
    # To mypy a keyword in a module's name is a module that cannot be: it is checked by the other alone.
    names = [str(file.relative_to(folder)) for file in files if "import" not in file.parts]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(config), "--output", "json", *names],
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    found: Errors = {}
    for line in done.stdout.splitlines():
        message = json.loads(line)
        # protoc's own stubs are not strict.
        if message["severity"] == "error" and not message["file"].endswith("_pb2.pyi"):
            found.setdefault(message["file"], {})[message["line"]] = message["message"]
    return found


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "MYPYPATH": os.pathsep.join([str(folder), str(HERE.parent.parent / "python")])}


def _run_pyright(folder: Path, files: list[Path]) -> Errors:
    (folder / "pyrightconfig.json").write_text(
        json.dumps(
            {
                "typeCheckingMode": "strict",
                "pythonVersion": "3.11",
                # Looked at before the packages that are installed.
                "stubPath": str(folder),
                "extraPaths": [str(folder), str(HERE.parent.parent / "python")],
                "include": [str(file.relative_to(folder)) for file in files],
            }
        )
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "basedpyright",
            "--outputjson",
            "-p",
            str(folder),
            "--pythonpath",
            sys.executable,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] >= len(files)
    found: Errors = {}
    for message in report["generalDiagnostics"]:
        if message["severity"] == "error":
            name = str(Path(message["file"]).relative_to(folder))
            found.setdefault(name, {})[message["range"]["start"]["line"] + 1] = message["message"]
    return found


def test_the_sample_is_as_large_as_is_said(folder: Path) -> None:
    public = [name for names in PUBLIC.values() for name in names]
    assert len(public) >= 20
    for name in public:
        path = importlib.import_module(name).DESCRIPTOR.name.removesuffix(".proto").replace("-", "_")
        assert (folder / f"{path}_uvgrpc.py").exists(), name


def test_all_that_is_generated_is_imported(folder: Path) -> None:
    files = sorted(folder.rglob("*_uvgrpc.py"))
    names = [".".join(file.relative_to(folder).with_suffix("").parts) for file in files]
    done = run_python(
        # One of the packages makes google one that is in no other place.
        f"import google, importlib\ngoogle.__path__.insert(0, {str(folder / 'google')!r})\n"
        f"for name in {names!r}: importlib.import_module(name)",
        folder,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_example_of_the_documentation_runs(folder: Path) -> None:
    done = run_python("import documented", folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "hi you\nhi again\n", "")


def test_ruff_has_nothing_to_say(folder: Path) -> None:
    files = list(map(str, folder.rglob("*_uvgrpc.py")))
    for command in (["format", "--check"], ["check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", "--quiet", *files]
        done = subprocess.run(ruff, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_generated_code_and_typed_programs_have_no_errors(checked: Checked) -> None:
    assert len(checked.generated) >= 30
    for found in (checked.mypy, checked.pyright):
        assert {name: errors for name, errors in found.items() if name != "wrong.py"} == {}


def test_each_mistake_is_found_by_both_checkers(checked: Checked) -> None:
    lines = (checked.folder / "wrong.py").read_text().splitlines()
    wrong = {number for number, line in enumerate(lines, 1) if line.endswith("  # error")}
    assert len(wrong) >= 50
    assert set(checked.mypy["wrong.py"]) == wrong
    assert set(checked.pyright["wrong.py"]) == wrong
