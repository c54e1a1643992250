# SPDX-License-Identifier: Apache-2.0
"""What the library is to reach, as data, and what the runs say to it.

A promise is held against each run by itself, at the first quartile of its rounds, and is kept when
it holds in all runs but one of three."""

import dataclasses

import results

BEST = "the best peer"
RUNS = 3


@dataclasses.dataclass(frozen=True)
class Term:
    """A benchmark; `key` names a counter in place of the cost: the most that it came to, and of the
    processor's time the first quartile, as of a cost."""

    case: str
    peer: str = results.REFERENCE
    key: str = ""

    def value(self, result):
        """The cost, or the most that the counter came to; None when it was not measured."""
        peers = result.cases.get(self.case, {})
        if self.peer == BEST:
            costs = [result.cost(self.case, peer) for peer in peers if results.is_rival(peer)]
            return min(costs, default=None)
        if self.peer not in peers:
            return None
        if self.key == "cpu_s_per_gb":
            return results.quantile(result.figures(self.case, self.peer, self.key), 0.25)
        if self.key:
            return max(result.figures(self.case, self.peer, self.key), default=None)
        return result.cost(self.case, self.peer)


@dataclasses.dataclass(frozen=True)
class Promise:
    """`above`, over or minus `below` where there is one, is within a bound."""

    layer: str
    what: str
    above: Term
    below: Term | None = None
    at_least: float | None = None
    at_most: float | None = None
    difference: bool = False
    unit: str = "x"

    def measured(self, result):
        above = self.above.value(result)
        if self.below is None or above is None:
            return above
        below = self.below.value(result)
        if below is None:
            return None
        return above - below if self.difference else above / below

    def holds(self, value):
        return value >= self.at_least if self.at_least is not None else value <= self.at_most

    @property
    def required(self):
        if self.at_least is not None:
            return f">= {self.at_least:g} {self.unit}"
        return f"<= {self.at_most:g} {self.unit}"


def times_faster(layer, what, case, peer, at_least, own=results.REFERENCE):
    return Promise(layer, what, Term(case, peer), Term(case, own), at_least=at_least)


def times_the_floor(layer, what, case, floor, at_most):
    return Promise(layer, what, Term(case), Term(case, floor), at_most=at_most)


PROMISES = (
    times_faster("queue", "32-byte items, ring of 1024: faster than the best peer",
                 "throughput/bytes:32/ring:1024", BEST, 2),
    times_faster("queue", "32-byte items, ring of 1024: faster than rigtorp's ring, when given",
                 "throughput/bytes:32/ring:1024", "RigtorpSpscQueue", 5),
    times_faster("queue", "8-byte items, ring of 1024: faster than rigtorp's ring, when given",
                 "throughput/bytes:8/ring:1024", "RigtorpSpscQueue", 2.5),
    times_faster("queue", "64-byte items, ring of 1024: faster than rigtorp's ring, when given",
                 "throughput/bytes:64/ring:1024", "RigtorpSpscQueue", 1.4),
    times_faster("queue", "8-byte items, ring of 1024: beside atomic_queue with a reserved value",
                 "throughput/bytes:8/ring:1024", "AtomicQueueReservedValue", 0.9),
    times_the_floor("queue", "round trip of 32 bytes: of the bare ping-pong",
                    "round_trip/bytes:32/ring:1024", "PingPong", 1.35),
    times_the_floor("stream", "8-byte reads of 64 KiB chunks: of a pointer that is moved and checked",
                    "read/bytes:8/chunk:65536/threads:1", "PointerBump", 1.3),
    times_faster("stream", "8-byte reads of 64 KiB chunks: faster than CodedInputStream",
                 "read/bytes:8/chunk:65536/threads:1", "CodedInput", 1.3),
    times_faster("stream", "4 KiB chunks between threads: faster than the batch-swapping queue",
                 "read/bytes:chunk/chunk:4096/threads:2", "BatchSwap", 1.3),
    times_faster("arrow_decode", "2 MiB batches in 1 MiB blocks: faster than Arrow's stream reader",
                 "decode/batch:2097152/block:1048576/columns:16", "ArrowStream", 4),
    Promise("arrow_decode", "the same, 2 of 16 columns: of the time of all",
            Term("decode/batch:2097152/block:1048576/columns:2"),
            Term("decode/batch:2097152/block:1048576/columns:16"), at_most=0.3),
    times_faster("waiting", "able to block: of the same ring that only spins",
                 "able_to_block/bytes:32/ring:1024", "ForebaySpinning", 0.88),
    times_faster("waiting", "able to block: faster than with a fence for each item",
                 "able_to_block/bytes:32/ring:1024", "FenceEventCount", 2.5),
    times_faster("waiting", "able to block: faster than with a read-modify-write for each item",
                 "able_to_block/bytes:32/ring:1024", "ReadModifyWriteEventCount", 2.5),
    times_faster("waiting", "able to block: faster than moodycamel's blocking queue",
                 "able_to_block/bytes:32/ring:1024", "MoodycamelBlockingReaderWriterQueue", 4),
    times_faster("waiting", "able to block: faster than a mutex and condition variables",
                 "able_to_block/bytes:32/ring:1024", "MutexQueue", 15),
    times_the_floor("waiting", "wake of a parked thread: of a raw futex", "wake/gap_us:200",
                    "RawFutex", 1.15),
    times_faster("waiting", "wake inside the spin window: faster than a raw futex",
                 "wake/gap_us:5", "RawFutex", 20),
    Promise("waiting", "CPU of an idle thread", Term("idle/ms:40", key="cpu_share"),
            at_most=0.01, unit="of a core"),
    Promise("end_to_end", "64 streams at full speed: throughput of one stream",
            Term("unix/full/light/streams:1"), Term("unix/full/light/streams:64"), at_least=0.9),
    Promise("end_to_end", "64 streams, as much memory as their pool of 64 MiB and 16 MiB more",
            Term("memory/unix/full/light/streams:64", key="memory_mib"), at_most=80, unit="MiB"),
    times_faster("grpc", "64 KiB bodies, aligned: beside generated code with std::string",
                 "receive/body:65536", "GeneratedString", 1),
    times_faster("grpc", "1 MiB bodies, aligned: faster than generated code with std::string",
                 "receive/body:1048576", "GeneratedString", 1.2),
    times_faster("grpc", "4 MiB bodies, aligned: faster than generated code with std::string",
                 "receive/body:4194304", "GeneratedString", 1.2),
    Promise("grpc", "1 MiB bodies, aligned: CPU per GB, of generated code's",
            Term("receive/body:1048576", key="cpu_s_per_gb"),
            Term("receive/body:1048576", "GeneratedString", "cpu_s_per_gb"), at_most=0.85),
    times_faster("grpc", "1 MiB bodies, as received: beside messages that nobody looks at",
                 "receive/body:1048576", "ByteBuffer", 0.9, "ForebaySlices"),
    times_faster("grpc", "1 MiB bodies, aligned: faster than to read all and then place",
                 "receive/body:1048576", "FlightReadAll", 1.05),
    Promise("reclamation", "pin, read and drop where it was pinned: above a bare load",
            Term("pin_drop/threads:1"), Term("pin_drop/threads:1", "BareLoad"), at_most=0.75,
            difference=True, unit="ns"),
    times_faster("reclamation", "pin, read and drop: faster than xenium's epochs",
                 "pin_drop/threads:1", "XeniumEpochs", 3),
    times_faster("reclamation", "pin, read and drop: faster than liburcu memb",
                 "pin_drop/threads:1", "UrcuMemb", 1.5),
    Promise("reclamation", "two streams on two threads: of one",
            Term("pin_drop/threads:2"), Term("pin_drop/threads:1"), at_most=1.5),
    times_faster("reclamation", "dropped on a worker: faster than a shared_ptr handed over",
                 "hand_over", "SharedPtr", 1.5),
    Promise("reclamation", "behind a stalled holder: bytes held, with a bound of 4 MiB",
            Term("other_stream/holder:stalled", key="bytes_held"), at_most=4 << 20, unit="bytes"),
    Promise("reclamation", "behind a stalled holder: cost in another stream, of that without one",
            Term("other_stream/holder:stalled"), Term("other_stream/holder:none"), at_most=1.1),
)


@dataclasses.dataclass
class Finding:
    """What the runs say to a promise."""

    promise: Promise
    values: list  # one a run that measured it
    held: int
    noisy: bool  # one of the runs was

    @property
    def kept(self):
        """None when nobody measured it."""
        if not self.values:
            return None
        return self.held >= max(1, len(self.values) - len(self.values) // RUNS)


def find(layers, promises=PROMISES):
    """Every promise of a layer that was run, and whether the runs keep it."""
    found = []
    for promise in promises:
        runs = layers.get(promise.layer, [])[-RUNS:]
        if not runs:
            continue
        values = [value for value in map(promise.measured, runs) if value is not None]
        noisy = any(run.noise() for run in runs)
        found.append(Finding(promise, values, sum(map(promise.holds, values)), noisy))
    return found
