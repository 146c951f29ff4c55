"""The tool `calculate`: arithmetic on a syntax tree, without evaluating code."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable

from relayline.catalog.tools import ToolError, tool

Number = int | float

MAX_CHARS = 500
MAX_BITS = 10_000
"""Limit for every intermediate integer, about 3,000 digits."""
MAX_DIGITS = 15
"""Limit for the digits of `round`."""


class _Refused(Exception):
    """The expression uses something unsupported, or is too large."""


def _power(base: Number, exponent: Number) -> Number:
    """`base ** exponent`, refused before the result gets too large."""
    if (
        isinstance(base, int)
        and isinstance(exponent, int)
        and base.bit_length() * abs(exponent) > MAX_BITS
    ):
        raise _Refused(f"{base}**{exponent} is too large")
    power: object = base**exponent
    if not isinstance(power, int | float):
        raise _Refused(f"{base}**{exponent} is not a real number")
    return power


def _round(number: Number, digits: Number = 0) -> Number:
    if not isinstance(digits, int) or abs(digits) > MAX_DIGITS:
        raise _Refused(f"round takes at most {MAX_DIGITS} digits")
    return round(number, digits) if digits else round(number)


_OPERATORS: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
_SIGNS: dict[type[ast.unaryop], Callable[[Number], Number]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
_FUNCTIONS: dict[str, Callable[..., Number]] = {
    "abs": abs,
    "ceil": math.ceil,
    "cos": math.cos,
    "exp": math.exp,
    "floor": math.floor,
    "log": math.log,
    "log10": math.log10,
    "max": max,
    "min": min,
    "round": _round,
    "sin": math.sin,
    "sqrt": math.sqrt,
    "tan": math.tan,
}
_CONSTANTS = {"pi": math.pi, "e": math.e}


@tool(timeout_s=5, retries=0)
def calculate(expression: str) -> str:
    """Calculate an arithmetic expression.

    Knows numbers, + - * / // % **, parentheses, pi, e, and abs, ceil, cos, exp, floor, log,
    log10, max, min, round, sin, sqrt, tan.
    """
    if len(expression) > MAX_CHARS:
        raise ToolError(f"the expression is longer than {MAX_CHARS} characters", retryable=False)
    try:
        return str(_value(ast.parse(expression.strip(), mode="eval").body))
    except SyntaxError as error:
        raise ToolError(
            f"{expression!r} is not an expression: {error.msg}", retryable=False
        ) from error
    except (_Refused, ArithmeticError, TypeError, ValueError) as error:
        raise ToolError(f"{expression!r}: {error}", retryable=False) from error
    except (MemoryError, RecursionError) as error:
        raise ToolError("the expression is nested too deeply", retryable=False) from error


def _value(node: ast.expr) -> Number:
    value = _node_value(node)
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise _Refused("an intermediate integer is too large")
    if isinstance(value, float) and not math.isfinite(value):
        raise _Refused("an intermediate number is too large or undefined")
    return value


def _node_value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _SIGNS:
            return _SIGNS[type(sign)](_value(operand))
        case ast.BinOp(left=left, op=between, right=right) if type(between) in _OPERATORS:
            return _OPERATORS[type(between)](_value(left), _value(right))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(argument) for argument in arguments))
        case ast.BinOp(op=ast.BitXor()):
            raise _Refused("^ is not supported: use ** for powers")
        case _:
            raise _Refused(f"{ast.unparse(node)[:100]!r} is not supported")
