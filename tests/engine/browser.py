"""Approves a sign-in on the Hub's page the way a person's browser does: forms, cookies, hidden fields, and no more."""

import urllib.parse
import urllib.request
from html.parser import HTMLParser
from http.cookiejar import CookieJar

PATIENCE_S = 20.0


class Form(HTMLParser):
    """The one form of a page: where it goes, its fields as they stand, and all text of the page."""

    def __init__(self, page: str):
        super().__init__()
        self.action = ""
        self.method = "get"
        self.fields: dict[str, str] = {}
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action, self.method = named.get("action", ""), named.get("method", "get").lower()
        elif tag == "input" and "name" in named:
            self.fields[named["name"]] = named.get("value", "")

    def handle_data(self, data: str) -> None:
        self.text += data


class Browser:
    """Keeps cookies, follows redirects, and remembers the page it is on."""

    def __init__(self):
        no_proxy = urllib.request.ProxyHandler({})
        cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        self._opener = urllib.request.build_opener(no_proxy, cookies)
        self.form = Form("")
        self._at = ""

    def open(self, url: str, data: bytes | None = None) -> None:
        with self._opener.open(url, data, PATIENCE_S) as answer:
            self._at = answer.url
            self.form = Form(answer.read().decode())

    def submit(self, **typed: str) -> None:
        """Sends the page's form with what a person typed or pressed."""
        assert self.form.method == "post", f"no form to send on this page: {self.form.text!r}"
        fields = urllib.parse.urlencode({**self.form.fields, **typed})
        self.open(urllib.parse.urljoin(self._at, self.form.action), fields.encode())


def approve(address: str, account: str, passphrase: str) -> str:
    """Opens the address that `porten login` shows, signs in and connects; gives the text of the last page."""
    browser = Browser()
    browser.open(address)
    browser.submit(account=account, passphrase=passphrase)
    browser.submit(answer="connect")
    return browser.form.text
