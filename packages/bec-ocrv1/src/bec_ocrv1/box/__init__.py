"""The recogniser in the box: its preparation of a line, its networks and its language model, weights included.

>>> from bec_ocrv1.box.recogniser import BoxRecogniser
>>> reader = BoxRecogniser.load()
>>> reader.read([crop])
[Reading(text='བདེ་བར་གཤེགས་པ། ', confidence=0.97)]
"""
