"""Models to JSON and back."""

from typing import Any

import attrs
import orjson

from backupify_async._codec.readers import ModelT, reader


def to_json(model: attrs.AttrsInstance) -> bytes:
    """A model as JSON, such as the server could have sent; `from_json` reads the same model back."""
    fields = attrs.asdict(model, recurse=False)
    extra = fields.pop("extra")
    # The raw value of an unreadable field is in `extra`, under the field's name.
    return orjson.dumps({name: value for name, value in fields.items() if value is not None} | extra)


def from_json(body: bytes, model: type[ModelT]) -> ModelT:
    """The model that `to_json` made JSON of.

    Raises:
        ValueError: It is not such JSON.
    """
    raw: Any = orjson.loads(body)
    if not isinstance(raw, dict):
        raise ValueError(f"no {model.__name__}: an object was expected")  # noqa: TRY004 - bad input, no bad call
    return reader(model)(raw)
