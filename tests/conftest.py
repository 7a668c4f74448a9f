"""Property tests are not timed: the first example loads the encoder, and machines are busy."""

from hypothesis import settings

settings.register_profile("attest", deadline=None)
settings.load_profile("attest")
