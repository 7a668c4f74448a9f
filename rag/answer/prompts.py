"""Prompt files: `string.Template` text whose variables are checked before any call."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from string import Template

from rag.errors import PromptError


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt file. `hash` identifies its wording in answers and eval runs."""

    name: str
    template: str

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.template.encode()).hexdigest()[:12]

    def render(self, **variables: str) -> str:
        """The prompt with its variables filled in.

        Raises:
            PromptError: a variable of the file is not given, or one that it does not have is.
        """
        template = Template(self.template)
        wanted, given = set(template.get_identifiers()), set(variables)
        if wanted != given:
            raise PromptError(
                f"prompts/{self.name}.md: missing {sorted(wanted - given)}, unexpected {sorted(given - wanted)}",
                hint="the $variables of the file must be the ones its writer fills in",
            )
        return template.substitute(variables)


def load(name: str) -> Prompt:
    """Read `prompts/NAME.md`.

    Raises:
        PromptError: there is no such file.
    """
    try:
        return Prompt(name, (resources.files("prompts") / f"{name}.md").read_text(encoding="utf-8"))
    except (FileNotFoundError, ModuleNotFoundError) as error:
        raise PromptError(f"there is no prompt {name!r}", hint="prompt files are prompts/*.md") from error
