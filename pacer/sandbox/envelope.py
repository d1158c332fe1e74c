"""
Reads of jobs: the parent's summary, and a child's Envelope with text that looks like an answer.
"""

from datetime import UTC, datetime
from typing import Any, Final
from zlib import crc32

from pacer.sandbox.jobs import ACTIVE, Child, Job
from pacer.sandbox.surfaces import CREDITS, METHODS

__all__ = ["SCHEMA_VERSION", "envelope", "flat", "summary"]

SCHEMA_VERSION: Final = "1.0"

_FIRST: Final = (
    "Reviewers broadly agree on {query}, with two reservations.",
    "There is no single answer to {query}; it depends on budget and use.",
    "For {query}, three names come up again and again in recent comparisons.",
)
_SECOND: Final = (
    "Independent tests published this year put Northwind first and Aldermoor a close second.",
    "Buyers praise the support, and most complaints concern delivery times.",
    "Prices differ by up to a third between vendors, so a comparison is worth the time.",
)
_SITES: Final = ("example.com/reviews", "example.org/guide", "example.net/comparison")
_MODELS: Final = {
    "chatgpt": ("openai", "GPT"),
    "claude": ("anthropic", "Claude"),
    "perplexity": ("perplexity", "Sonar"),
    "copilot": ("microsoft", "Copilot"),
}


def summary(job: Job) -> dict[str, Any]:
    """
    The parent job with its children's states.
    """
    return {
        "job": {"id": job.id, "status": job.state},
        "children": [
            {"id": child.id, "surface": child.surface, "region": child.region, "status": child.state}
            for child in job.children
        ],
    }


def envelope(child: Child, *, state: str, epoch: float) -> dict[str, Any]:
    """
    The Envelope of *child* in *state*. Before its end it has only the section `job`.
    """
    head: dict[str, Any] = {
        "id": child.id,
        "query": child.job.query,
        "surface": child.surface,
        "region": child.region,
        "status": state,
        "method": METHODS[child.surface][0],
        "warnings": [],
        "requestedAt": _iso(child.job.accepted_at + epoch),
        "completedAt": None,
        "credits": 0,
    }
    if state in ACTIVE:
        return {"job": head}
    shown = child.end in {"completed", "partial"}
    head["completedAt"] = _iso(child.ended_at + epoch)
    head["credits"] = CREDITS[child.surface] * shown
    if child.end == "absent":
        head["warnings"] = ["surface_absent"]
    elif not shown:
        code, message = _CAUSES[child.end]
        head["error"] = {"code": code, "message": message}
    official = child.surface == "claude"
    kind = "html" if not official else "json"
    head["artifacts"] = {
        "rawKey": f"raw/{child.id}.{kind}" if shown else None,
        "screenshotKey": f"screens/{child.id}.png" if shown and not official else None,
        "proofHtmlKey": f"proof/{child.id}.html" if shown and not official else None,
    }
    text, blocks, sources = _answer(child) if shown else ("", [], [])
    return {
        "job": head,
        "provenance": _provenance(child, shown=shown, captured_at=head["completedAt"]),
        "answer": {"text": text, "markdown": text and f"**{child.surface}**\n\n{text}", "blocks": blocks},
        "evidence": {
            "sources": sources,
            "fanOut": {
                "provenance": "inferred" if shown else "none",
                "queries": [child.job.query[:80]] * shown,
            },
            "mentions": ["Northwind", "Aldermoor"] if shown else [],
            "shopping": [],
            "ads": [],
        },
        "raw": {"ref": head["artifacts"]["rawKey"]},
    }


def flat(whole: dict[str, Any]) -> dict[str, Any]:
    """
    The five fields that `view=flat` leaves of an Envelope.
    """
    answer = whole.get("answer", {"text": "", "markdown": ""})
    return {
        "surface": whole["job"]["surface"],
        "status": whole["job"]["status"],
        "text": answer["text"],
        "markdown": answer["markdown"],
        "sources": whole.get("evidence", {}).get("sources", []),
    }


_CAUSES: Final = {
    "failed": ("SURFACE_BLOCKED", "the surface refused the capture"),
    "timed_out": ("SURFACE_TIMEOUT", "the surface did not answer in time"),
    "canceled": ("CANCELED", "the capture was stopped early"),
    "expired": ("EXPIRED", "the capture aged out before it could run"),
}


def _answer(child: Child) -> tuple[str, list[dict[str, Any]], list[dict[str, Any]]]:
    chance = crc32(child.id.encode())
    query = child.job.query if len(child.job.query) <= 80 else child.job.query[:79] + "…"
    sentences = [_FIRST[chance % 3].format(query=f"“{query}”"), _SECOND[chance // 3 % 3]]
    if child.end == "completed":
        sentences.append(_SECOND[(chance // 3 + 1) % 3])
    text = " ".join(sentences)
    cited = chance // 9 % 3
    sources = [
        {
            "id": f"s{i + 1}",
            "url": f"https://{site}/{chance % 9973}",
            "title": f"{site.split('/')[1].capitalize()} no. {chance % 9973}",
            "role": "cited" if i == cited else "retrieved",
            "cited": i == cited,
            "charRanges": [[0, len(sentences[0])]] if i == cited else [],
            "quote": sentences[1] if i == cited else None,
        }
        for i, site in enumerate(_SITES)
    ]
    blocks = [
        {"type": "paragraph", "text": sentence, "referenceIds": [f"s{cited + 1}"] if i == 0 else []}
        for i, sentence in enumerate(sentences)
    ]
    return text, blocks, sources


def _provenance(child: Child, *, shown: bool, captured_at: str) -> dict[str, Any]:
    provider, label = _MODELS.get(child.surface, ("google", "Gemini"))
    official = child.surface == "claude"
    method = METHODS[child.surface][0]
    return {
        "model": {
            "providerId": provider,
            "observedLabel": label,
            "inferred": not official,
            "confidence": 0.9,
        },
        "webSearch": {"enabled": True, "known": not official},
        "region": {"requested": child.region, "effective": child.region},
        "surfacePresent": shown,
        "acquisition": method,
        "official": official,
        "fidelity": "api_surrogate" if official else "consumer_ui",
        "loginState": "logged_out",
        "requestedRoute": "auto",
        "actualRoute": method,
        "capturedAt": captured_at,
        "schemaVersion": SCHEMA_VERSION,
        "driverVersion": "sandbox",
        "normalizerVersion": "1",
        "provenanceVersion": "1",
    }


def _iso(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
