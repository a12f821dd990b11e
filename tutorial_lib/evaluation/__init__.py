"""How good codecs are: metrics, the classical codecs, files compared, curves drawn and published."""
