"""One round of a session layer's work in PyPI's unmodified vodozemac or DoubleRatchet: `bench-session.py NAME SECONDS`.

Prints what `pawl-sessionbench` prints for the same work: a name and how often it is done in a second of CPU time.
"""

import asyncio
import os
import sys
import time

PAYLOAD = b'{"type":"text","text":"' + b"x" * (1024 - 25) + b'"}'
BATCH = 20


def rate(step, seconds):
    """How often `step` runs in a second of this process's CPU time."""
    step()
    count = 0
    start = time.process_time()
    while True:
        for _ in range(BATCH):
            step()
        count += BATCH
        spent = time.process_time() - start
        if spent >= seconds:
            return count / spent


async def rate_async(step, seconds):
    """The same for a coroutine, inside one event loop that is already running."""
    await step()
    count = 0
    start = time.process_time()
    while True:
        for _ in range(BATCH):
            await step()
        count += BATCH
        spent = time.process_time() - start
        if spent >= seconds:
            return count / spent


def require(opened):
    if opened != PAYLOAD:
        raise SystemExit("what was opened is not what was sealed")


def vodozemac(seconds):
    from vodozemac import Account

    def started():
        """Two sessions that have heard each other."""
        one, other = Account(), Account()
        other.generate_one_time_keys(1)
        key = next(iter(other.one_time_keys.values()))
        there = one.create_outbound_session(other.curve25519_key, key)
        first = there.encrypt(PAYLOAD).to_pre_key()
        back, opened = other.create_inbound_session(one.curve25519_key, first)
        require(opened)
        require(there.decrypt(back.encrypt(PAYLOAD)))
        return there, back

    there, back = started()

    def one_way():
        require(back.decrypt(there.encrypt(PAYLOAD)))

    yield "one-way", rate(one_way, seconds)

    def pair():
        require(back.decrypt(there.encrypt(PAYLOAD)))
        require(there.decrypt(back.encrypt(PAYLOAD)))

    yield "pairs", rate(pair, seconds)

    # One-time keys are made and published beforehand, as our bundles are: each round's own, because each serves once. The clock
    # stands still meanwhile.
    one, other = Account(), Account()
    count, spent = 0, 0.0
    while spent < seconds:
        other.generate_one_time_keys(BATCH)
        keys = list(other.one_time_keys.values())
        other.mark_keys_as_published()
        start = time.process_time()
        for key in keys:
            session = one.create_outbound_session(other.curve25519_key, key)
            first = session.encrypt(PAYLOAD).to_pre_key()
            require(other.create_inbound_session(one.curve25519_key, first)[1])
        spent += time.process_time() - start
        count += len(keys)
    yield "starts", count / spent


async def double_ratchet(seconds):
    import doubleratchet
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from doubleratchet.recommended import (
        HashFunction,
        aead_aes_hmac,
        diffie_hellman_ratchet_curve25519,
        kdf_hkdf,
        kdf_separate_hmacs,
    )

    class Ratchet(doubleratchet.DoubleRatchet):
        @staticmethod
        def _build_associated_data(associated_data, header):
            return (
                associated_data
                + header.ratchet_pub
                + header.sending_chain_length.to_bytes(8, "big")
                + header.previous_sending_chain_length.to_bytes(8, "big")
            )

    class Curve25519(diffie_hellman_ratchet_curve25519.DiffieHellmanRatchet):
        pass

    class RootKDF(kdf_hkdf.KDF):
        @staticmethod
        def _get_hash_function():
            return HashFunction.SHA_256

        @staticmethod
        def _get_info():
            return b"bench root chain"

    class ChainKDF(kdf_separate_hmacs.KDF):
        @staticmethod
        def _get_hash_function():
            return HashFunction.SHA_256

    class MessageAEAD(aead_aes_hmac.AEAD):
        @staticmethod
        def _get_hash_function():
            return HashFunction.SHA_256

        @staticmethod
        def _get_info():
            return b"bench message"

    settings = {
        "diffie_hellman_ratchet_class": Curve25519,
        "root_chain_kdf": RootKDF,
        "message_chain_kdf": ChainKDF,
        "message_chain_constant": b"\x01\x02",
        "dos_protection_threshold": 1000,
        "max_num_skipped_message_keys": 2000,
        "aead": MessageAEAD,
    }
    # A key agreement is not part of the package: both sides are given its result.
    secret, ad = os.urandom(32), os.urandom(64)
    prekey = X25519PrivateKey.generate()
    private, public = prekey.private_bytes_raw(), prekey.public_key().public_bytes_raw()

    async def start():
        there, first = await Ratchet.encrypt_initial_message(
            shared_secret=secret, recipient_ratchet_pub=public, message=PAYLOAD, associated_data=ad, **settings
        )
        back, opened = await Ratchet.decrypt_initial_message(
            shared_secret=secret, own_ratchet_priv=private, message=first, associated_data=ad, **settings
        )
        require(opened)
        return there, back

    there, back = await start()

    async def there_and_open():
        require(await back.decrypt_message(await there.encrypt_message(PAYLOAD, ad), ad))

    async def pair():
        await there_and_open()
        require(await there.decrypt_message(await back.encrypt_message(PAYLOAD, ad), ad))

    return [
        ("one-way", await rate_async(there_and_open, seconds)),
        ("pairs", await rate_async(pair, seconds)),
        ("ratchet-starts", await rate_async(start, seconds)),
    ]


def main():
    which, seconds = sys.argv[1], float(sys.argv[2])
    results = vodozemac(seconds) if which == "vodozemac" else asyncio.run(double_ratchet(seconds))
    for name, value in results:
        print(f"{name} {value:.1f}", flush=True)


main()
