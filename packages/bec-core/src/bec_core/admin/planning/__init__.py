"""What a run will take, before it begins: hours, money, storage, requests, each with how it is known.

``work`` finds what there is to do, ``trial`` and ``rates`` how fast it goes, ``requests`` what a volume asks of the
services, ``prices`` reads the operator's price file, ``plan`` puts them together.
"""
