"""JSON schema of a tool's arguments, in the subset that every provider accepts.

The subset is what OpenAI, Moonshot (MFJS), Gemini and Groq all document or were observed to accept: closed objects,
no references, leaves with a plain ``type``, string enumerations, minimum and maximum. Other facts that help the model
(defaults, lengths) are added to the description as text. A schema that the subset cannot express is refused when the
tool is loaded, not by the provider during an incident.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema

from watchkeeper.contracts import JsonObject
from watchkeeper.llm.conversation import canonical_json

CATALOGUE_KEY = "x-catalogue"
"""Marks a string whose allowed values come from the operator's settings."""

MAX_ENUM_VALUES = 500
"""Longest enumeration that Moonshot accepts. Values of a larger catalogue are checked, but not listed in the schema."""

MAX_DEPTH = 5
"""Levels of a schema from the arguments to a leaf; documented by Moonshot."""

MAX_PROPERTIES = 100
"""Fields of one object; documented by Moonshot."""

TOOL_NAME = re.compile(r"^[a-z][a-z0-9_]{0,63}$")

_LEAVES = {"string", "integer", "number", "boolean"}
_REMARKS = {
    "minLength": "length at least {}",
    "maxLength": "length at most {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "default": "default {}",
}
_SUPPORTED = {
    *("type", "description", "title", "enum", "const", "minimum", "maximum", "anyOf", "$ref", CATALOGUE_KEY),
    *("properties", "required", "additionalProperties", "items", "$defs"),
    *_REMARKS,
}
_REMEDIES = {
    "exclusiveMinimum": "use ge= instead of gt=",
    "exclusiveMaximum": "use le= instead of lt=",
    "pattern": "check it in a validator and give the format in the description",
    "format": "use a plain string and give the format in the description",
    "prefixItems": "use a list",
    "uniqueItems": "use a list",
    "oneOf": "use one closed object",
    "multipleOf": "check it in a validator",
}


class SchemaError(Exception):
    """The subset cannot express a tool's arguments. The text names the field and says what to do."""


def parameter_schema(arguments: type[BaseModel], catalogue: Mapping[str, Sequence[str]]) -> JsonObject:
    """Return the schema of a tool's arguments, with enumerations from the operator's catalogue.

    Equal inputs give equal schemas with the same key order. Raises SchemaError.
    """
    try:
        schema = arguments.model_json_schema()
    except PydanticInvalidForJsonSchema as error:
        raise SchemaError(f"{arguments.__name__}: {error.message}; use plain fields") from error
    emitted = _Emitter(schema.get("$defs", {}), catalogue).emit(schema, arguments.__name__)
    emitted.pop("description", None)  # the docstring of the arguments class is for engineers
    return emitted


class _Emitter:
    def __init__(self, definitions: JsonObject, catalogue: Mapping[str, Sequence[str]]) -> None:
        self._definitions = definitions
        self._catalogue = catalogue

    def emit(self, schema: JsonObject, path: str, parents: tuple[str, ...] = ()) -> JsonObject:
        if 1 + path.count(".") + path.count("[]") > MAX_DEPTH:
            raise SchemaError(f"{path}: nested more than {MAX_DEPTH} deep; flatten the arguments")
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[-1]
            if name in parents:
                raise SchemaError(f"{path}: {name} contains itself; a tool's arguments must be finite")
            schema = {**self._definitions[name], **schema}
            parents = (*parents, name)
        if "anyOf" in schema:
            schema = self._without_null(schema, path)
            if "$ref" in schema:
                return self.emit(schema, path, parents)
        for keyword in sorted(schema.keys() - _SUPPORTED, key=lambda keyword: (keyword not in _REMEDIES, keyword)):
            remedy = _REMEDIES.get(keyword, "use a plain field and check it in a validator")
            raise SchemaError(f"{path}: not all providers accept {keyword!r}; {remedy}")
        described = self._description(schema)
        match schema.get("type"):
            case "object":
                return {"type": "object", **described, **self._members(schema, path, parents)}
            case "array" if "items" in schema:
                return {
                    "type": "array",
                    **described,
                    "items": self.emit(schema["items"], f"{path}[]", parents),
                }
            case leaf if leaf in _LEAVES:
                return {"type": leaf, **described, **self._values(schema, path)}
            case other:
                raise SchemaError(f"{path}: type {other!r}; give the field one plain type")

    def _without_null(self, schema: JsonObject, path: str) -> JsonObject:
        branches = [branch for branch in schema["anyOf"] if branch.get("type") != "null"]
        if len(branches) != 1:
            raise SchemaError(f"{path}: a union of types; give the field one type")
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        if rest.get("default", ...) is None:
            del rest["default"]
        return {**branches[0], **rest}

    def _members(self, schema: JsonObject, path: str, parents: tuple[str, ...]) -> JsonObject:
        if "properties" not in schema and schema.get("additionalProperties", True):
            raise SchemaError(f"{path}: an object of unknown keys; name its fields")
        if len(schema.get("properties", {})) > MAX_PROPERTIES:
            raise SchemaError(f"{path}: more than {MAX_PROPERTIES} fields; split the tool")
        properties = {
            name: self.emit(member, f"{path}.{name}", parents) for name, member in schema.get("properties", {}).items()
        }
        members: JsonObject = {"properties": properties}
        if required := sorted(schema.get("required", ())):
            members["required"] = required
        return {**members, "additionalProperties": False}

    def _values(self, schema: JsonObject, path: str) -> JsonObject:
        values: JsonObject = {key: schema[key] for key in ("minimum", "maximum") if key in schema}
        if (kind := schema.get(CATALOGUE_KEY)) is not None:
            names = list(self._catalogue.get(kind, ()))
            if 0 < len(names) <= MAX_ENUM_VALUES:
                values["enum"] = names
        elif "const" in schema or "enum" in schema:
            values["enum"] = schema.get("enum") or [schema["const"]]
        if not all(isinstance(value, str) for value in values.get("enum", ())):
            raise SchemaError(f"{path}: an enumeration of {values['enum']}; only strings can be enumerated")
        if len(values.get("enum", ())) > MAX_ENUM_VALUES:
            raise SchemaError(f"{path}: an enumeration of more than {MAX_ENUM_VALUES} names; use a plain string")
        return values

    def _description(self, schema: JsonObject) -> JsonObject:
        remarks = [
            remark.format(_as_text(schema[keyword]))
            for keyword, remark in _REMARKS.items()
            if schema.get(keyword) not in (None, "", [], {})
        ]
        text = str(schema.get("description", ""))
        if remarks:
            text = f"{text.removesuffix('.')} ({', '.join(remarks)}).".lstrip()
        return {"description": text} if text else {}


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else canonical_json(value).decode()
