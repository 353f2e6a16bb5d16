"""Answers to a form: read from text, checked by the form, and completed as form-js does when it submits."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from math import isfinite

from saga.clients.failure import bad_input
from saga.operations.tasks.forms import Form, Json, Kind, Question
from saga.operations.tasks.template import is_true

_WORDS = {"true": True, "yes": True, "false": False, "no": False}
_WHOLE = re.compile(r"[+-]?\d+")


class WrongAnswerError(ValueError):
    """An answer is not valid; the text says what is, and never repeats the answer."""


class Answering:
    """The answers to one form, given one after the other."""

    def __init__(self, form: Form, variables: Mapping[str, Json]) -> None:
        """Begin with what the fields hold at first: their variable, else their default."""
        self._variables = dict(variables)
        self._form = form
        self._answers = {key: _initial(each, variables) for key, each in form.questions.items()}

    @property
    def context(self) -> dict[str, Json]:
        """The variables of expressions in the form: those of the task, and the answers so far."""
        return {**self._variables, **self._answers}

    def value(self, question: Question) -> Json:
        """Return the answer so far."""
        return self._answers[question.key]

    def is_hidden(self, question: Question) -> bool:
        """Tell whether the field is hidden, by the answers so far."""
        return is_true(question.hide, self.context)

    def is_open(self, question: Question) -> bool:
        """Tell whether the field can be answered, by the answers so far."""
        readonly = question.readonly
        if isinstance(readonly, str):
            readonly = is_true(readonly, self.context)
        return not (readonly or question.is_disabled or self.is_hidden(question))

    def put(self, question: Question, value: Json) -> None:
        """Take an answer.

        Raises:
            WrongAnswerError: It is not valid.
        """
        value = _typed(question, value)
        check(question, value)
        self._answers[question.key] = value

    def put_text(self, question: Question, text: str) -> None:
        """Take an answer that somebody typed.

        Raises:
            WrongAnswerError: It is not valid.
        """
        self.put(question, read(question, text))

    def give(self, given: Mapping[str, Json], texts: Mapping[str, str]) -> None:
        """Take answers by the keys of their fields, as JSON values and as texts.

        Raises:
            Failure: Some are not valid; the message names each field.
        """
        questions = self._form.questions
        wrong = [
            f"{key}: the form has no such field; it has {', '.join(questions)}"
            for key in (*given, *texts)
            if key not in questions
        ]
        for key, question in questions.items():
            try:
                if key in texts:
                    self.put_text(question, texts[key])
                elif key in given:
                    self.put(question, given[key])
            except WrongAnswerError as error:
                wrong.append(f"{key}: {error}")
        closed = [key for key in (*given, *texts) if key in questions and not self.is_open(questions[key])]
        wrong += [f"{key}: it is hidden or cannot be changed, by the other answers" for key in closed]
        _raise(wrong)

    def submit(self) -> dict[str, Json]:
        """Return the variables that complete the task: of every field that is shown and not disabled.

        Raises:
            Failure: Some answers are missing, or not valid; the message names each field.
        """
        shown = [each for each in self._form.questions.values() if not (each.is_disabled or self.is_hidden(each))]
        wrong = []
        for question in shown:
            try:
                check(question, self.value(question))
            except WrongAnswerError as error:
                wrong.append(f"{question.key}: {error}")
        _raise(wrong)
        return {question.key: self.value(question) for question in shown}


def read(question: Question, text: str) -> Json:
    """Return the answer that somebody typed as the JSON value that it stands for; an empty one is none.

    Raises:
        WrongAnswerError: It stands for none.
    """
    if question.takes_text:
        return text
    text = text.strip()
    if not text:
        return _empty(question)
    if question.is_choice:
        return next((option.value for option in question.options if _word(option.value) == text), text)
    if question.kind is Kind.CHECKBOX:
        return _WORDS.get(text.lower(), text)
    return text if question.is_text else _number(text)


def check(question: Question, value: Json) -> None:
    """Check an answer as form-js does; `value` has the field's type, or is its empty value.

    Raises:
        WrongAnswerError: It is not valid.
    """
    if question.is_required and (value is None or value == "" or value is False):
        what = "must be true" if question.kind is Kind.CHECKBOX else "an answer is required"
        raise WrongAnswerError(what)
    if question.kind is Kind.NUMBER and value is not None:
        _check_number(question, Decimal(str(value)))
    elif question.takes_text and value:
        _check_text(question, value)


def _check_number(question: Question, value: Decimal) -> None:
    if question.minimum is not None and value < question.minimum:
        what = f"must be {question.minimum} or more"
        raise WrongAnswerError(what)
    if question.maximum is not None and value > question.maximum:
        what = f"must be {question.maximum} or less"
        raise WrongAnswerError(what)
    number = Fraction(value)
    if question.digits is not None and number * 10**question.digits % 1:
        what = f"must have {question.digits} decimal places at most"
        raise WrongAnswerError(what)
    if question.step and number % Fraction(question.step):
        what = f"must be a multiple of {question.step}"
        raise WrongAnswerError(what)


def _check_text(question: Question, value: str) -> None:
    if question.shortest is not None and len(value) < question.shortest:
        what = f"must have {question.shortest} characters or more"
        raise WrongAnswerError(what)
    if question.longest is not None and len(value) > question.longest:
        what = f"must have {question.longest} characters or less"
        raise WrongAnswerError(what)
    if question.pattern is not None and not question.pattern.search(value):
        what = f"must match {question.pattern.pattern}"
        raise WrongAnswerError(what)


def _typed(question: Question, value: Json) -> Json:
    """Return a JSON value as the field keeps it.

    Raises:
        WrongAnswerError: It is of another type, or none of the options.
    """
    if value is None:
        return _empty(question)
    if question.is_choice:
        # By type as well: true equals 1 in Python.
        if not any(option.value == value and type(option.value) is type(value) for option in question.options):
            what = f"must be one of {', '.join(_word(option.value) for option in question.options)}"
            raise WrongAnswerError(what)
        return value
    if question.takes_text:
        if not isinstance(value, str):
            what = "must be a text"
            raise WrongAnswerError(what)
        return value
    if question.kind is Kind.CHECKBOX:
        if not isinstance(value, bool):
            what = "must be true or false"
            raise WrongAnswerError(what)
        return value
    if isinstance(value, str) and question.is_text:
        _number(value)
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        what = "must be a number"
        raise WrongAnswerError(what)
    return str(value) if question.is_text else value


def _number(text: str) -> int | float:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number.adjusted()) > 300:  # noqa: PLR2004 - what a double holds
        what = "must be a number"
        raise WrongAnswerError(what)
    return int(text) if _WHOLE.fullmatch(text) else float(number)


def _initial(question: Question, variables: Mapping[str, Json]) -> Json:
    """Return what a field holds at first; form-js drops what the field cannot hold."""
    for value in (variables.get(question.key), question.default):
        if value is not None:
            try:
                return _typed(question, value)
            except WrongAnswerError:
                return _empty(question)
    return _empty(question)


def _empty(question: Question) -> Json:
    if question.kind is Kind.CHECKBOX:
        return False
    return "" if question.takes_text else None


def _word(value: Json) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _raise(wrong: list[str]) -> None:
    if wrong:
        message = "The answer is not valid, and nothing was changed:\n" + "\n".join(f"  {each}" for each in wrong)
        raise bad_input(message)
