"""Attest within a LlamaIndex application. Run: python examples/llama_index_app.py SHELF "QUESTION" """

import asyncio
import sys

from rag import Assistant
from rag.llama import AttestQueryEngine, AttestRetriever


async def main(shelf: str, question: str) -> None:
    with Assistant.open(shelf) as assistant:
        retriever = AttestRetriever(assistant, k=3)
        engine = AttestQueryEngine(assistant)
        # Both at once: neither keeps the event loop from its work.
        nodes, response = await asyncio.gather(retriever.aretrieve(question), engine.aquery(question))
    print("papers:", [node.metadata["title"] for node in nodes])
    print("answer:", response)
    for source in response.source_nodes:
        said = source.metadata
        print(f"[{said['number']}] {said['title']}, characters {said['start']}-{said['end']}: {said['verdict']}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
