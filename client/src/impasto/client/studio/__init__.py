"""Studio: a page in the browser for the models of a server. `impasto studio` starts it; docs/studio.md says more.

It needs the extra `studio` (starlette and uvicorn), which nothing else of the client does.
"""
