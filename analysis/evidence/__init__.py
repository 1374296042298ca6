"""The files of one run: plain or packed, held against their checksums, each log read by its parser."""
