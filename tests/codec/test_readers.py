"""Any attrs class can be a model, and all are read by one rule."""

from datetime import UTC, datetime
from enum import Enum
from typing import Any

import attrs
import orjson
import pytest

from backupify_async import Backup, BackupInstance, DecodeError
from backupify_async._codec.decode import decode_list, decode_present
from backupify_async._codec.model_json import from_json, to_json
from backupify_async._codec.readers import ModelT
from tests.support.transport_values import make_response


class Plan(Enum):
    BASIC = "basic"


@attrs.frozen
class Contact:
    email: str
    phone: str | None = None


@attrs.frozen
class Variable:
    """A model with a key instead of an id."""

    key: str
    value: str | None = None


@attrs.frozen
class Health:
    """A model without required fields."""

    status: str | None = None


@attrs.frozen
class Customer:
    id: int
    name: str | None = None
    plan: Plan | None = None
    seats: int = 1
    price: float | None = None
    active: bool = False
    contact: Contact | None = None
    others: list[Contact] | None = None
    tags: list[str] = attrs.field(factory=list)
    settings: dict[str, Any] | None = None
    parent: "Customer | None" = None
    since: datetime | None = None
    extra: dict[str, Any] = attrs.field(factory=dict)


def read(raw: object, model: type[ModelT]) -> ModelT:
    return decode_present(make_response(raw), model)


def customer(**raw: Any) -> Customer:
    return read({"id": 7, **raw}, Customer)


class TestUserDefinedModel:
    def test_a_model_is_read_by_its_fields(self) -> None:
        found = customer(
            name="x",
            plan="basic",
            seats=3,
            price=2,
            active=True,
            contact={"email": "a@b", "phone": "1"},
            others=[{"email": "c@d"}],
            tags=["t"],
            settings={"a": 1},
            parent={"id": 1, "colour": "red"},
            since="2026-01-02T00:00:00Z",
            colour="blue",
        )
        assert found == Customer(
            7,
            "x",
            Plan.BASIC,
            3,
            2,
            True,
            Contact("a@b", "1"),
            [Contact("c@d")],
            ["t"],
            {"a": 1},
            Customer(1, extra={"colour": "red"}),
            datetime(2026, 1, 2, tzinfo=UTC),
            {"colour": "blue"},
        )

    def test_a_missing_or_null_value_leaves_the_default(self) -> None:
        raw = dict.fromkeys(attrs.fields_dict(Customer).keys() - {"id", "extra"})
        assert customer(**raw) == customer() == Customer(7)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            *(("name", 7), ("name", True), ("name", ["x"]), ("seats", "3"), ("seats", True), ("seats", 3.0)),
            *(("active", 1), ("active", "false"), ("price", "2"), ("price", True), ("plan", "gold")),
            *(("contact", {"phone": "1"}), ("contact", {"email": 7}), ("contact", "a@b"), ("contact", [])),
            *(("others", {"email": "a@b"}), ("others", [{"email": "a@b"}, {}]), ("others", "a@b")),
            *(("tags", "abc"), ("tags", [1]), ("tags", {"a": 1}), ("settings", [1]), ("parent", {"id": "1"})),
            *(("since", "yesterday"), ("since", 1)),
        ],
    )
    def test_a_value_of_another_type_leaves_the_default_and_stays_in_extra(
        self, name: str, value: object
    ) -> None:
        assert customer(**{name: value}) == Customer(7, extra={name: value})

    @pytest.mark.parametrize("value", ["7", None, True, 7.0, [7]])
    def test_the_id_has_the_declared_type(self, value: object) -> None:
        with pytest.raises(DecodeError, match="an id must be an integer, not "):
            read({"id": value}, Customer)

    def test_a_model_needs_no_extra(self) -> None:
        @attrs.frozen
        class Small:
            id: str
            name: str | None = None

        assert read({"id": "a", "name": 3, "x": 1}, Small) == Small("a")

    def test_fields_can_be_keyword_only_private_and_required(self) -> None:
        @attrs.define(kw_only=True)
        class Strict:
            id: int | str
            name: str
            created_at: datetime
            _note: str | None = None
            computed: int = attrs.field(init=False, default=0)

        found = read({"id": 1, "name": "x", "created_at": "2026-01-02", "_note": "n", "computed": 5}, Strict)
        assert found == Strict(id=1, name="x", created_at=datetime(2026, 1, 2, tzinfo=UTC), note="n")
        with pytest.raises(DecodeError, match="name is required, and is missing"):
            read({"id": 1, "created_at": "2026-01-02"}, Strict)

    def test_a_list_of_a_model_is_read(self) -> None:
        found = decode_list(make_response({"customers": [{"id": 1}, {"id": 2}]}), Customer)
        assert found == [Customer(1), Customer(2)]

    @pytest.mark.parametrize("model", [dict, int, "Customer"])
    def test_a_model_must_be_an_attrs_class(self, model: Any) -> None:
        with pytest.raises(TypeError, match="a model must be an attrs class, not"):
            read({"id": 1}, model)

    @pytest.mark.parametrize(
        "raw",
        [
            {"key": "a", "value": "1"},
            {"variable": {"key": "a", "value": "1"}},
            {"ok": True, "variable": {"key": "a", "value": "1"}},
        ],
    )
    def test_a_model_without_an_id_is_recognized_by_its_required_fields(self, raw: Any) -> None:
        assert read(raw, Variable) == Variable("a", "1")

    def test_the_message_names_the_required_fields(self) -> None:
        with pytest.raises(DecodeError, match="no Variable: an object with key was expected"):
            read({"name": "a"}, Variable)

    @pytest.mark.parametrize("raw", [{"status": "ok"}, {"ping": {"status": "ok"}}, {"status": "ok", "x": 1}])
    def test_a_model_without_required_fields_is_the_object_or_the_only_one_in_it(self, raw: Any) -> None:
        assert read(raw, Health) == Health("ok")


@pytest.mark.parametrize(
    "raw",
    [
        {"id": 1, "status": 3, "created_at": "2026-01-02T03:04:05", "colour": {"a": [None]}},
        {"id": "a", "backup_instance_id": 42, "updated_at": "2026-01-02T03:04:05+02:00"},
    ],
)
def test_a_model_is_read_back_from_json(raw: dict[str, Any]) -> None:
    backup = read(raw, Backup)
    assert from_json(to_json(backup), Backup) == backup
    assert from_json(orjson.dumps({"id": 1}), BackupInstance) == BackupInstance(1)


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"id": null}', b"7"])
def test_other_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"id|object"):
        from_json(body, Backup)
