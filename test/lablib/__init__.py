# SPDX-License-Identifier: MIT
"""A laboratory on loopback: a gateway a community, a resolver, a mailbox and a provider double.

`lab.Lab` is what `test/lab`, the quickstart and the interop tests use; no module here is needed by
the gateway itself."""
