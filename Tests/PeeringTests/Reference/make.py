"""Writes reference.json: handshakes and transports as other implementations make them.

Noise by `noiseprotocol`; the handshake of circuits after tor-spec 5.1.4, on `cryptography`.

Run with a Python that has both: pip install noiseprotocol cryptography; python make.py > reference.json
"""

import hashlib
import hmac
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from noise.connection import Keypair, NoiseConnection

NAME = b"Noise_XX_25519_ChaChaPoly_SHA256"


def seed(number):
    return hashlib.sha256(b"seed %d" % number).digest()


def public(private):
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def side(is_initiator, static, ephemeral, prologue):
    connection = NoiseConnection.from_name(NAME)
    connection.set_as_initiator() if is_initiator else connection.set_as_responder()
    connection.set_prologue(prologue)
    connection.set_keypair_from_private_bytes(Keypair.STATIC, static)
    connection.set_keypair_from_private_bytes(Keypair.EPHEMERAL, ephemeral)
    connection.start_handshake()
    return connection


def noise(number, prologue, payloads, texts):
    keys = [seed(10 * number + index) for index in range(4)]
    sides = [side(True, keys[0], keys[1], prologue), side(False, keys[2], keys[3], prologue)]
    messages = []
    for index, payload in enumerate(payloads):
        message = bytes(sides[index % 2].write_message(payload))
        assert bytes(sides[1 - index % 2].read_message(message)) == payload
        messages.append(message)
    handshake_hash = sides[0].get_handshake_hash()
    transport = []
    for index, text in enumerate(texts):
        if index == len(texts) // 2:
            for one in sides:
                one.rekey_inbound_cipher()
                one.rekey_outbound_cipher()
        sealed = bytes(sides[index % 2].encrypt(text))
        assert bytes(sides[1 - index % 2].decrypt(sealed)) == text
        transport.append(sealed)
    return {
        "prologue": prologue.hex(),
        "keys": [key.hex() for key in keys],
        "payloads": [payload.hex() for payload in payloads],
        "messages": [message.hex() for message in messages],
        "hash": handshake_hash.hex(),
        "texts": [text.hex() for text in texts],
        "transport": [sealed.hex() for sealed in transport],
    }


def sha(message, key):
    return hmac.new(key, message, "sha256").digest()


def stream(key, number, plain):
    nonce = bytes(8) + number.to_bytes(8, "little")
    return Cipher(algorithms.ChaCha20(key, nonce), None).encryptor().update(plain)


def circuit(number):
    """One hop of a circuit: ntor, and the first two payloads in each direction."""
    name = b"aivillage betanet ntor-x25519-sha256-1"
    identity, x, y = seed(100 + number), seed(200 + number), seed(300 + number)
    node = Ed25519PrivateKey.from_private_bytes(identity).public_key().public_bytes_raw()
    b = HKDF(SHA256(), 32, None, b"aivillage x25519 1").derive(identity)
    B, X, Y = public(b), public(x), public(y)

    def exp(private, other):
        return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(other))

    assert exp(y, X) == exp(x, Y) and exp(b, X) == exp(x, B)
    secret = exp(y, X) + exp(b, X) + node + B + X + Y + name
    verify = sha(secret, name + b":verify")
    auth = sha(verify + node + B + Y + X + name + b"Server", name + b":mac")
    keys = HKDF(SHA256(), 128, name + b":key_extract", name + b":key_expand").derive(secret)
    payloads = {}
    for direction, tag_key, cipher_key in [
        ("forward", keys[0:32], keys[64:96]),
        ("backward", keys[32:64], keys[96:128]),
    ]:
        payloads[direction] = []
        for count in range(2):
            data = b"payload %d" % count
            content = bytes([5]) + len(data).to_bytes(2, "big") + data
            content += bytes(496 - len(content))
            tag = sha(bytes(4) + count.to_bytes(8, "little") + content, tag_key)[:16]
            payloads[direction].append(stream(cipher_key, count, tag + content).hex())
    return {
        "seed": identity.hex(),
        "x": x.hex(),
        "y": y.hex(),
        "request": (node + B + X).hex(),
        "reply": (Y + auth).hex(),
        **payloads,
    }


texts = [b"", b"a", bytes(range(256)), b"after", b"the", b"rekey" * 100]
print(
    json.dumps(
        {
            "noise": [
                noise(1, b"", [b"", b"", b""], texts),
                noise(2, b"aivillage/1 tcp", [b"one", b"two" * 100, b"three"], texts),
                noise(3, bytes(range(200)), [b"", bytes(1000), bytes(3)], texts),
            ],
            "circuit": [circuit(1), circuit(2)],
        },
        indent=1,
    )
)
