"""Recomputes every number of a report from the records alone, by another implementation than ours.

`recompute_report.py RECORDS REPORT`: RECORDS is what `hallpass log --json` printed for the period, one JSON object a line;
REPORT what `hallpass report --format json` wrote. Prints each difference; ends with 1 if there is one.
"""

import datetime
import ipaddress
import json
import sys
from collections import Counter, defaultdict

FACTS = {"made_by", "layout", "about", "clients", "keys", "grace", "integrity"}


def times(record):
    return record.get("count", 1)


def rank(durations, percent):
    if not durations:
        return None
    durations = sorted(durations)
    return durations[max(1, -(-len(durations) * percent // 100)) - 1]


def counts(calls):
    def ended(*outcomes):
        return sum(times(call) for call in calls if call["outcome"] in outcomes)

    durations = [call["duration_us"] for call in calls if "duration_us" in call]
    begun = [call["at_ms"] for call in calls]
    return {
        "calls": sum(map(times, calls)),
        "errors": ended("error"),
        "failed": ended("failed"),
        "refused": ended("refused"),
        "cut": ended("cut", "gone"),
        "p50_us": rank(durations, 50),
        "p95_us": rank(durations, 95),
        "bytes_in": sum(call.get("bytes_in", 0) for call in calls),
        "bytes_out": sum(call.get("bytes_out", 0) for call in calls),
        "first_ms": min(begun, default=None),
        "last_ms": max(begun, default=None),
    }


def client_of(call):
    return call.get("client") or ("(shared secret)" if call.get("legacy") else None)


def tool_of(call):
    return call.get("tool") or call.get("method")


def day_of(call):
    return datetime.datetime.fromtimestamp(call["at_ms"] // 1000, datetime.timezone.utc).strftime("%Y-%m-%d")


def grouped(calls, *keys):
    groups = defaultdict(list)
    for call in calls:
        groups[tuple(key(call) for key in keys)].append(call)
    return {group: counts(of) for group, of in groups.items()}


def lines(usage, *names):
    found = {}
    for line in usage:
        left_out = {*names, "client", "server", "tool"}
        found[tuple(line[name] for name in names)] = {k: v for k, v in line.items() if k not in left_out}
    return found


def machine(address):
    if address is None:
        return None
    host = address.rsplit(":", 1)[0].strip("[]")
    ip = ipaddress.ip_address(host)
    return str(getattr(ip, "ipv4_mapped", None) or ip)


def refusals(calls):
    found = {}
    for call in calls:
        if call["outcome"] == "refused":
            line = found.setdefault(call.get("reason", "-"), {"count": 0, "clients": Counter(), "first_ms": call["at_ms"], "last_ms": call["at_ms"]})
            line["count"] += times(call)
            line["first_ms"], line["last_ms"] = min(line["first_ms"], call["at_ms"]), max(line["last_ms"], call["at_ms"])
            if "client" in call:
                line["clients"][call["client"]] += times(call)
    return found


def legacy(calls):
    found = {}
    for call in calls:
        if call.get("legacy"):
            who = (call.get("path_client"), call.get("client_info"), call.get("user_agent"), machine(call.get("address")))
            line = found.setdefault(who, {"let_in": 0, "refused": 0, "first_ms": call["at_ms"], "last_ms": call["at_ms"]})
            line["refused" if call["outcome"] == "refused" else "let_in"] += times(call)
            line["first_ms"], line["last_ms"] = min(line["first_ms"], call["at_ms"]), max(line["last_ms"], call["at_ms"])
    return found


def attribution(calls):
    found = {"named": 0, "shared_secret": 0, "nobody": 0}
    for call in calls:
        if call["outcome"] != "refused":
            found["named" if "client" in call else "shared_secret" if call.get("legacy") else "nobody"] += times(call)
    return found


def main(records, report):
    with open(records, encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    with open(report, encoding="utf-8") as file:
        report = json.load(file)
    calls = [record for record in records if record["kind"] == "call"]
    acts = [record for record in records if record["kind"] not in ("call", "close")]
    shown = Counter()
    would = Counter()
    for call in calls:
        if "jti" in call:
            shown[call["jti"]] += times(call)
        if "would_refuse" in call:
            would[call["would_refuse"], call["would_reason"]] += times(call)
    registered = [client["name"] for client in report["clients"] if client["state"] != "removed"]
    callers = {call.get("client") for call in calls}
    named = attribution(calls)
    # What is in a log that is closed has no number.
    numbers = [record["seq"] for record in records if "seq" in record]
    unrecorded = sum(record.get("count", 0) for record in records if record["kind"] == "gap")
    pairs = {
        "records": (report.pop("records"), {"count": len(records), "closed": len(records) - len(numbers), "first": min(numbers, default=None), "last": max(numbers, default=None), "acts": len(acts), "unrecorded": unrecorded}),
        "totals": (report.pop("totals"), counts(calls)),
        "attribution": (report.pop("attribution"), named),
        "days": (lines(report.pop("days"), "day"), grouped(calls, day_of)),
        "never_used": (report.pop("never_used"), [name for name in registered if name not in callers]),
        "credentials": ({token["jti"]: token["calls"] for token in report["credentials"]}, {token["jti"]: shown[token["jti"]] for token in report.pop("credentials")}),
        "acts_by_kind": (report.pop("acts_by_kind"), dict(Counter(act["kind"] for act in acts))),
        "acts": (
            [{k: v for k, v in act.items() if k != "section" and v is not None} for act in report.pop("acts")],
            [{k: act[k] for k in ("seq", "at_ms", "kind", "client", "jti", "by", "reason") if k in act} for act in acts],
        ),
        "refusals": ({line.pop("reason"): line for line in report.pop("refusals")}, {reason: {**line, "clients": dict(line["clients"])} for reason, line in refusals(calls).items()}),
        "would_refuse": ({(line["policy"], line["reason"]): line["count"] for line in report.pop("would_refuse")}, dict(would)),
        "legacy": (lines(report.pop("legacy"), "path_client", "client_info", "user_agent", "address"), legacy(calls)),
    }
    usage = report.pop("usage")
    for name, *keys in [
        ("client", ("client", client_of)),
        ("server", ("server", lambda call: call.get("server"))),
        ("tool", ("server", lambda call: call.get("server")), ("tool", tool_of)),
        ("client_and_server", ("client", client_of), ("server", lambda call: call.get("server"))),
    ]:
        pairs[f"usage by {name}"] = (lines(usage.pop(name), *[key for key, _ in keys]), grouped(calls, *[of for _, of in keys]))
    headline = report.pop("verdict")["headline"]
    said = [int(word.replace(",", "")) for word in headline.split() if word[0].isdigit()]
    let_in = named["named"] + named["shared_secret"]
    expected = [named["shared_secret"], let_in] if named["shared_secret"] else [let_in] if let_in else []
    pairs["verdict"] = (said, expected)
    pairs["what is not recomputed"] = (set(report) | set(usage), FACTS)
    wrong = 0
    for name, (found, expected) in pairs.items():
        if found != expected:
            wrong = 1
            print(f"{name}:\n  the report says {found}\n  the records say {expected}")
    print(f"{len(records)} records, {len(calls)} calls, {len(acts)} acts")
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
