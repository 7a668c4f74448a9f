"""Who says whether words support a statement: the checker, an NLI model, a language model."""
