"""Records for other tools: a module a tool, each written so that the tool's own library reads it back.

Runs go to CSV, MLflow and Trackio, a run of theirs a record; rows of tables go to model cards and to Every Eval Ever,
which know systems alone. What a table says of a row beside its score goes along: a stand-in stays one.
"""
