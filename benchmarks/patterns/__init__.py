"""The same agent served in four ways: by a synchronous API, a polled queue, a stream, and us."""
