# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""proto(): where files are found, what is wrong with them, which message classes they give."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, timestamp_pb2
from support import run_program

import uvgrpc

pytestmark = pytest.mark.uvgrpc_only

HELLOWORLD = Path(__file__).resolve().parents[2] / "examples" / "helloworld"

_numbers = itertools.count()

Write = Callable[..., str]


@pytest.fixture
def package() -> str:
    """A package that no other test has: the default pool is one for all of them."""
    return f"files{next(_numbers)}"


@pytest.fixture
def write(tmp_path: Path, package: str) -> Write:
    """Writes a .proto of the package, and gives its name."""

    def write(name: str, text: str, *, header: str = 'syntax = "proto3";') -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{header}\npackage {package};\n{text}")
        return name

    return write


def generated(folder: Path, name: str) -> ModuleType:
    """Has protoc write a module for `name`, and imports it."""
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}", f"--python_out={folder}", name], check=True
    )
    namespace = ModuleType(name.removesuffix(".proto").replace("/", ".") + "_pb2")
    source = folder / (name.removesuffix(".proto") + "_pb2.py")
    exec(compile(source.read_text(), source, "exec"), vars(namespace))
    return namespace


def descriptor_set(folder: Path, name: str, *options: str) -> Path:
    path = folder / "set.binpb"
    arguments = [f"-I{folder}", f"--descriptor_set_out={path}", *options, name]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *arguments], check=True)
    return path


# ---- where files are found


def test_a_file_of_sys_path_is_found(
    write: Write, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(f"{package}/on_path.proto", "message M {}")
    monkeypatch.syspath_prepend(tmp_path)
    protos = uvgrpc.proto(f"{package}/on_path.proto")
    assert protos.M.DESCRIPTOR.file.name == f"{package}/on_path.proto"


def test_a_file_of_the_working_folder_is_found(
    write: Write, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(f"sub/{package}.proto", f'import "{package}_other.proto"; message M {{ Other other = 1; }}')
    write(f"sub/{package}_other.proto", "message Other {}")
    monkeypatch.chdir(tmp_path)
    # What it imports may lie beside it.
    assert uvgrpc.proto(f"sub/{package}.proto").M().DESCRIPTOR.file.name == f"sub/{package}.proto"
    monkeypatch.chdir(tmp_path / "sub")
    assert uvgrpc.proto(f"./{package}_other.proto").Other.DESCRIPTOR.file.name == f"{package}_other.proto"
    with pytest.raises(FileNotFoundError):
        uvgrpc.proto(f"../{package}_other.proto")


def test_include_comes_before_sys_path(
    write: Write, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(f"one/{package}.proto", "message One {}")
    write(f"two/{package}.proto", "message Two {}")
    monkeypatch.syspath_prepend(tmp_path / "one")
    assert dir(uvgrpc.proto(f"{package}.proto")) == ["One"]
    assert dir(uvgrpc.proto(f"{package}.proto", include=tmp_path / "two")) == ["Two"]
    assert dir(uvgrpc.proto(f"{package}.proto", include=[str(tmp_path / "two")])) == ["Two"]


def test_an_absolute_path_is_found_whatever_has_its_name(
    write: Write, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(f"one/{package}.proto", "message One {}")
    write(f"two/{package}.proto", "message Two {}")
    monkeypatch.syspath_prepend(tmp_path / "one")
    monkeypatch.syspath_prepend(tmp_path)
    assert dir(uvgrpc.proto(tmp_path / "one" / f"{package}.proto")) == ["One"]
    assert dir(uvgrpc.proto(tmp_path / "two" / f"{package}.proto")) == ["Two"]
    monkeypatch.undo()
    monkeypatch.syspath_prepend(tmp_path / "one")
    assert dir(uvgrpc.proto(tmp_path / "two" / f"{package}.proto")) == ["Two"]


def test_a_path_with_odd_characters(write: Write, package: str, tmp_path: Path) -> None:
    write(f"ä b,c=d/{package} é.proto", "message M {}")
    assert dir(uvgrpc.proto(tmp_path / "ä b,c=d" / f"{package} é.proto")) == ["M"]


def test_a_file_that_is_nowhere(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.proto is in none of the folders .*include="):
        uvgrpc.proto("nowhere.proto", include=tmp_path)
    with pytest.raises(FileNotFoundError, match=r"there is no file /.*/nowhere\.proto"):
        uvgrpc.proto(tmp_path / "nowhere.proto")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.binpb"):
        uvgrpc.proto("nowhere.binpb")


def test_nothing_is_written_and_no_process_is_started(
    write: Write, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = write(f"{package}.proto", "message M {}")
    for call in ("fork", "posix_spawn", "_exit"):
        monkeypatch.delattr(os, call)
    monkeypatch.setattr(subprocess, "Popen", None)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    uvgrpc.proto(name, include=tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == [name, "tmp"]


def test_modules_are_not_found_by_way_of_protos_from_then_on(
    write: Write, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(f"{package}.proto", "message M {}")
    monkeypatch.syspath_prepend(tmp_path)
    finders = list(sys.meta_path)
    uvgrpc.proto(f"{package}.proto")
    assert sys.meta_path == finders


def test_importing_uvgrpc_does_not_import_protobuf() -> None:
    program = """
import json
print(json.dumps([name for name in sys.modules if name.startswith(("google", "uvgrpc._protos"))]))
"""
    assert run_program(program).result == []


def test_without_grpcio_tools(monkeypatch: pytest.MonkeyPatch, write: Write, tmp_path: Path) -> None:
    name = write("without.proto", "message M {}")
    monkeypatch.setitem(sys.modules, "grpc_tools", None)
    monkeypatch.setitem(sys.modules, "grpc_tools._protoc_compiler", None)
    with pytest.raises(ImportError, match="pip install grpcio-tools"):
        uvgrpc.proto(name, include=tmp_path)


# ---- what is wrong with files


def test_a_file_that_does_not_parse_shows_protocs_words_and_the_line(write: Write, tmp_path: Path) -> None:
    name = write("wrong.proto", "message M {\n\tstring name = 1\n}\n")
    with pytest.raises(uvgrpc.ProtoError) as caught:
        uvgrpc.proto(name, include=tmp_path)
    # protoc's own words, of "python -m grpc_tools.protoc".
    assert str(caught.value) == 'wrong.proto cannot be compiled\nwrong.proto:5:1: Expected ";".\n    }\n    ^'
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.column) == ("wrong.proto", 5, 1)
    done = subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{tmp_path}", "--descriptor_set_out=/dev/null", name],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.stderr.endswith(str(problem).split("\n")[0] + "\n")


def test_every_problem_of_a_file_and_of_those_it_imports_is_shown(write: Write, tmp_path: Path) -> None:
    write("inner.proto", "message Inner {\n  Nix a = 1;\n\tNix b = 2; Nix c = 3; }")
    name = write(
        "outer.proto", 'import "inner.proto";\nimport "nix.proto";\nmessage Outer { Inner inner = 1; }'
    )
    with pytest.raises(uvgrpc.ProtoError) as caught:
        uvgrpc.proto(name, include=tmp_path)
    problems = [(problem.file, problem.line, problem.message) for problem in caught.value.problems]
    assert ("inner.proto", 4, '"Nix" is not defined.') in problems
    assert ("nix.proto", None, "File not found.") in problems
    assert ("outer.proto", 3, 'Import "inner.proto" was not found or had errors.') in problems
    assert f"\n    {' ' * 8}Nix b = 2; Nix c = 3; }}\n    {' ' * 19}^" in str(caught.value)
    assert "\nnix.proto: File not found." in str(caught.value)


@pytest.mark.writes_stderr
def test_a_file_that_is_not_text(write: Write, tmp_path: Path) -> None:
    (tmp_path / "noise.proto").write_bytes(bytes(range(256)))
    with pytest.raises(uvgrpc.ProtoError, match=r"noise\.proto:1:1: "):
        uvgrpc.proto("noise.proto", include=tmp_path)


def test_files_that_import_each_other(write: Write, tmp_path: Path) -> None:
    write("a.proto", 'import "b.proto";')
    write("b.proto", 'import "a.proto";')
    with pytest.raises(uvgrpc.ProtoError, match=r"recursively imports itself: a\.proto -> b\.proto"):
        uvgrpc.proto("a.proto", include=tmp_path)


@pytest.mark.parametrize("source", [7, None, [], os])
def test_a_source_of_another_kind(source: Any) -> None:
    with pytest.raises(TypeError):
        uvgrpc.proto(source)
    with pytest.raises(TypeError, match="needs a"):
        uvgrpc.proto()


# ---- descriptor sets and generated modules


def test_a_descriptor_set(
    write: Write, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("dep.proto", "message Dep { int32 some_number = 1; }")
    name = write("main.proto", 'import "dep.proto"; message M { Dep dep = 1; }')
    path = descriptor_set(tmp_path, name, "--include_imports", "--include_source_info")
    data = path.read_bytes()
    files = descriptor_pb2.FileDescriptorSet.FromString(data)
    monkeypatch.chdir(tmp_path)
    classes = {
        uvgrpc.proto(source).M for source in (path, "set.binpb", "./set.binpb", data, bytearray(data), files)
    }
    # And the .proto itself.
    classes.add(uvgrpc.proto(name, include=tmp_path).M)
    assert len(classes) == 1
    assert classes.pop()(dep={"some_number": 3}).dep.some_number == 3
    del files.file[0]
    files.file[0].name = f"{package}.proto"
    with pytest.raises(uvgrpc.ProtoError, match=rf"{package}\.proto imports dep\.proto, which is not there"):
        uvgrpc.proto(files)


def test_a_descriptor_set_may_lack_what_protobuf_has_itself(write: Write, tmp_path: Path) -> None:
    name = write(
        "time.proto",
        'import "google/protobuf/timestamp.proto"; message M { google.protobuf.Timestamp t = 1; }',
    )
    protos = uvgrpc.proto(descriptor_set(tmp_path, name))
    assert protos.M(t=timestamp_pb2.Timestamp(seconds=3)).t.seconds == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff", "no descriptor set, as protoc --descriptor_set_out makes it"),
        (b"", "without files"),
        (b"\x0a\x00", "it has no name"),
        (b"\x0a\x03\x0a\x01\xff", "names that are not text"),
    ],
)
def test_what_is_no_descriptor_set(data: bytes, message: str) -> None:
    with pytest.raises(uvgrpc.ProtoError, match=message):
        uvgrpc.proto(data)


def test_a_descriptor_set_that_no_protoc_would_make(package: str) -> None:
    files = descriptor_pb2.FileDescriptorSet()
    for name, imports in {"a": ["b"], "b": ["c"], "c": ["b"], "d": [], "e": ["a"]}.items():
        files.file.add(name=f"{package}_{name}", dependency=[f"{package}_{each}" for each in imports])
    field = files.file[3].message_type.add(name="M").field.add(name="f", number=1, label=1, type=11)
    field.type_name = ".nix.Nix"
    with pytest.raises(uvgrpc.ProtoError) as caught:
        uvgrpc.proto(files)
    assert f"{package}_b imports itself" in str(caught.value)
    assert f"{package}_d: " in str(caught.value)
    # Nothing of it is where generated modules are.
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindFileByName(f"{package}_d")


def test_a_generated_module_has_the_same_classes(write: Write, package: str, tmp_path: Path) -> None:
    name = write(f"{package}.proto", "message M { int32 a = 1; } service S { rpc R(M) returns (M); }")
    module = generated(tmp_path, name)
    assert uvgrpc.proto(module).M is module.M
    assert uvgrpc.proto(module.DESCRIPTOR).M is module.M
    # In whichever order.
    assert uvgrpc.proto(name, include=tmp_path).M is module.M
    assert uvgrpc.proto(module, timestamp_pb2).Timestamp is timestamp_pb2.Timestamp


def test_a_module_that_is_generated_and_imported_later(write: Write, package: str, tmp_path: Path) -> None:
    name = write(
        f"{package}.proto",
        'import "google/protobuf/descriptor.proto"; message M { google.protobuf.FieldOptions a_b = 1; }',
    )
    protos = uvgrpc.proto(name, include=tmp_path)
    assert generated(tmp_path, name).M is protos.M


def test_what_is_imported_from_google_is_what_is_installed(write: Write, tmp_path: Path) -> None:
    program = """
import uvgrpc
protos = uvgrpc.proto("uses.proto", include=os.environ["FOLDER"])
from google.protobuf import duration_pb2, struct_pb2, wrappers_pb2, descriptor_pb2
from google.rpc import status_pb2
message = protos.M(d=duration_pb2.Duration(seconds=2), s={"a": 1})
message.o.CopyFrom(descriptor_pb2.FieldOptions())
print(json.dumps([message.d.seconds, message.s["a"]]))
"""
    imports = "".join(
        f'import "google/protobuf/{name}.proto";' for name in ("duration", "struct", "wrappers", "descriptor")
    )
    fields = "Duration d = 1; google.protobuf.Struct s = 2; google.protobuf.FieldOptions o = 3;"
    write("uses.proto", f"{imports} message M {{ google.protobuf.{fields} }}")
    assert run_program(program, environ={"FOLDER": str(tmp_path)}).result == [2, 1]


def test_the_same_file_twice(write: Write, package: str, tmp_path: Path) -> None:
    name = write(f"{package}.proto", "message M {}")
    first, second = (uvgrpc.proto(name, include=tmp_path) for _ in range(2))
    assert first.M is second.M
    assert uvgrpc.proto(name, tmp_path / name, include=tmp_path).M is first.M


def test_the_same_messages_in_a_file_of_another_name(write: Write, package: str, tmp_path: Path) -> None:
    write(
        f"sub/{package}.proto",
        "message M { string a = 1; } enum E { ZERO = 0; } extend X { int32 x = 9; }",
        header="",
    )
    write(f"sub/{package}.proto", "message M { string a = 1; }")
    module = generated(tmp_path / "sub", f"{package}.proto")
    by_other_name = uvgrpc.proto(f"sub/{package}.proto", include=tmp_path)
    assert by_other_name.M is not module.M
    assert by_other_name.M.FromString(module.M(a="x").SerializeToString()).a == "x"
    # Those of a pool of their own are the same each time, too.
    assert uvgrpc.proto(f"sub/{package}.proto", include=tmp_path).M is by_other_name.M


def test_a_file_that_was_changed_gives_what_it_says_now(write: Write, package: str, tmp_path: Path) -> None:
    name = write(f"{package}.proto", "message M { string a = 1; }")
    before = uvgrpc.proto(name, include=tmp_path)
    write(f"{package}.proto", "message M { string b = 1; }")
    after = uvgrpc.proto(name, include=tmp_path)
    assert after.M(b="x").SerializeToString() == before.M(a="x").SerializeToString()


def test_two_files_of_one_name_together(write: Write, package: str, tmp_path: Path) -> None:
    write(f"one/{package}.proto", "message One {}")
    write(f"two/{package}.proto", "message Two {}")
    with pytest.raises(uvgrpc.ProtoError, match=rf"two of the sources have a file {package}\.proto"):
        uvgrpc.proto(tmp_path / f"one/{package}.proto", tmp_path / f"two/{package}.proto")


def test_numbers_of_extensions_that_are_taken(write: Write, package: str, tmp_path: Path) -> None:
    """Only the default pool itself knows of this before it takes a file."""
    write(f"{package}_base.proto", "message B { extensions 1 to 9; }", header='syntax = "proto2";')
    extends = f'import "{package}_base.proto"; extend B {{ optional int32 %s = 1; }}'
    write(f"{package}_one.proto", extends % "one", header='syntax = "proto2";')
    write(f"{package}_two.proto", extends % "two", header='syntax = "proto2";')
    one = uvgrpc.proto(f"{package}_one.proto", include=tmp_path)
    two = uvgrpc.proto(f"{package}_two.proto", include=tmp_path)
    message = one.B()
    message.Extensions[one.one] = 3
    assert two.B.FromString(message.SerializeToString()).Extensions[two.two] == 3


def test_several_files(write: Write, package: str, tmp_path: Path) -> None:
    one = write(f"{package}_one.proto", "message One {}")
    two = write(f"{package}_two.proto", "message Two {}")
    assert dir(uvgrpc.proto(one, two, include=tmp_path)) == ["One", "Two"]


def test_threads_that_load_at_the_same_time(write: Write, package: str, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    name = write(f"{package}.proto", "message M {}")
    with ThreadPoolExecutor(8) as threads:
        classes = {
            protos.M for protos in threads.map(lambda _: uvgrpc.proto(name, include=tmp_path), range(32))
        }
    assert len(classes) == 1


# ---- names


def test_names(write: Write, package: str, tmp_path: Path) -> None:
    write("inner.proto", "message Inner {} message M {} enum Size { SMALL = 0; }")
    name = write(
        "names.proto",
        """
        import "inner.proto";
        import "google/protobuf/empty.proto";
        message Outer {
          message Nested { enum Kind { A = 0; B = 1; } }
          Nested nested = 1;
          Inner inner = 2;
        }
        message Both_ {}
        enum Color { RED = 0; BLUE = 3; }
        service S { rpc Do(Outer) returns (Outer); rpc Both(Outer) returns (Inner); }
        service T { rpc Both(Outer) returns (Inner); }
        service U { rpc Inner(Outer) returns (Outer); rpc Both_(Outer) returns (Outer); }
        """,
    )
    protos = uvgrpc.proto(name, include=tmp_path)
    assert protos.Outer.Nested.B == protos.Outer.Nested.Kind.Value("B") == 1
    assert (protos.Color.BLUE, protos.BLUE, protos.SMALL) == (3, 3, 0)
    assert protos.Color.Name(3) == "BLUE"
    assert protos[f"{package}.Outer.Nested"] is protos.Outer.Nested
    assert protos[f"{package}.Outer.Nested.Kind"].B == 1
    assert protos["google.protobuf.Empty"] is protos.Empty
    assert protos[f"{package}.S"] is protos.S
    assert protos[f"{package}.T.Both"] is protos.T.Both
    assert protos.Do is protos.S.Do
    # That file's names count for more than those of what it imports, and types' more than methods'.
    assert protos.Inner is protos.U.Inner
    assert protos.Both_ is protos[f"{package}.Both_"]
    assert repr(protos.Do) == f"<unary_unary method /{package}.S/Do>"
    with pytest.raises(AttributeError, match=r"Both in names\.proto may be S\.Both or T\.Both"):
        _ = protos.Both
    assert {"S", "T", "Outer", "Color", "RED", "Do", "Both", "Inner"} <= set(dir(protos))
    assert dir(protos.S) == ["Both", "Do"]
    assert f"{package}.Outer" in protos
    assert "google.protobuf.Timestamp" not in protos
    assert 3 not in protos
    assert set(protos) >= {f"{package}.S", f"{package}.Outer", "google.protobuf.Empty"}
    assert repr(protos) == f"<protos of names.proto: services {package}.S, {package}.T, {package}.U>"
    assert repr(protos.S) == f"<service {package}.S>"
    assert not hasattr(protos, "__len__")


def test_a_name_that_is_not_there(write: Write, package: str, tmp_path: Path) -> None:
    name = write(
        "missing.proto",
        "message HelloRequest {} service Greeter { rpc Hi(HelloRequest) returns (HelloRequest); }",
    )
    protos = uvgrpc.proto(name, include=tmp_path)
    with pytest.raises(AttributeError) as caught:
        _ = protos.helloRequst
    assert str(caught.value) == (
        "missing.proto has no 'helloRequst' (did you mean HelloRequest?): "
        "it has the services Greeter; methods Hi; messages HelloRequest"
    )
    with pytest.raises(
        AttributeError, match=rf"the service {package}\.Greeter has no 'Ho': it has the methods Hi"
    ):
        _ = protos.Greeter.Ho
    with pytest.raises(KeyError, match=r"missing\.proto has no 'Greeter'"):
        protos["Greeter"]


def test_long_lists_of_names_are_cut(write: Write, tmp_path: Path) -> None:
    name = write("many.proto", "".join(f"message M{number} {{}}" for number in range(500)))
    with pytest.raises(AttributeError, match=r"M19 and 480 more$"):
        _ = uvgrpc.proto(name, include=tmp_path).Nothing


def test_a_name_that_several_packages_have(write: Write, package: str, tmp_path: Path) -> None:
    files = [
        write(f"{package}_{letter}.proto", "message M {} service S { rpc R(M) returns (M); }").replace(
            "x", "x"
        )
        for letter in "ab"
    ]
    for letter, file in zip("ab", files, strict=True):
        path = tmp_path / file
        path.write_text(path.read_text().replace(f"package {package};", f"package {package}.{letter};"))
    protos = uvgrpc.proto(*files, include=tmp_path)
    choices = rf'\["{package}\.a\.M"\] or \["{package}\.b\.M"\]'
    with pytest.raises(AttributeError, match=choices):
        _ = protos.M
    with pytest.raises(AttributeError, match=rf'\["{package}\.a\.S"\]\.R or \["{package}\.b\.S"\]\.R'):
        _ = protos.R


def test_names_of_python(write: Write, tmp_path: Path) -> None:
    name = write("keywords.proto", "message None {} message class { int32 from = 1; } message self {}")
    protos = uvgrpc.proto(name, include=tmp_path)
    assert getattr(protos, "None").DESCRIPTOR.name == "None"
    assert getattr(protos, "class")(**{"from": 3}).SerializeToString() == b"\x08\x03"
    assert protos.self.DESCRIPTOR.name == "self"


def test_public_imports_count_as_the_files_own(write: Write, package: str, tmp_path: Path) -> None:
    write("pub.proto", "message M { int32 a = 1; }")
    other = write("other/other.proto", "message M { int32 b = 1; }")
    path = tmp_path / other
    path.write_text(path.read_text().replace(f"package {package}", f"package {package}_other"))
    name = write("main.proto", 'import public "pub.proto"; import "other/other.proto"; service S {}')
    assert uvgrpc.proto(name, include=tmp_path).M.DESCRIPTOR.full_name == f"{package}.M"


def test_json_finds_the_types_in_the_pool(write: Write, package: str, tmp_path: Path) -> None:
    from google.protobuf import json_format

    name = write(
        f"{package}.proto",
        'import "google/protobuf/any.proto"; message M { google.protobuf.Any any = 1; int32 a = 2; }',
    )
    protos = uvgrpc.proto(name, include=tmp_path)
    message = protos.M()
    message.any.Pack(protos.M(a=3))
    text = json_format.MessageToJson(message, descriptor_pool=protos.__descriptor_pool__)
    again = json_format.Parse(text, protos.M(), descriptor_pool=protos.__descriptor_pool__)
    assert again == message


def test_protos_can_be_copied_and_looked_at() -> None:
    import copy
    import inspect

    protos = uvgrpc.proto("helloworld.proto", include=HELLOWORLD)
    assert copy.copy(protos).HelloRequest is protos.HelloRequest
    assert not callable(protos)
    inspect.unwrap(protos)  # type: ignore[arg-type]
    inspect.unwrap(protos.Greeter)
