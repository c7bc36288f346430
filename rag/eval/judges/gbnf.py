"""The form of a reply as a grammar: a model that runs under it can write nothing else.

It knows the family of schemas that `forms` makes: objects whose properties are all required and come in
their order, arrays, strings, booleans, and whole numbers from 1. In an array of a fixed length, the numbers
count up.
"""

from __future__ import annotations

from rag.eval.judges.asking import Schema
from rag.eval.judges.forms import ASCII

_RULES = (
    'truth ::= "true" | "false"',
    "ascii ::= [ !#-\\x5B\\x5D-~]",
    'sign ::= [^\\x00-\\x1F\\x22\\x5C\\x7F-\\x9F] | "\\\\" ["\\\\]',
)


def grammar_of(schema: Schema) -> str:
    """The GBNF of the JSON texts that have the form `schema`, without white space but a space.

    Raises:
        ValueError: The schema is not of the family.
    """
    strings: dict[str, str] = {}
    root = _value(schema, 1, strings)
    named = [f"{name} ::= {rule}" for rule, name in strings.items()]
    return "\n".join((f"root ::= {root}", *named, *_RULES, ""))


def _value(schema: Schema, at: int, strings: dict[str, str]) -> str:
    """What may be written at the place `at` of the array around it, from 1; `strings` gathers rules."""
    kind = schema.get("type")
    if kind == "object" and list(schema["properties"]) == schema.get("required"):
        properties = schema["properties"].items()
        parts = [f'"\\"{name}\\": " {_value(inner, at, strings)}' for name, inner in properties]
        joined = ' ", " '.join(parts)
        return f'"{{" {joined} "}}"'
    if kind == "array":
        return f'"[" {_items(schema, strings)} "]"'
    if kind == "string":
        # A rule by itself: the parser bounds what repetitions inside of repetitions come to.
        sign = "ascii" if schema.get("pattern") == ASCII else "sign"
        rule = f'"\\"" {sign}{{{schema.get("minLength", 0)},{schema["maxLength"]}}} "\\""'
        return strings.setdefault(rule, f"string{len(strings) + 1}")
    if kind == "boolean":
        return "truth"
    if kind == "integer" and schema.get("minimum") == 1 and at <= schema["maximum"]:
        return f'"{at}"'
    raise ValueError(f"no grammar for the schema {schema!r}")


def _items(schema: Schema, strings: dict[str, str]) -> str:
    least, most = schema["minItems"], schema["maxItems"]
    if least == most and least > 0:
        return ' ", " '.join(_value(schema["items"], at, strings) for at in range(1, most + 1))
    if least == 0 and most > 1:
        item = _value(schema["items"], 1, strings)
        return f'({item} (", " {item}){{0,{most - 1}}})?'
    raise ValueError(f"no grammar for {least} to {most} things")
