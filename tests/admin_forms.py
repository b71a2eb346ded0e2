"""A page's form as a browser would send it back untouched."""

from html.parser import HTMLParser
from typing import Any


class _Form(HTMLParser):
    def __init__(self, form_id: str) -> None:
        super().__init__()
        self.form_id = form_id
        self.inside = False
        self.fields: dict[str, Any] = {}
        self.textarea: str | None = None
        self.select: str | None = None
        self.chosen: list[str] = []
        self.first: str | None = None
        self.multiple = False

    def add(self, name: str, value: str) -> None:
        if name in self.fields:
            held = self.fields[name]
            self.fields[name] = [*(held if isinstance(held, list) else [held]), value]
        else:
            self.fields[name] = value

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        told = dict(attrs)
        if tag == "form":
            self.inside = told.get("id") == self.form_id
        if not self.inside or (not told.get("name") and tag != "option"):
            return
        if tag == "input" and told.get("type") in ("checkbox", "radio"):
            if "checked" in told:
                self.add(told["name"], told.get("value", "on"))
        elif tag == "input" and told.get("type") not in ("submit", "file"):
            self.add(told["name"], told.get("value") or "")
        elif tag == "textarea":
            self.textarea = told["name"]
            self.fields[self.textarea] = ""
        elif tag == "select":
            self.select, self.chosen, self.first = told["name"], [], None
            # Of several none is chosen by itself.
            self.multiple = "multiple" in told
        elif tag == "option" and self.select:
            value = told.get("value", "")
            self.first = value if self.first is None else self.first
            if "selected" in told:
                self.chosen.append(value)

    def handle_data(self, data: str) -> None:
        if self.textarea:
            self.fields[self.textarea] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = False
        elif tag == "textarea" and self.textarea:
            # As HTML says: a line end right after the tag is none, and line ends are sent as CRLF.
            text = self.fields[self.textarea].replace("\r\n", "\n")
            self.fields[self.textarea] = text.removeprefix("\n").replace("\n", "\r\n")
            self.textarea = None
        elif tag == "select" and self.select:
            by_itself = [self.first] if self.first is not None and not self.multiple else []
            values = self.chosen or by_itself
            for value in values:
                self.add(self.select, value)
            self.select = None


def fields_of(page: str, form_id: str) -> dict[str, Any]:
    parser = _Form(form_id)
    parser.feed(page)
    assert parser.fields, f"the page has no form {form_id}"
    return {name: value for name, value in parser.fields.items() if name != "csrfmiddlewaretoken"}
