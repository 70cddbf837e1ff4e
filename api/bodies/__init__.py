"""The JSON bodies that HTTP answers with and `--json` prints: plain dictionaries, made here and nowhere else.

Pydantic describes them (in `api.routes`) but does not make them: importing it would cost a cold search 100 ms.
"""
