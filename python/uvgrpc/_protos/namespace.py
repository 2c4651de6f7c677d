# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The object that proto() and reflect() give: messages, enums, services and methods by their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    EnumValueDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message_factory import GetMessageClass

from uvgrpc._protos.pools import Pool
from uvgrpc._protos.services import ProtoMethod, ProtoService, method_of
from uvgrpc._protos.suggestions import missing
from uvgrpc._rpc.service import Service

_FINDERS = (
    "FindMessageTypeByName",
    "FindServiceByName",
    "FindEnumTypeByName",
    "FindMethodByName",
    "FindExtensionByName",
)


class Protos:
    """What is in some .proto files.

    Its attributes are the messages, enums and their values, extensions, services and methods of the
    files by their names, those of the files that were asked for before those of files that they
    import. `protos["package.Name"]` takes full names, `dir(protos)` and `list(protos)` tell the names
    that there are, short and full.

    It has no other attributes that could be in the way of names in files, but
    `protos.__descriptor_pool__`, for json_format and the like.
    """

    def __init__(
        self,
        label: str,
        pool: Pool,
        asked: Sequence[str],
        also: Sequence[str] = (),
        problems: Mapping[str, str] | None = None,
    ) -> None:
        """Made by proto() and reflect().

        Args:
          label: what it was made from, for people to read.
          pool: has the files.
          asked: the names of the files that come first.
          also: of those that come after them, with all that is imported.
          problems: why services that should be there are not, by their full names.
        """
        self.__label = label
        self.__pool = pool
        self.__descriptor_pool__ = pool.descriptors
        self.__problems = dict(problems or {})
        self.__index = _Index(pool, asked, also)
        self.__services: dict[str, ProtoService] = {}

    def __getattr__(self, name: str) -> Any:
        # Before there are attributes, or for programs that look for what an object can do.
        if name.startswith(("__", "_Protos__")):
            raise AttributeError(name)
        found = self.__index.by_name(name)
        if not found:
            raise self.__missing(name)
        if len(found) > 1:
            raise AttributeError(f"{name} in {self.__label} may be {self.__choices(found)}")
        # So that the next time Python finds it by itself.
        thing = self.__dict__[name] = self.__made(found[0])
        return thing

    def __getitem__(self, full_name: str) -> Any:
        found = self.__find(full_name)
        if found is None:
            problem = self.__problems.get(full_name)
            raise KeyError(f"{self.__label} has no {full_name!r}" + (f": {problem}" if problem else ""))
        return self.__made(found)

    def __contains__(self, full_name: object) -> bool:
        return isinstance(full_name, str) and self.__find(full_name) is not None

    def __iter__(self) -> Iterator[str]:
        """The full names of services, messages and enums; of nested ones not."""
        return iter(self.__index.full_names())

    def __dir__(self) -> Iterable[str]:
        return self.__index.names()

    def __repr__(self) -> str:
        services = ", ".join(service.full_name for service in self.__index.services())
        return f"<protos of {self.__label}: {f'services {services}' if services else 'no services'}>"

    def __find(self, full_name: str) -> Any:
        for finder in _FINDERS:
            try:
                found = getattr(self.__pool.descriptors, finder)(full_name)
            except (KeyError, AttributeError):
                # The pure Python runtime has no method by that name where there is no service.
                continue
            if _file_of(found).name in self.__index.files:
                return found
        return None

    def __made(self, found: Any) -> Any:
        if isinstance(found, Descriptor):
            return _class_of(found)
        if isinstance(found, ServiceDescriptor):
            return self.__service(found)
        if isinstance(found, MethodDescriptor):
            return vars(self.__service(found.containing_service))[found.name]
        if isinstance(found, EnumDescriptor):
            return EnumTypeWrapper(found)
        return found.number if isinstance(found, EnumValueDescriptor) else found

    def __service(self, descriptor: ServiceDescriptor) -> ProtoService:
        name = descriptor.full_name
        made = self.__services.get(name)
        if made is None:
            made = self.__services[name] = _service_of(descriptor)
        return made

    def __missing(self, name: str) -> AttributeError:
        for full_name, problem in self.__problems.items():
            if name == full_name.rpartition(".")[2]:
                return AttributeError(f"{self.__label} has no {full_name}: {problem}")
        return missing(self.__label, name, self.__index.kinds())

    def __choices(self, found: Sequence[Any]) -> str:
        if isinstance(found[0], MethodDescriptor):
            services = [method.containing_service for method in found]
            names = {service.name for service in services}
            if len(names) == len(services):
                return " or ".join(f"{service.name}.{found[0].name}" for service in services)
            return " or ".join(f'["{service.full_name}"].{found[0].name}' for service in services)
        return " or ".join(f'["{_full_name(each)}"]' for each in found)


class _Index:
    """The names in files."""

    def __init__(self, pool: Pool, asked: Iterable[str], also: Iterable[str]) -> None:
        self._first = _with_public([pool.file(name) for name in dict.fromkeys(asked)])
        everything = _with_imports([*self._first, *map(pool.file, also)])
        self.files = {file.name for file in everything}
        self._others = [file for file in everything if file not in self._first]
        # What is searched, one after the other: a type's name counts for more than a method's.
        self._levels: list[dict[str, list[Any]]] = []
        for files in (self._first, self._others):
            self._levels.append(_types_by_name(files))
            self._levels.append(_methods_by_name(files))

    def by_name(self, name: str) -> list[Any]:
        """What has this name; several things if it is not clear which one is meant."""
        return next((level[name] for level in self._levels if name in level), [])

    def names(self) -> list[str]:
        """All names that attributes may have."""
        return sorted({name for level in self._levels for name in level})

    def services(self) -> list[ServiceDescriptor]:
        """The services of all files."""
        return [each for file in (*self._first, *self._others) for each in file.services_by_name.values()]

    def full_names(self) -> list[str]:
        """See Protos.__iter__."""
        return [
            each.full_name
            for file in (*self._first, *self._others)
            for kind in (file.services_by_name, file.message_types_by_name, file.enum_types_by_name)
            for each in kind.values()
        ]

    def kinds(self) -> dict[str, list[str]]:
        """Names by kinds, the more important ones first."""
        kinds: dict[str, list[str]] = {"services": [], "methods": [], "messages": [], "enums": []}
        for file in (*self._first, *self._others):
            for service in file.services_by_name.values():
                kinds["services"].append(service.name)
                kinds["methods"] += service.methods_by_name
            kinds["messages"] += file.message_types_by_name
            kinds["enums"] += file.enum_types_by_name
        return {kind: list(dict.fromkeys(names)) for kind, names in kinds.items()}


def _with_public(files: Sequence[Any]) -> list[Any]:
    """Files, and those that they import for others to use."""
    return _closure(files, lambda file: file.public_dependencies)


def _with_imports(files: Sequence[Any]) -> list[Any]:
    return _closure(files, lambda file: file.dependencies)


def _closure(files: Sequence[Any], needs: Any) -> list[Any]:
    found = {file.name: file for file in files}
    waiting = list(files)
    while waiting:
        for file in needs(waiting.pop()):
            if file.name not in found:
                found[file.name] = file
                waiting.append(file)
    return list(found.values())


def _types_by_name(files: Iterable[Any]) -> dict[str, list[Any]]:
    """What stands at the top level of files, and the values of enums there."""
    found: dict[str, list[Any]] = {}
    for file in files:
        for kind in (
            file.message_types_by_name,
            file.enum_types_by_name,
            file.services_by_name,
            file.extensions_by_name,
            *(enum.values_by_name for enum in file.enum_types_by_name.values()),
        ):
            for name, each in kind.items():
                found.setdefault(name, []).append(each)
    return found


def _methods_by_name(files: Iterable[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for file in files:
        for service in file.services_by_name.values():
            for method in service.methods:
                found.setdefault(method.name, []).append(method)
    return found


def _file_of(found: Any) -> Any:
    return found.containing_service.file if isinstance(found, MethodDescriptor) else found.file


def _full_name(found: Any) -> str:
    if isinstance(found, EnumValueDescriptor):
        # Its name stands beside its enum's, not within it.
        return f"{found.type.full_name}"
    name: str = found.full_name
    return name


def _class_of(descriptor: Descriptor) -> Any:
    """The class of a message, with those of nested ones, which the pure Python runtime leaves out."""
    message = GetMessageClass(descriptor)
    for name, nested in descriptor.nested_types_by_name.items():
        if not hasattr(message, name):
            setattr(message, name, _class_of(nested))
    return message


def _service_of(descriptor: ServiceDescriptor) -> ProtoService:
    methods = {}
    request_types = {}
    for method in descriptor.methods:
        request = request_types[method.name] = GetMessageClass(method.input_type)
        methods[method.name] = method_of(
            method.name,
            request,
            GetMessageClass(method.output_type),
            method.client_streaming,
            method.server_streaming,
        )
    service = Service(descriptor.full_name, methods)
    return ProtoService(
        service,
        {name: ProtoMethod(service, method, request_types[name]) for name, method in methods.items()},
    )
