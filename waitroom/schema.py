"""The JSON Schema of a configuration (draft 2020-12): what editors complete, explain and check as one types."""

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from waitroom.settings import Settings


class OfToml(GenerateJsonSchema):
    """TOML has no null: what may be None may be left out. A table has the defaults of its settings; titles would only
    repeat the names."""

    def field_title_should_be_set(self, schema: object) -> bool:  # pydantic asks for each
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        described = super().default_schema(schema)
        if described.get("default") is None or isinstance(described["default"], dict):
            described.pop("default", None)
        return described


def schema() -> dict[str, Any]:
    """As a document."""
    return {"$schema": OfToml.schema_dialect, **Settings.model_json_schema(schema_generator=OfToml)}


def text() -> str:
    """As it stands in config/waitroom.schema.json."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
