"""Damage to files."""

import random


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Change, take out and put in a few bytes; the same for the same state of ``chance``."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        # Most damage where the headers are.
        reach = chance.choice((64, 512, len(data)))
        at = chance.randrange(min(reach, len(data)))
        match chance.randrange(6):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                data[at] = chance.choice((0, 0x7F, 0x80, 0xFF))
            case 2:
                data[at : at + 4] = chance.choice(
                    (b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff")
                )
            case 3:
                del data[at : at + chance.randrange(1, 200)]
            case 4:
                data[at:at] = chance.randbytes(chance.randrange(1, 200))
            case 5:
                other = chance.randrange(len(data))
                data[at : at + 100] = data[other : other + 100]
        if not data:
            break
    if chance.random() < 0.1:
        del data[chance.randrange(1 + len(data)) :]
    return bytes(data)
