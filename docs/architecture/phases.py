# Decodes status.phases from standard input; prints "INDEX PHASE" for each item. phases.md describes the encoding.
import base64, struct, sys, zlib

NAMES = ["Pending", "Running", "Succeeded", "Failed", "Cached", "Cancelled"]

def phases(text):
    data = base64.b64decode(text)
    version, form, count, checksum = struct.unpack("<BBII", data[:10])
    body = data[10:]
    assert version == 1 and checksum == zlib.crc32(data[:6] + body)
    if form == 2:
        numbers = [n for byte in body for n in (byte % 6, byte // 6 % 6, byte // 36)]
    else:
        planes = zlib.decompress(body, -15) if form == 1 else body
        size = (count + 7) // 8
        bit = lambda k, i: planes[k * size + i // 8] >> i % 8 & 1
        numbers = [bit(0, i) + 2 * bit(1, i) + 4 * bit(2, i) for i in range(count)]
    return [NAMES[number] for number in numbers[:count]]


for index, phase in enumerate(phases(sys.stdin.read())):
    print(index, phase)
