"""Forms of form-js, as Camunda Modeler saves them: the parts that a terminal can show and ask.

Understood are texts and the fields textfield, textarea, number, checkbox, radio and select with fixed options. A form
with anything else says in `foreign` what that is; whoever answers it has to give the variables themselves.
"""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from saga.clients.failure import Failure
from saga.common.problems import field_path

Json = Any
"""A JSON value as `json.loads` returns it."""


class Kind(StrEnum):
    """What a field takes; form-js's own names."""

    TEXTFIELD = "textfield"
    TEXTAREA = "textarea"
    NUMBER = "number"
    CHECKBOX = "checkbox"
    RADIO = "radio"
    SELECT = "select"


_TEXTS = frozenset({Kind.TEXTFIELD, Kind.TEXTAREA})
_CHOICES = frozenset({Kind.RADIO, Kind.SELECT})


@dataclass(frozen=True, slots=True)
class Text:
    """Markdown with FEEL templates in it."""

    text: str
    hide: str | None = None
    """A FEEL expression, with its "="; the part is hidden where it is true."""


@dataclass(frozen=True, slots=True)
class Option:
    """One of the values of a radio group or a select."""

    value: Json
    label: str


@dataclass(frozen=True, slots=True)
class Question:
    """One field: what is asked, and which answers are valid."""

    kind: Kind
    key: str
    """The variable that it reads and writes."""
    label: str = ""
    """A template, as `description`."""
    description: str = ""
    default: Json = None
    hide: str | None = None
    is_disabled: bool = False
    """Whether it is shown only, and leaves its variable alone."""
    readonly: bool | str = False
    """Whether it cannot be changed; or a FEEL expression that says so."""
    options: tuple[Option, ...] = ()
    is_required: bool = False
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    step: Decimal | None = None
    """A number has to be a multiple of it."""
    digits: int | None = None
    """Decimal places that a number may have."""
    is_text: bool = False
    """Whether a number is written as text."""
    shortest: int | None = None
    """Characters of a text, as `longest`."""
    longest: int | None = None
    pattern: re.Pattern[str] | None = None

    @property
    def takes_text(self) -> bool:
        """Whether any text is an answer, within its limits."""
        return self.kind in _TEXTS

    @property
    def is_choice(self) -> bool:
        """Whether the answer is one of its options."""
        return self.kind in _CHOICES


@dataclass(frozen=True, slots=True)
class Form:
    """A form, its parts from top to bottom."""

    parts: tuple[Text | Question, ...]
    foreign: tuple[str, ...] = ()
    """What of it is not understood; no part of it is to be relied on then."""

    @classmethod
    def parse(cls, schema: str) -> "Form":
        """Read a form.

        Raises:
            Failure: It is not a valid form.
        """
        try:
            components = _Schema.model_validate_json(schema).components
        except ValidationError:
            message = "The form of the task is not a valid form-js schema. Deploy a valid one."
            raise Failure(message) from None
        parts: list[Text | Question] = []
        foreign: dict[str, None] = {}
        for component in components:
            try:
                parts.append(_part(component))
            except _ForeignError as error:
                foreign[str(error)] = None
        keys = [part.key for part in parts if isinstance(part, Question)]
        if len(keys) != len(set(keys)):
            foreign["two fields of one key"] = None
        return cls(tuple(parts), tuple(foreign))

    @property
    def questions(self) -> dict[str, Question]:
        """The fields by their keys, from top to bottom."""
        return {part.key: part for part in self.parts if isinstance(part, Question)}


class _ForeignError(Exception):
    """A component that is not understood; the text says what it is."""


class _Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore")


class _Schema(_Camel):
    components: list[dict[str, Json]]


class _Conditional(_Camel):
    hide: str | None = None


class _Value(_Camel):
    label: str = ""
    value: str | bool | int | float


class _Validate(_Camel):
    required: bool = False
    min: str | int | float | None = None
    max: str | int | float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    validation_type: str | None = None


class _Component(_Camel):
    type: str
    text: str = ""
    key: str = ""
    label: str = ""
    description: str = ""
    default_value: Json = None
    conditional: _Conditional = Field(default_factory=_Conditional)
    disabled: bool = False
    readonly: bool | str = False
    values: list[_Value] | None = None
    increment: str | int | float | None = None
    decimal_digits: int | None = None
    serialize_to_string: bool = False
    validation: _Validate = Field(default_factory=_Validate, alias="validate")


def _part(component: dict[str, Json]) -> Text | Question:
    named = str(component.get("type") or "a part without a type")
    if named != "text" and named not in set(Kind):
        raise _ForeignError(named)
    try:
        given = _Component.model_validate({name: value for name, value in component.items() if value is not None})
    except ValidationError as error:
        # An expression, where we know fixed values only.
        place = field_path(error.errors(include_input=False)[0]["loc"][:2])
        what = f"{named} with this kind of {place}"
        raise _ForeignError(what) from None
    if given.type == "text":
        return Text(given.text, given.conditional.hide)
    return _question(Kind(given.type), given)


def _question(kind: Kind, given: _Component) -> Question:
    if not given.key or "." in given.key:
        what = f"{kind} without a plain key"
        raise _ForeignError(what)
    if kind in _CHOICES and given.values is None:
        what = f"{kind} whose options are not fixed"
        raise _ForeignError(what)
    validation = given.validation
    if validation.validation_type not in {None, "", "custom"}:
        what = f"{kind} that takes {validation.validation_type} only"
        raise _ForeignError(what)
    return Question(
        kind,
        given.key,
        given.label,
        given.description,
        given.default_value,
        given.conditional.hide,
        given.disabled,
        given.readonly,
        tuple(Option(each.value, each.label or str(each.value)) for each in given.values or ()),
        validation.required,
        _number(kind, "min", validation.min),
        _number(kind, "max", validation.max),
        _number(kind, "increment", given.increment),
        given.decimal_digits,
        given.serialize_to_string,
        validation.min_length,
        validation.max_length,
        _pattern(kind, validation.pattern),
    )


def _number(kind: Kind, name: str, value: str | float | None) -> Decimal | None:
    if value is None or value == "":
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        what = f"{kind} with an expression as {name}"
        raise _ForeignError(what) from None


def _pattern(kind: Kind, pattern: str | None) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern) if pattern else None
    except re.error:
        what = f"{kind} with a pattern that Python does not know"
        raise _ForeignError(what) from None
