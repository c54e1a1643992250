# SPDX-License-Identifier: Apache-2.0
"""The timelines of several runs in one file that Perfetto and Chrome can show."""

import json


def thread_name(spans):
    """What a thread does, from what it was seen to do."""
    does = {"recv": "receives", "next batch": "decodes", "query": "queries"}
    return ", ".join(verb for span, verb in does.items() if span in spans)


def merge(traces, target):
    """`traces`: mode -> file as forebay-tpch wrote it. Each mode becomes a process."""
    events = []
    for process, (mode, file) in enumerate(traces.items(), 1):
        threads = {}
        for event in json.loads(file.read_text()):
            event["pid"] = process
            if event["ph"] == "X":
                threads.setdefault(event["tid"], set()).add(event["name"])
            events.append(event)
        events.append({"name": "process_name", "ph": "M", "pid": process, "args": {"name": mode}})
        events.append({"name": "process_sort_index", "ph": "M", "pid": process,
                       "args": {"sort_index": process}})
        for thread, spans in threads.items():
            events.append({"name": "thread_name", "ph": "M", "pid": process, "tid": thread,
                           "args": {"name": thread_name(spans)}})
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}))
