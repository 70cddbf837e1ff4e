"""What of an HTML page is no content: menus, banners, forms, what a script shows; and what only seems to be none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from quarry.indexer.loaders.web.markup import words

_NO_CONTENT = (
    "head script style noscript template svg iframe object embed audio video canvas map select datalist textarea input "
    "dialog menu nav rt rp annotation annotation-xml noframes -comment"
)
_INLINE = (
    "a abbr b bdi bdo big button cite code em font i img kbd label mark math q s samp small span strong sub sup time "
    "tt u var"
)
_SKIPPED, _INLINES = words(_NO_CONTENT), words(_INLINE)
_ROLES = words("navigation search menu menubar dialog alertdialog")
_PAGE_ROLES = words("banner contentinfo complementary alert")
_HEADINGS = "h1, h2, h3, h4, h5, h6"
_ROOMS = words("main article section")
_LABELLED = words("h1 h2 h3 h4 h5 h6 summary dt legend caption th")
_MENU_WORDS = words(
    "menu nav navbar navigation subnav topnav navlist breadcrumb breadcrumbs sidebar pagination pager footer header "
    "masthead social share sharing toc related"
)
_CONSENT = words("cookie cookies consent gdpr ccpa")
_SHOWN_BY_SCRIPT = _CONSENT | words(
    "modal popup popover overlay lightbox tooltip toast spinner loading loader newsletter dropdown banner cloned "
    "duplicate error invalid mobile skip"
)
_PANELS = words(
    "accordion answer collapse collapsed collapsible collapsing content details expand expandable faq more panel pane "
    "spoiler tab tabcontent tabpanel tabs toggle"
)
_OPENERS = words("accordion collapse collapsible faq question tab tablink tablinks toggle")
_CALLOUTS = words("admonition callout caution danger example hint important info note sidenote tip warning")
_OPENING = words("button summary dt label h1 h2 h3 h4 h5 h6")
_TOGGLES = words("collapse tab pill")
_UNSEEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.I)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_SKIP_LINK = re.compile(
    r"(?:skip|jump|zum|aller|ir|saltar|vai)\s+(?:directly\s+)?(?:to|au|al|a|inhalt|navigation)\b", re.I
)
_HOME = re.compile(r"(?:https?://[^/]+)?/?(?:index\.\w+)?#?|\./|\.\./")
_SPACES = re.compile(r"\s+")
_PROSE = 8  # words
_LONGEST_BANNER = 2_000  # characters


@dataclass(slots=True)
class Furniture:
    """Knows one page; asked for each element, says whether to leave it out.

    Args:
        controlled: ids of what links, buttons and labels of the page open.
        menus: ids of its menus.
        titled: whether there is a main heading outside of the page's headers.
        size: characters of the page.
        passed_by: how often a list was left out as a menu.
    """

    controlled: frozenset[str] = frozenset()
    menus: frozenset[str] = frozenset()
    titled: bool = False
    size: int = 0
    passed_by: int = 0
    _words: dict[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, tree: LexborHTMLParser) -> Furniture:
        """Look at a page as a whole."""
        found: set[str] = set()
        for node in tree.css("[aria-controls], [data-target], [data-bs-target], [data-tab], a[href^='#'], label[for]"):
            attributes = node.attributes
            for name in ("aria-controls", "data-target", "data-bs-target", "data-tab", "href", "for"):
                found.update(part.lstrip("#") for part in (attributes.get(name) or "").split())
        titled = any(_is_title(node) and not _within(node, {"header", "nav", "footer"}) for node in tree.css("h1"))
        body = tree.body
        lists = tree.css("nav[id], ul[id], ol[id], menu[id], [role=menu][id], [role=navigation][id]")
        menus = frozenset(node.attributes.get("id") or "" for node in lists)
        return cls(frozenset(found - {""}), menus, titled, len(_text(body)) if body is not None else 0)

    def left_out(self, node: LexborNode, tag: str, *, page: bool, menus: bool, said: bool) -> bool:
        """Whether an element and all in it is left out.

        Args:
            page: whether a whole page is read, rather than its main part.
            menus: whether lists of links are left out where they are menus.
            said: whether there was a heading or paragraph before.
        """
        if tag in _SKIPPED:
            return True
        attributes = node.attributes
        if attributes:
            role = attributes.get("role") or ""
            if role in _ROLES or (page and role in _PAGE_ROLES and not _holds_title(node)):
                return True
            if tag == "a" and self._is_aid(node, attributes):
                return True
            if _is_unseen(attributes) and not self._opens(node, tag, attributes):
                return True
            if tag not in ("html", "body", "main", "article") and self._is_banner(node, attributes):
                return True
        if tag == "button":
            return not self._is_label(node, attributes)
        if page and tag in ("header", "footer", "aside", "form"):
            return self._is_furniture(node, tag, attributes)
        if menus and tag in ("ul", "ol") and self._is_menu(node, page and not said):
            self.passed_by += 1
            return True
        return False

    def _tokens(self, attributes: dict[str, str | None]) -> frozenset[str]:
        """Return the words that class and id consist of."""
        names = f"{attributes.get('class') or ''} {attributes.get('id') or ''}"
        found = self._words.get(names)
        if found is None:
            found = self._words[names] = frozenset(word.lower() for word in _WORD.findall(names))
        return found

    def _is_aid(self, node: LexborNode, attributes: dict[str, str | None]) -> bool:
        """Whether a link helps moving about the page: Sphinx's mark beside a heading, a way past the menu."""
        if "headerlink" in (attributes.get("class") or ""):
            return True
        return (attributes.get("href") or "").startswith("#") and _SKIP_LINK.match(_text(node).strip()) is not None

    def _is_banner(self, node: LexborNode, attributes: dict[str, str | None]) -> bool:
        """Whether this asks for consent to cookies, rather than tells about them."""
        if not _CONSENT & self._tokens(attributes):
            return False
        length = len(_text(node))
        return length < _LONGEST_BANNER and 2 * length < self.size and node.css_first("h1") is None

    def _opens(self, node: LexborNode, tag: str, attributes: dict[str, str | None]) -> bool:
        """Whether what is hidden is content that a visitor opens, such as a panel, a tab, or the rest of a list."""
        tokens = self._tokens(attributes)
        if tokens & _SHOWN_BY_SCRIPT or (tokens & _MENU_WORDS and not tokens & _PANELS):
            return False
        if tag in _INLINES and attributes.get("aria-hidden") == "true":  # an icon, or what is told otherwise, too
            return False
        links = sum(len(_text(link)) for link in node.css("a[href]"))
        text = _text(node)
        if links >= 0.8 * max(1, len(text.strip())):
            return False
        if 2 * len(text) > self.size or node.css_first("h1") is not None:
            return True
        if attributes.get("hidden") == "until-found" or attributes.get("role") == "tabpanel":
            return True
        if (attributes.get("id") or "") in self.controlled or tokens & _PANELS or tag in ("li", "tr", "dd", "dt"):
            return True
        before = _sibling(node)
        if before is not None and tag not in _INLINES:
            told = before.attributes
            if before.tag in _OPENING or told.get("role") in ("button", "heading", "tab") or "aria-expanded" in told:
                return True
            if self._tokens(told) & _OPENERS:
                return True
        return len(text.split()) >= _PROSE

    def _is_label(self, node: LexborNode, attributes: dict[str, str | None]) -> bool:
        """Whether a button's text names what it opens, or is a heading."""
        label = next((place for place in _around(node) if place.tag in _LABELLED), None)
        if label is not None:  # alone in a heading, it is the heading; beside its words, it does something with them
            return 2 * len(_text(node).strip()) >= len(_text(label).strip())
        tokens = self._tokens(attributes)
        if tokens & (_MENU_WORDS | _SHOWN_BY_SCRIPT) or "aria-haspopup" in attributes:
            return False
        if (attributes.get("aria-controls") or "") in self.menus:
            return False
        if attributes.get("role") == "tab" or tokens & _OPENERS:
            return True
        toggles = attributes.get("data-toggle") or attributes.get("data-bs-toggle")
        return "aria-expanded" in attributes or "aria-controls" in attributes or toggles in _TOGGLES

    def _is_furniture(self, node: LexborNode, tag: str, attributes: dict[str, str | None]) -> bool:
        if tag != "form" and _within(node, _ROOMS | {"blockquote", "li", "figure"}):
            return False
        match tag:
            case "header":
                return self.titled or not _holds_title(node)
            case "aside":
                return not self._tokens(attributes) & _CALLOUTS
            case "form":
                return not self._holds_page(node)
        return True

    def _holds_page(self, form: LexborNode) -> bool:
        """Whether a form is wrapped around content, as ASP.NET does with every page."""
        if form.css_first("h1, main, article") is not None:
            return True
        own = len(_text(form))
        labels = sum(len(_text(node)) for node in form.css("label, select, button, textarea, script, style"))
        return own - labels >= 250 or 2 * (own - labels) > self.size

    def _is_menu(self, node: LexborNode, leading: bool) -> bool:
        """Whether a list of links is a way about the site or the page, rather than what the page is about.

        Args:
            leading: whether nothing has been said before it.
        """
        links = node.css("a[href]")
        if len(links) < 4 or not _only_links(node, links):
            return False
        if node.css_first("[role=tab], [data-toggle], [data-bs-toggle]") is not None:
            return False
        if leading or all((link.attributes.get("href") or "").startswith("#") for link in links):
            return True
        place: LexborNode | None = node
        while place is not None and place.tag not in ("body", "main", "article", "html"):
            if self._tokens(place.attributes) & _MENU_WORDS:
                return True
            place = place.parent
        return False


def unseen(node: LexborNode) -> bool:
    """Whether an element is not shown when the page is opened."""
    return _is_unseen(node.attributes)


def _is_unseen(attributes: dict[str, str | None]) -> bool:
    if "hidden" in attributes or attributes.get("aria-hidden") == "true":
        return True
    return _UNSEEN.search(attributes.get("style") or "") is not None


def _is_title(node: LexborNode) -> bool:
    """Whether a heading is one of the page, not the name of the site that leads to its front page."""
    text = _SPACES.sub("", _text(node))
    if not text and node.css_first("img[alt]") is None:
        return False
    for link in node.css("a[href]"):
        if _HOME.fullmatch(link.attributes.get("href") or "") and _SPACES.sub("", _text(link)) == text:
            return False
    return True


def _holds_title(node: LexborNode) -> bool:
    return any(_is_title(heading) for heading in node.css(_HEADINGS))


def title_outside(tree: LexborHTMLParser, inside: LexborNode) -> LexborNode | None:
    """Return the part of a page that holds its main heading, where that stands outside of the main part."""
    for heading in tree.css("h1"):
        if not _is_title(heading) or _within(heading, {"nav", "footer", "dialog", "aside"}) or unseen(heading):
            continue
        place = heading
        while place.parent is not None and place.parent.tag in ("header", "hgroup", "div", "section"):
            if any(node.mem_id == inside.mem_id for node in place.parent.css(inside.tag or "main")):
                break
            place = place.parent
        return place
    return None


def _only_links(node: LexborNode, links: list[LexborNode]) -> bool:
    """Whether a list holds links and nearly nothing else, each of few words."""
    linked = sum(len(_text(link)) for link in links)
    return linked >= 0.8 * len(_SPACES.sub(" ", _text(node))) and linked < 40 * len(links)


def _within(node: LexborNode, tags: frozenset[str] | set[str]) -> bool:
    return any(place.tag in tags for place in _around(node))


def _around(node: LexborNode) -> Iterator[LexborNode]:
    place = node.parent
    while place is not None and place.tag not in ("body", "html"):
        yield place
        place = place.parent


def _sibling(node: LexborNode) -> LexborNode | None:
    """Return the element before another."""
    before = node.prev
    while before is not None and before.tag in ("-text", "-comment"):
        if before.tag == "-text" and (before.text_content or "").strip():
            return None
        before = before.prev
    return before


def _text(node: LexborNode) -> str:
    return node.text() or ""
