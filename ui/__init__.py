"""The chat page: a conversation beside the evidence each answer rests on. Gradio lives here and nowhere else."""

import os

# Gradio reports usage to its makers unless told otherwise before it is imported.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
