"""YAML files that people write (inventories, catalogues), read so that every message can name its line.

Read strictly where YAML surprises people. What a plain scalar becomes:

- `true` and `false` are booleans; `on`, `off`, `yes` and `no` are words;
- digits alone (`22`, `-1`, and `0x1f`, `0o755` of YAML 1.2) are whole numbers;
- everything else remains the text that was written: `0755` (neither 493 nor 755 is guessed), `22:22`, `1_000`,
  dates, and decimal fractions too, since release 8.10 is not 8.1;
- an empty value, `~` and `null` are None. Keys are always text.

Merge keys (`<<`) and aliases work, within bounds; tags other than `!!str`, `!!map` and `!!seq` are refused.
"""

from __future__ import annotations

from .compose import Placed
from .explain import complaints, did_you_mean, explain
from .load_yaml import Document, load_document, load_documents, parse_document
from .place import DocumentError, Key, Value, dotted, seen

__all__ = [
    "Document",
    "DocumentError",
    "Key",
    "Placed",
    "Value",
    "complaints",
    "did_you_mean",
    "dotted",
    "explain",
    "load_document",
    "load_documents",
    "parse_document",
    "seen",
]
