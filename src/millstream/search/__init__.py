"""The filter and order language of every search: one parser, one tree, several readers of the tree.

A text becomes tokens (:mod:`lexer`), tokens become a tree (:mod:`parser`, :mod:`tree`) by the words that the searched
entity knows (:mod:`vocabulary`). A tree is tested in memory (:mod:`evaluate`), becomes SQL (:mod:`sql`), or text again
(:mod:`text`). The language is MLflow's, and beyond it OR, NOT, parentheses, IN, BETWEEN, IS NULL and MATCHES for
every field, and functions of a metric's history.
"""
