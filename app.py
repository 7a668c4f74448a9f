"""`python app.py`: the chat page (see `ui`)."""

from __future__ import annotations

import sys

from rag import AttestError

try:
    from ui.page import create_app
    from ui.server import main, serve
except ImportError as error:
    if __name__ == "__main__":
        sys.exit(f"error: the chat page cannot start: {error}\nhint: pip install 'attest[ui]'")
    raise AttestError(f"the chat page cannot start: {error}", hint="pip install 'attest[ui]'") from error

__all__ = ["create_app", "main", "serve"]

if __name__ == "__main__":
    sys.exit(main())
