"""How the support checker's network (`rag/verify/network.py`) is trained: data, pretraining, encoder, loop, export."""
