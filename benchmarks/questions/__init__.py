"""The questions that the benchmarks answer: a module each, which holds its `Benchmark`.

Nothing is imported here: some modules run in the environments of other tools, which lack what the rest needs.
"""
