#!/usr/bin/env python3
"""Makes docs/json.schema.json (JSON Schema 2020-12) of crates/porten-cli/schema/commands.ts and the types in ui/src/bindings.

Both are plain TypeScript types: objects, unions, intersections of objects, literals, arrays. Each object takes exactly the
keys that are written. Usage: json-schema.py FILE-TO-WRITE
"""

import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMMANDS = ROOT / "crates/porten-cli/schema/commands.ts"
TOKEN = re.compile(r'\s*(?:/\*\*(?P<doc>.*?)\*/|//[^\n]*|(?P<text>"[^"]*")|(?P<word>-?\w+)|(?P<sign>[{}<>|&:,;=()]))', re.S)


class Reader:
    def __init__(self, source):
        self.tokens = []
        at = 0
        source = re.sub(r"import type[^\n]*", "", source)
        while match := TOKEN.match(source, at):
            at = match.end()
            if match["doc"] is not None:
                lines = [line.strip().removeprefix("*").strip() for line in match["doc"].splitlines()]
                self.tokens.append(("doc", " ".join(line for line in lines if line)))
            elif match["text"] or match["word"] or match["sign"]:
                self.tokens.append(("token", match["text"] or match["word"] or match["sign"]))
        rest = source[at:].strip()
        if rest:
            raise SystemExit(f"this is no type: {rest[:60]}")

    def doc(self):
        said = None
        while self.tokens and self.tokens[0][0] == "doc":
            said = self.tokens.pop(0)[1]
        return said

    def peek(self):
        self.doc()
        return self.tokens[0][1] if self.tokens else None

    def take(self, wanted=None):
        self.doc()
        token = self.tokens.pop(0)[1]
        if wanted and token != wanted:
            raise SystemExit(f"{wanted} is wanted where {token} stands")
        return token

    def types(self):
        """Each `export type NAME = TYPE;`, with its words."""
        while self.tokens:
            said = self.doc()
            if not self.tokens:
                return
            self.take("export")
            self.take("type")
            name = self.take()
            self.take("=")
            schema = self.union()
            self.take(";")
            yield name, {"description": said, **schema} if said else schema

    def union(self):
        options = [self.both()]
        while self.peek() == "|":
            self.take()
            options.append(self.both())
        if len(options) == 1:
            return options[0]
        if all(set(option) == {"const"} for option in options):
            return {"enum": [option["const"] for option in options]}
        return {"anyOf": options}

    def both(self):
        parts = [self.one()]
        while self.peek() == "&":
            self.take()
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else {"allOf": parts}

    def one(self):
        token = self.take()
        if token == "{":
            return self.object()
        if token == "(":
            inner = self.union()
            self.take(")")
            return inner
        if token == "Array":
            self.take("<")
            inner = self.union()
            self.take(">")
            return {"type": "array", "items": inner}
        if token.startswith('"'):
            return {"const": token[1:-1]}
        if token in ("true", "false"):
            return {"const": token == "true"}
        if token in ("string", "number", "boolean", "null"):
            return {"type": token}
        return {"$ref": f"#/$defs/{token}"}

    def object(self):
        keys = {}
        while self.peek_past_doc() != "}":
            said = self.doc()
            name = self.take().strip('"')
            self.take(":")
            schema = self.union()
            keys[name] = {"description": said, **schema} if said else schema
            if self.peek() in (",", ";"):
                self.take()
        self.take("}")
        return {"type": "object", "properties": keys, "required": list(keys), "additionalProperties": False}

    def peek_past_doc(self):
        rest = [token for kind, token in self.tokens[:4] if kind == "token"]
        return rest[0] if rest else None


def merged(schema, defs):
    """An intersection of objects as the one object that it is, since each part alone refuses the others' keys."""
    if isinstance(schema, list):
        return [merged(part, defs) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "allOf" not in schema:
        return {key: merged(part, defs) for key, part in schema.items()}
    keys = {}
    for part in schema["allOf"]:
        while "$ref" in part:
            part = defs[part["$ref"].rsplit("/", 1)[1]]
        keys.update(merged(part, defs)["properties"])
    said = {"description": schema["description"]} if "description" in schema else {}
    return {**said, "type": "object", "properties": keys, "required": list(keys), "additionalProperties": False}


def refs(schema):
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"].rsplit("/", 1)[1]
        for part in schema.values():
            yield from refs(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from refs(part)


def main():
    defs = {}
    for path in sorted((ROOT / "ui/src/bindings").glob("*.ts")):
        defs.update(Reader(path.read_text()).types())
    commands = dict(Reader(COMMANDS.read_text()).types())
    clash = set(commands) & set(defs)
    if clash:
        raise SystemExit(f"a type of this name is there already: {', '.join(sorted(clash))}")
    defs.update(commands)
    defs = {name: merged(schema, defs) for name, schema in defs.items()}
    needed, open_ = set(), list(commands)
    while open_:
        name = open_.pop()
        if name not in needed:
            needed.add(name)
            open_.extend(refs(defs[name]))
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What porten answers with --json",
        "description": "Made by tools/json-schema.py; docs/json.md explains it. Each line is one of these documents.",
        "$defs": {name: defs[name] for name in [*commands, *sorted(needed - set(commands))]},
    }
    pathlib.Path(sys.argv[1]).write_text(json.dumps(schema, indent=1, ensure_ascii=False) + "\n")


main()
