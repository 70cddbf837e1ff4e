"""The bodies of `GET /v1/fields` as pydantic models; see `api.schemas`."""

from __future__ import annotations

from pydantic import BaseModel, Field


class ValueCount(BaseModel):
    """A value of a field, and how often it occurs."""

    value: str | int | float | bool
    count: int


class FieldBody(BaseModel):
    """A field that a filter can name."""

    name: str = Field(description="As a filter names it; `metadata.type` is the files' own field `type`.")
    documents: int = Field(description="How many documents have it.")
    types: dict[str, int] = Field(description="How many values are `text`, `number`, `date` or `boolean`.")
    distinct: int = Field(description="How many different values there are; counted up to 10,000.")
    values: list[ValueCount] = Field(description="The most frequent values; of dates that all documents have, years.")
    unclear: list[str] = Field(description="Some values that could be two dates, such as 03/04/2021: they are texts.")


class FieldList(BaseModel):
    """What filters can name."""

    fields: list[FieldBody]
