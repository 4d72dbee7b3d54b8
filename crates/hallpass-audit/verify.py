#!/usr/bin/env python3
"""Verifies a Hallpass audit log offline: verify.py DIR [--vkey KEY] [--pin FILE]... [--require-anchor [SIZE]]

A second opinion to `hallpass audit verify`: shares no code with it and needs Python 3.9 and nothing else.
The format is described in docs/audit-log.md.
Ends with 0 whole, 1 tampered, 2 whole and not anchored as asked, 64 when nothing can be said.
"""
import argparse, base64, hashlib, json, os, re, stat, sys

MOST, DEEPEST, WIDTH, DASH = 16384, 64, 256, "\u2014 "
HEAD = re.compile(rb'\{"v":1,"seq":(0|[1-9][0-9]{0,19}),"prev":"([A-Za-z0-9+/]{43}=)","node":"([A-Za-z0-9._-]{1,64})"[,}]')
sha = lambda *parts: hashlib.sha256(b"".join(parts)).digest()
leaf = lambda line: sha(b"\0", line)

class Bad(Exception):
    """Something is not what it has to be; says what."""

def number(text):
    """One of 64 bits as it is written everywhere here, or None."""
    return int(text) if re.fullmatch("0|[1-9][0-9]{0,19}", text) and int(text) < 2**64 else None

# --- Ed25519, RFC 8032: verifying only, nothing in it is secret ---
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P

def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]), (p[1] + p[0]) * (q[1] + q[0])
    c, d = 2 * p[3] * q[3] * D, 2 * p[2] * q[2]
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)

def times(n, p):
    q = (0, 1, 1, 0)
    while n:
        q, p, n = (add(q, p) if n & 1 else q), add(p, p), n >> 1
    return q

def point(raw):
    y, sign = int.from_bytes(raw, "little") & (2**255 - 1), raw[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        raise Bad("is not a point")
    x = P - x if x & 1 != sign else x
    return (x, y, 1, x * y % P)

BASE = point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))

def is_signed(public, message, signature):
    try:
        a, r = point(public), point(signature[:32])
    except Bad:
        return False
    if any(p[0] % P == 0 and (p[1] - p[2]) % P == 0 for p in (times(8, a), times(8, r))):
        return False  # such a key signs everything, and such a signature is by several keys
    s = int.from_bytes(signature[32:], "little")
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    p, q = times(s, BASE), add(r, times(h, a))
    return s < L and (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0

# --- signed notes and checkpoints ---
def plain64(text):
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raise Bad("is not a signed note") from None
    if base64.b64encode(raw).decode() != text:
        raise Bad("is not a signed note")
    return raw

def is_name(text):
    return re.fullmatch(r"[^\s\0-\x1f\x7f-\x9f+]+", text) is not None

def read_key(text):
    name, _, rest = text.rstrip("\n").partition("+")
    try:
        kind_and_key = plain64(rest.partition("+")[2])
        point(kind_and_key[1:33].ljust(32))
    except Bad:
        kind_and_key = b""
    known = sha(name.encode(), b"\n", kind_and_key)[:4]
    if len(kind_and_key) != 33 or kind_and_key[0] != 1 or rest.partition("+")[0] != known.hex() or not is_name(name):
        raise Bad("is not a verifier key `NAME+HASH+KEY`")
    return name, known, kind_and_key[1:]

def read_checkpoint(note, key):
    name, known, public = key
    text, gap, signatures = note.rpartition("\n\n")
    if not gap or not text.strip() or not signatures.endswith("\n") or re.search("[\0-\x09\x0b-\x1f]", note):
        raise Bad("is not a signed note")
    signed, text = False, text + "\n"
    for line in signatures[:-1].split("\n"):
        who, gap, raw = line.removeprefix(DASH).partition(" ")
        raw = plain64(raw)
        if not line.startswith(DASH) or not gap or not is_name(who) or len(raw) <= 4:
            raise Bad("is not a signed note")
        if who == name and raw[:4] == known:
            signed = len(raw) == 68 and is_signed(public, text.encode(), raw[4:])
            if not signed:
                raise Bad("has a signature that is not right")
    lines = text[:-1].split("\n")
    if lines[0] != name:
        raise Bad("is of another log")
    if not signed:
        raise Bad("is not signed by this key")
    try:
        size, root = number(lines[1]), plain64(lines[2])
    except (Bad, IndexError):
        size, root = None, b""
    if size is None or len(root) != 32 or "" in lines:
        raise Bad("is not a checkpoint")
    return size, root

def notes_of(text):
    """The notes of a file that holds one after the other: each ends with its last line of a signature."""
    notes, part = [], []
    for line in re.findall("[^\n]*\n|[^\n]+", text):
        if part and part[-1].startswith(DASH) and not line.startswith(DASH):
            notes.append("".join(part))
            part = []
        part.append(line)
    return notes + ["".join(part)] * bool(part)

def pins_of(path):
    """The checkpoints in a file: one, or one after the other, or in JSON lines as the gateway prints them."""
    with open(0 if path == "-" else path, encoding="utf-8", newline="") as file:
        text = file.read()
    printed = []
    for line in text.split("\n"):
        try:
            printed.append(json.loads(line)["checkpoint"])
        except (ValueError, TypeError, KeyError, RecursionError):
            pass
    found = [note for note in printed if isinstance(note, str)] or notes_of(text)
    if not found:
        raise Bad(f"`{path}` holds no checkpoint")
    return found

# --- the tree ---
class Tree:
    def __init__(self):
        self.size, self.peaks = 0, []

    def append(self, node):
        size = self.size
        while size & 1:
            node, size = sha(b"\1", self.peaks.pop(), node), size >> 1
        self.peaks.append(node)
        self.size += 1

    def root(self):
        if not self.peaks:
            return sha()
        node = self.peaks[-1]
        for left in self.peaks[-2::-1]:
            node = sha(b"\1", left, node)
        return node

class Claims:
    """What was signed: `by_size[size]` is a list of [root, is a pin, whether it holds (None: not reached)]."""

    def __init__(self, signed):
        self.signed, self.by_size = signed, {}
        for size, root, pin in signed:
            self.by_size.setdefault(size, []).append([root, pin, None])
        self.largest = max(self.by_size, default=0)

    def reach(self, tree):
        for claim in self.by_size.get(tree.size, ()):
            claim[2] = claim[0] == tree.root()

    def held(self, pins_only=False, below=2**64):
        good = lambda claim: claim[2] and (claim[1] or not pins_only)
        return max((size for size, claims in self.by_size.items() if size < below and any(map(good, claims))), default=None)

    def broken(self):
        return min(((size, claim[1]) for size, claims in self.by_size.items() for claim in claims if claim[2] is False), default=None)

# --- files ---
FLAGS = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))

def open_file(path):
    """A file and nothing else: follows no link, waits for no pipe."""
    opened = os.open(path, os.O_RDONLY | FLAGS)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise OSError(f"`{path}` is not a file")
    return open(opened, "rb")

def read_small(path, most):
    """What a file holds, or None if there is none."""
    try:
        with open_file(path) as file:
            raw = file.read(most + 1)
    except FileNotFoundError:
        return None
    if len(raw) > most:
        raise OSError(f"`{path}` is too long")
    return raw

def leaves(log, index, count):
    """The first `count` hashes of a tile of leaves, or as many as there are."""
    parts, rest = ["%03d" % (index % 1000)], index // 1000
    while rest:
        parts, rest = ["x%03d" % (rest % 1000)] + parts, rest // 1000
    full = os.path.join(log, "tile", "0", *parts)
    try:
        partial = os.listdir(full + ".p")
    except OSError:
        partial = []
    widths = sorted(int(name) for name in partial if re.fullmatch("[1-9][0-9]{0,2}", name) and int(name) < WIDTH)
    wide, narrow = [width for width in widths if width >= count], [width for width in widths if width < count]
    for width in [WIDTH] + wide[:1] + narrow[::-1]:
        try:
            raw = read_small(full if width == WIDTH else f"{full}.p/{width}", 32 * WIDTH)
        except OSError:
            continue
        if raw and len(raw) == 32 * width:
            return [raw[at : at + 32] for at in range(0, 32 * min(count, width), 32)]
    return []

def told(log, size):
    """The leaves from record 0 on, up to `size` or to the first that no tile tells."""
    for index in range(-(-size // WIDTH)):
        found = leaves(log, index, min(WIDTH, size - index * WIDTH))
        yield from found
        if len(found) < min(WIDTH, size - index * WIDTH):
            return

def read(log, firsts):
    """What is in the segments: ("segment", first) and ("line", line, is whole, bytes)."""
    for first in firsts:
        yield "segment", first
        with open_file(os.path.join(log, "segments", "%020d.jsonl" % first)) as file:
            while line := file.readline(MOST + 2):
                length, part = len(line), line
                while not part.endswith(b"\n") and (part := file.readline(MOST)):
                    length += len(part)
                yield "line", line.removesuffix(b"\n"), part.endswith(b"\n"), length

def refuse(constant):
    raise ValueError(constant)

def is_too_deep(line):
    depth = 0
    for byte in re.sub(rb'(?s)"(?:[^"\\]|\\.)*"?', b"", line):
        depth = depth + 1 if byte in b"[{" else max(depth - 1, 0) if byte in b"]}" else depth
        if depth > DEEPEST:
            return True
    return False

def record(line):
    """(seq, prev, node, members) of a line, or what it is not."""
    head = len(line) <= MOST and HEAD.match(line)
    if not head or base64.b64encode(base64.b64decode(head[2])) != head[2] or int(head[1]) >= 2**64:
        raise Bad("the line does not begin as a record does" if len(line) <= MOST else "the line is longer than 16 KiB")
    if any(byte < 32 for byte in line):
        raise Bad("the line holds a control character")
    if line.count(b"[") + line.count(b"{") > DEEPEST and is_too_deep(line):
        raise Bad("the line is nested more than 64 deep")
    try:
        members = json.loads(line.decode(), object_pairs_hook=list, parse_constant=refuse, parse_float=str, parse_int=lambda digits: ("number", digits))
        names = [name.encode().decode() for name, _ in members]
    except (ValueError, RecursionError):
        raise Bad("the line is not one JSON object") from None
    if sum(name in ("v", "seq", "prev", "node") for name in names) != 4:
        raise Bad("the line names a member of its head twice")
    return int(head[1]), base64.b64decode(head[2]), head[3], dict(members)

# --- the verdict ---
def verify(log, key, pins):
    texts = {}  # read first: a log that is being written to only gets longer meanwhile
    for name, most in ("checkpoints", 32 << 20), ("checkpoint", 64 << 10):
        raw = read_small(os.path.join(log, name), most)
        if raw is not None:
            texts[name] = raw.decode(errors="replace")
    try:
        names = os.listdir(os.path.join(log, "segments"))
    except FileNotFoundError:
        names = []
    firsts = sorted(int(name[:20]) for name in names if re.fullmatch(r"[0-9]{20}\.jsonl", name) and int(name[:20]) < 2**64)
    if not firsts and not texts:
        raise Bad("there is no audit log")
    kept = notes_of(texts.get("checkpoints", ""))
    signed, wrong = [], []
    for what, note in [(f"checkpoint {at + 1} of those kept", note) for at, note in enumerate(kept)] + [("the newest checkpoint", texts.get("checkpoint"))]:
        try:
            if note is None:
                raise Bad("is missing")
            signed.append((*read_checkpoint(note, key), False))
        except Bad as bad:
            wrong.append(f"{what} {bad}")
    is_old = signed and not any(what.startswith("the newest") for what in wrong) and signed[-1][0] < max(signed)[0]
    claims, first = Claims(signed + [(*pin, True) for pin in pins]), firsts[0] if firsts else 0

    tree, last, node, before, covered = Tree(), bytes(32), None, b"", None
    claims.reach(tree)
    for last in told(log, first):
        tree.append(last)
        claims.reach(tree)
    if tree.size < first:
        return 1, 0, f"the records before {first} are missing, and so are their hashes"
    stream, why, this, torn = read(log, firsts), None, None, 0
    for item in stream:
        this = None
        try:
            if item[0] == "segment":
                if item[1] != tree.size:
                    raise Bad(f"a segment begins with record {item[1]} here")
                continue
            if not item[2]:
                raise Bad("the line has no end")
            seq, prev, who, members = this = record(item[1])
            if seq != tree.size:
                raise Bad(f"record {seq} stands in its place")
            if prev != last:
                raise Bad("the record and the one before do not fit together")
            if node not in (None, who):
                raise Bad("another node is named")
        except Bad as bad:
            why = str(bad)
            break
        node, before, last = who, prev, leaf(item[1])
        tree.append(last)
        claims.reach(tree)
        said = members.get("before_seq")
        said = number(said[1]) if type(said) is tuple else None
        if covered is None and members.get("kind") == "prune" and said is not None and said >= first:
            covered = seq
    size, blame = tree.size, tree.size
    if why:
        # What a crash leaves: a line that is none, or does not fit, nothing behind it that is one, nobody who signed it.
        torn = item[3] if item[0] == "line" and size >= claims.largest and "stands" not in why and "node" not in why else 0
        for at, behind in enumerate(stream if item[0] == "line" else ()):
            try:
                torn = torn and torn + behind[3] if behind[0] == "line" else 0
                after = record(behind[1]) if behind[0] == "line" and behind[2] else None
            except Bad:
                after = None
            if at == 0 and after and this and after[:2] == (this[0] + 1, leaf(item[1])):
                # It is followed, so that it is the one before that was changed or put in.
                altered = this[0] == size and this[1] != last
                blame -= altered or (this[0] + 1 == size and this[1] == before and leaf(item[1]) != last)
            torn = 0 if after else torn
            if not torn:
                break
    faults, held = [], claims.held() or 0
    is_broken = why is not None and not torn
    if is_broken or claims.broken() or size < claims.largest:
        faults.append(locate(log, firsts, claims, (why, max(blame, 0)) if is_broken else None, size))
    faults += [(held, what) for what in wrong[:1]]
    faults += [(signed[-1][0], "the newest checkpoint is older than one that was kept")] if is_old else []
    if first and (covered is None or covered >= held):
        faults.append((0, f"the records before {first} are missing, and no signed record says that they were pruned"))
    if faults:
        return 1, *min(faults, key=lambda fault: fault[0])
    return 0, claims.held(pins_only=True), f"{size} records, signed up to {held}", size - held, torn

def locate(log, firsts, claims, broken, size):
    """The first record that is not as it was: told by tiles that give a signed root, else by the chain."""
    fresh, tree, differs = Claims(claims.signed), Tree(), None
    lines = (item for item in read(log, firsts) if item[0] == "line")
    fresh.reach(tree)
    missing = f"{claims.largest} records were signed and {size} are there"
    for one in told(log, claims.largest):
        if differs is None and tree.size >= (firsts or [0])[0]:
            line = next(lines, None)
            differs = None if line and line[2] and leaf(line[1]) == one else tree.size
        tree.append(one)
        fresh.reach(tree)
    until = fresh.held() or 0
    if differs is not None and differs < until:
        is_short = differs >= size and not broken
        return differs, broken[0] if broken and differs == size else missing if is_short else "the record is not the one that was signed"
    vouched, found = max(claims.held() or 0, until), []
    if broken:
        found.append((size if broken[1] < vouched else broken[1], broken[0]))
    if claims.broken() and not (found and found[0][0] < claims.broken()[0]):
        until, is_pin = claims.broken()
        found.append((claims.held(is_pin, until) or 0, f"from here to {until} is not what {'a pin' if is_pin else 'a checkpoint'} signs"))
    return min(found + ([] if broken else [(size, missing)]), key=lambda fault: fault[0])

class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.print_usage(sys.stderr)
        raise Bad(message)  # its own 2 would say that the log is not anchored as asked

def records(text):
    if number(text) is None:
        raise argparse.ArgumentTypeError("is not a number of records")
    return number(text)

def main():
    parser = Parser(description="verifies a Hallpass audit log offline")
    parser.add_argument("dir")
    parser.add_argument("--vkey", help="the log's public key, or a file with it; the one beside the log proves little")
    parser.add_argument("--pin", action="append", default=[], metavar="FILE", help="a checkpoint that was kept elsewhere")
    parser.add_argument("--require-anchor", nargs="?", type=records, const=1, metavar="SIZE")
    asked = parser.parse_args()
    source = asked.vkey or os.path.join(asked.dir, "vkey")
    key = read_key(open(source, encoding="utf-8").read() if os.path.exists(source) else source)
    pins = [read_checkpoint(note, key) for file in asked.pin for note in pins_of(file)]
    verdict, at, what, *rest = verify(asked.dir, key, pins)
    if verdict:
        print(f"tampered: record {at}: {what}")
        return 1
    tail = f", {rest[0]} not signed yet" if rest[0] else ""
    print(f"whole: {what}, " + ("not anchored" if at is None else f"anchored up to {at}") + tail)
    return 2 if asked.require_anchor is not None and (at is None or at < asked.require_anchor) else 0

if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception as bad:  # Python's own 1 would say that the log was tampered with
        print(f"error: {bad}", file=sys.stderr)
        sys.exit(64)
