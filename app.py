"""The chat page: a conversation beside the evidence each answer rests on. The only home of Gradio."""

from __future__ import annotations

import argparse
import os
import re
import secrets
import socket
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from rag import Answer, Assistant, AttestError, Citation, Claim
from rag.ingest.repair import readable
from rag.render import quote_in_context
from rag.types import Sentence

# Gradio reports usage to its makers unless told otherwise before it is imported.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
try:
    import gradio as gr
    import uvicorn
    from fastapi import FastAPI
    from starlette.datastructures import Headers, MutableHeaders
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.responses import PlainTextResponse
    from starlette.types import ASGIApp, Message, Receive, Scope, Send
except ImportError as error:
    if __name__ == "__main__":
        sys.exit(f"error: the chat page cannot start: {error}\nhint: pip install 'attest[ui]'")
    raise AttestError(f"the chat page cannot start: {error}", hint="pip install 'attest[ui]'") from error

EXAMPLES = (
    "which papers compare hybrid linear attention ratios?",
    "Lizard vs Liger: how do they linearize a pretrained model?",
    "how many papers are from 2023?",
    "what F1 did Ditto get when matching the two big company tables?",
)
GREETING = "Ask the papers on this shelf. Every statement names its paper and is checked against the words it quotes."
STAGES = {
    "searching": "*Searching…*",
    "writing": "*Writing…*",
    "checking": "*Checking against the quoted words…*",
    "repairing": "*Asking again for what did not hold…*",
}
REMEMBERED = 4  # earlier answers a follow-up may refer to
AT_ONCE = 4  # questions answered at the same time, so that one slow answer holds up nobody
OPEN_ABSTRACTS = 6  # longer lists come with their abstracts folded

# Gradio compiles its HTML component's template and styles its elements at run time, hence 'unsafe-eval'
# and inline styles. Scripts within the page run only by the nonce: no handler or script brought in by text does.
POLICY = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)
CSS = """
#chat { height: calc(100vh - 210px); min-height: 320px; }
#chat .placeholder-content { padding-top: 24px; }
#evidence { height: calc(100vh - 152px); min-height: 378px; overflow-y: auto !important; padding: 4px 20px;
  font-size: .875rem; line-height: 1.55; border: 1px solid var(--border-color-primary); border-radius: 4px; }
#evidence h2 { font-size: 1rem; margin: 10px 0; }
#evidence h3 { font-size: .95rem; margin: 0 0 2px; }
#evidence article { padding: 12px 0; border-top: 1px solid var(--border-color-primary); }
#evidence p, #evidence ul, #evidence li { margin: 4px 0; padding: 0; list-style: none; font-size: inherit; }
#evidence .quiet, #evidence summary { color: var(--body-text-color-subdued); cursor: default; }
#evidence .part { color: var(--body-text-color-subdued); border: 1px solid var(--border-color-primary); border-radius: 3px;
  padding: 0 3px; font-size: .7rem; user-select: none; }
#evidence mark { background: #fdf0b0; color: #1f2937; padding: 1px 2px; border-radius: 3px; }
#evidence .contradicted, #evidence .unsupported { border-left: 3px solid #b45309; padding-left: 8px; }
"""

Chat = list[dict[str, str]]


def literal(text: str) -> str:
    """Text that says the same in HTML and in Markdown: all ASCII punctuation as character references.

    Neither language has a construct without punctuation, so nothing in the words of a paper can become
    an element, an image or a link. Marks that reorder the text around them are dropped.
    """
    ordered = re.sub("[\u202a-\u202e\u2066-\u2069]", "", text)
    return re.sub(r"[!-/:-@\[-`{-~]", lambda found: f"&#{ord(found[0])};", ordered)


def chat_text(text: str) -> str:
    """An answer for the chat: paragraphs, bullets and tables of our own making, everything else literal."""
    return "\n".join(map(_chat_line, text.split("\n")))


def _chat_line(line: str) -> str:
    if line.startswith("| "):
        cells = (cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split(" | "))
        return f"| {' | '.join(cell if cell and set(cell) == {'-'} else literal(cell) for cell in cells)} |"
    return ("- " if line.startswith("- ") else "") + literal(line.removeprefix("- ").strip())


def reply(answer: Answer) -> str:
    """What the chat says: the answer, and how its statements fared."""
    counts = Counter(str(claim.verdict) for claim in answer.claims)
    tally = ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
    return chat_text(answer.text) + (f"\n\n*Statements checked: {tally}.*" if tally else "")


def evidence(answer: Answer | None, read: Mapping[str, Sequence[Sentence]] | None = None) -> str:
    """The panel: every cited paper in order of use, its verdicts, and its abstract with the quoted words marked.

    Args:
        answer: what to show, if anything was asked.
        read: how the abstracts of its papers read (`Ledger.sentences`), for the labels of their parts.
    """
    cited: dict[str, list[Citation]] = {}
    for citation in answer.citations if answer else ():
        cited.setdefault(citation.paper.id, []).append(citation)
    if not answer or not cited:
        note = "Nothing is cited." if answer else "The papers an answer cites appear here, the quoted words marked."
        return f'<h2>Evidence</h2><p class="quiet">{note}</p>'
    bare = "".join(_verdict(claim) for claim in answer.claims if not claim.citations)
    alone = f"<article><h3>Statements that cite no paper</h3><ul>{bare}</ul></article>" if bare else ""
    papers = "".join(
        _paper(citations, answer.claims, (read or {}).get(key, ()), len(cited) <= OPEN_ABSTRACTS)
        for key, citations in cited.items()
    )
    count = "1 paper cited" if len(cited) == 1 else f"{len(cited)} papers cited"
    return f'<h2>Evidence: {count}</h2><p class="quiet">{literal(answer.question)}</p>{alone}{papers}'


def _paper(
    citations: Sequence[Citation], claims: Sequence[Claim], sentences: Sequence[Sentence], unfolded: bool
) -> str:
    paper, numbers = citations[0].paper, [citation.number for citation in citations]
    dated = (paper.date or str(paper.year or "no date")) + (" (year inferred)" if paper.year_inferred else "")
    facts = f"{dated} · {paper.organization.name}" if paper.organization else dated
    verdicts = "".join(_verdict(claim) for claim in claims if set(claim.citations) & set(numbers))
    verdicts = verdicts or "<li>Cited for its record; no statement to check.</li>"
    title = f"{_markers(numbers)} {literal(readable(paper.title))}"
    abstract = f"<summary>Abstract</summary><p>{quote_in_context(citations, sentences)}</p>"
    return (
        f'<article><h3>{title}</h3><p class="quiet">{literal(facts)}</p><ul>{verdicts}</ul>'
        f"<details{' open' if unfolded else ''}>{abstract}</details></article>"
    )


def _verdict(claim: Claim) -> str:
    # The statement is repeated only where the reader has to compare it with the quote.
    said = "" if claim.verdict == "supported" else f" “{literal(claim.text)}”"
    why = f' <span class="quiet">({literal(claim.reason)})</span>' if claim.reason else ""
    word = f"<strong>{claim.verdict.capitalize()}</strong>"
    return f'<li class="{claim.verdict}">{word} {_markers(claim.citations)}{said}{why}</li>'


def _markers(numbers: Sequence[int]) -> str:
    return " ".join(f"[{number}]" for number in numbers)


def create_app(assistant: Assistant) -> gr.Blocks:
    """The page and its one named endpoint, /ask, which takes a question and returns the answer as JSON."""

    def ask(question: str) -> dict[str, Any]:
        """A cited and checked answer from the shelf, or an abstention."""
        try:
            return assistant.ask(question).to_dict()
        except AttestError as error:
            raise gr.Error(f"{error}; {error.hint}" if error.hint else str(error), print_exception=False) from None

    def respond(question: str, chat: Chat, answers: list[Answer]) -> Iterator[tuple[Any, ...]]:
        """Stages, draft and checked answer as they come, as values for `outputs`."""

        def show(content: str) -> Chat:
            return [*chat, {"role": "user", "content": chat_text(question)}, {"role": "assistant", "content": content}]

        if not question.strip():
            return
        draft, stage = "", STAGES["searching"]
        try:
            for event in assistant.stream(question, answers):
                if event.answer:
                    shown = show(reply(event.answer))
                    cited = [citation.paper.id for citation in event.answer.citations]
                    beside = evidence(event.answer, assistant.shelf.ledger.sentences(cited))
                    yield shown, shown, [*answers, event.answer][-REMEMBERED:], beside, ""
                    return
                stage = STAGES.get(event.text, stage) if event.kind == "status" else stage
                draft += event.text if event.kind == "token" else ""
                shown = show(f"{chat_text(draft)}\n\n{stage}")
                yield shown, shown, gr.skip(), gr.skip(), ""
        except AttestError as error:
            shown = show(f"**Error:** {literal(str(error))}\n\n{literal(error.hint)}")
            yield shown, shown, gr.skip(), gr.skip(), gr.skip()

    def stopped(chat: Chat) -> tuple[Chat, Chat]:
        """The chat without the half-made answer: an unchecked draft must not stay as if it were checked."""
        if chat and chat[-1]["content"].endswith(tuple(STAGES.values())):
            chat = [*chat[:-1], {"role": "assistant", "content": "*Stopped.*"}]
        return chat, chat

    def chosen(example: gr.SelectData) -> str:
        return str(example.value["text"])

    page = gr.Blocks(title="Attest", analytics_enabled=False, fill_width=True)
    with page:
        gr.Markdown(f"# Attest\n{GREETING}")
        # What was said is kept here and not read back from the page, which could send anything.
        chat, answers = gr.State([]), gr.State([])
        with gr.Row():
            with gr.Column(scale=3, min_width=360):
                chatbot = gr.Chatbot(
                    elem_id="chat",
                    show_label=False,
                    height=None,
                    layout="panel",
                    sanitize_html=True,
                    allow_tags=False,
                    latex_delimiters=[],
                    buttons=[],
                    placeholder="Try one of these, or ask a question of your own.",
                    examples=[{"text": text} for text in EXAMPLES],
                )
                with gr.Row(equal_height=True):
                    box = gr.Textbox(
                        placeholder="Ask a question", label="Question", container=False, max_lines=4, scale=8
                    )
                    send = gr.Button("Send", variant="primary", min_width=80)
                    stop, clear = gr.Button("Stop", min_width=80), gr.Button("Clear", min_width=80)
            with gr.Column(scale=2, min_width=320):
                panel = gr.HTML(evidence(None), elem_id="evidence", js_on_load=None)
        outputs = [chatbot, chat, answers, panel, box]
        hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        queue: dict[str, Any] = {"concurrency_limit": AT_ONCE, "concurrency_id": "page", **hidden}
        typed = gr.on([box.submit, send.click], respond, [box, chat, answers], outputs, **queue)
        picked = chatbot.example_select(chosen, None, box, **hidden)
        picked = picked.then(respond, [box, chat, answers], outputs, **queue)
        running: dict[str, Any] = {"cancels": [typed, picked], **hidden}
        stop.click(stopped, [chat], [chatbot, chat], **running)
        gr.on([clear.click, chatbot.clear], lambda: ([], [], [], evidence(None), ""), None, outputs, **running)
        gr.api(ask, api_name="ask", concurrency_limit=AT_ONCE, concurrency_id="api")  # type: ignore[attr-defined]
    return page


class Guard:
    """Adds the security headers, and refuses requests that another site's page makes in the user's name."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        nonce = secrets.token_urlsafe(16)
        held: list[Message] = []  # the start and body of an HTML page, until the nonce can be put into it whole

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = POLICY.format(nonce=nonce)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                if headers.get("content-type", "").startswith("text/html"):
                    held.append(message)
                    return
            if held and message["type"] == "http.response.body":
                held.append(message)
                if message.get("more_body"):
                    return
                # The page as served holds no text of the shelf (that comes later, as JSON): its scripts are Gradio's own.
                body = b"".join(part.get("body", b"") for part in held)
                body = re.sub(rb"<script(?=[\s>])", f'<script nonce="{nonce}"'.encode(), body)
                MutableHeaders(scope=held[0])["Content-Length"] = str(len(body))
                await send(held[0])
                message = {"type": "http.response.body", "body": body}
            await send(message)

        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD"):
            headers = Headers(scope=scope)
            if "origin" in headers and urlsplit(headers["origin"]).netloc != headers.get("host"):
                await PlainTextResponse("Request from another site refused", status_code=403)(scope, receive, guarded)
                return
        await self._app(scope, receive, guarded)


def serve(assistant: Assistant, host: str = "127.0.0.1", port: int = 7860) -> None:
    """Serve the page until interrupted; port 0 takes a free one.

    Raises:
        ShelfMissing: there is no shelf to ask.
        AttestError: the address cannot be used.
    """
    assistant.shelf  # noqa: B018  a missing shelf must be told now, not at the first question
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        raise AttestError(f"cannot listen on {host}:{port}: {error}", hint="choose another --port") from None
    name = f"[{host}]" if ":" in host else host
    theme = gr.themes.Default(primary_hue="blue", neutral_hue="slate", font=["system-ui"], font_mono=["monospace"])
    page = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    gr.mount_gradio_app(
        page,
        create_app(assistant),
        "/",
        theme=theme.set(body_text_color_subdued="*neutral_500"),
        css=CSS,
        footer_links=[],
        max_file_size="1kb",  # nothing here takes files
        run_history=False,  # what is asked stays out of the browser's storage
        show_error=False,  # only errors meant for the user are shown
        ssr_mode=False,
        mcp_server=False,
    )
    page.add_middleware(TrustedHostMiddleware, allowed_hosts=[name, "localhost", "127.0.0.1"], www_redirect=False)
    page.add_middleware(Guard)
    with listener:
        print(f"Attest answers at http://{name}:{listener.getsockname()[1]} (Ctrl+C ends it)", flush=True)
        uvicorn.Server(uvicorn.Config(page, log_level="warning", timeout_graceful_shutdown=2)).run(sockets=[listener])


def main(arguments: Sequence[str] | None = None) -> int:
    """`python app.py [--shelf DIR] [--host HOST] [--port PORT]`; returns the exit code."""
    parser = argparse.ArgumentParser(prog="app.py", description="Serve the chat page of Attest.")
    parser.add_argument("--shelf", help="folder of the shelf (default: ATTEST_SHELF, or ./shelf)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=7860, help="0 takes a free one (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        with Assistant.open(options.shelf) as assistant:
            serve(assistant, options.host, options.port)
    except AttestError as error:
        print(f"error: {error}" + (f"\nhint: {error.hint}" if error.hint else ""), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
