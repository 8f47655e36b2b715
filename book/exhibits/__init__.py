"""What only this book shows: quizzes, the rule explorer, the comparer of memory models, the summary, the disagreements.

It lies beside the chapters, which run in the folder ``book``: there is nothing to install. What any notebook can use
is in :mod:`rpcmemkit.notebook`.
"""
