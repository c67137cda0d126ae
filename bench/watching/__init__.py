"""A benchmark of `syncer watch`: how soon one side follows the other, what staying costs, what outages do to it.

`python -m bench.watching --help`. It uses the server, the mail, the proxy and the contenders of `bench`.
"""
