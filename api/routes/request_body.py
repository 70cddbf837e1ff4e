"""What the JSON bodies of requests have in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class RequestBody(BaseModel):
    """A body of known fields and exact types; `null` is the same as a field that is left out."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_nulls(cls, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        fields = cls.model_fields
        return {
            name: value
            for name, value in body.items()
            if value is not None or name not in fields or fields[name].is_required()
        }

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        described = handler(schema)
        body = handler.resolve_ref_schema(described)
        for name, field in list(body.get("properties", {}).items()):
            kinds = field.get("anyOf", [])
            if name in body.get("required", []) or {"type": "null"} in kinds:
                continue
            shown = {key: field.pop(key) for key in ("title", "description", "default", "examples") if key in field}
            body["properties"][name] = {"anyOf": [*(kinds or [field]), {"type": "null"}], **shown}
        return described
