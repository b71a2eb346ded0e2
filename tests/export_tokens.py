"""Export tokens that are the same in each process, as the names of the tests that bear them must be."""

from apikeys import tokens


def export_token(number: int) -> tokens.Token:
    """A well-formed one; its id and secret follow from the number."""
    body = tokens.EXPORT_PREFIX + tokens._encoded(number * 62**44, tokens.ID_LENGTH + tokens.SECRET_LENGTH)
    found = tokens.parse(body + tokens._checksum(body), tokens.EXPORT_PREFIX)
    assert found is not None
    return found
