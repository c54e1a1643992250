# SPDX-License-Identifier: Apache-2.0
"""PySpark's own Python worker on forebay.ZeroCopyByteStream in place of its class.

    spark.python.daemon.module    forebay.pyspark_worker
    spark.python.worker.module    forebay.pyspark_worker

Spark 4.3 and later. No file of PySpark is changed: its class is replaced where the worker's modules
look for it. The first setting counts where Spark forks workers from a daemon, which it does unless told
otherwise: their connections are read through a stream that a receiver in C++ fills, on the worker's own
thread. The second counts where it does not: there the class reads the messages that begin a task.
"""

import io
import os
import sys

_their_main = None
_streams = {}  # by the connection's inode; a forked worker has one


def swap():
    """Makes PySpark's modules use forebay's class, those that are loaded and those to come."""
    from pyspark.messages import zero_copy_byte_stream

    from forebay import ZeroCopyByteStream

    theirs = zero_copy_byte_stream.ZeroCopyByteStream
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "pyspark" and vars(module).get("ZeroCopyByteStream") is theirs:
            module.ZeroCopyByteStream = ZeroCopyByteStream


def take_over():
    """Puts main() in the place of PySpark's."""
    global _their_main
    if _their_main is None:
        swap()
        from pyspark import worker

        _their_main, worker.main = worker.main, main


def main(infile, outfile):
    """PySpark's worker, for one task on one connection."""
    take_over()
    try:
        infile = stream_of(infile.fileno())
    except io.UnsupportedOperation:
        pass  # Without a daemon PySpark hides the connection; its messages are read from our class.
    _their_main(infile, outfile)


def stream_of(descriptor):
    """What comes through this connection. One stream for all tasks of the connection, since a stream
    that goes closes its side of it. Nothing was read ahead when the first is made, for Spark sends a
    task when it has been answered; and it receives on this thread, when it is read."""
    from forebay import receive

    connection = os.fstat(descriptor).st_ino
    if connection not in _streams:
        _streams[connection] = receive(descriptor, mode="inline", framing="none")
    return _streams[connection]


def serve_forks():
    """PySpark's daemon, whose forks run main() above."""
    from pyspark import daemon

    serve_connection = daemon.worker

    def worker(*args):
        take_over()  # In the fork: what PySpark's worker imports may start threads.
        return serve_connection(*args)

    daemon.worker = worker
    daemon.manager()


def serve_one():
    """PySpark's worker without a daemon: one connection."""
    from pyspark.worker_util import get_sock_file_to_executor

    with get_sock_file_to_executor() as connection:
        main(connection, connection)


if __name__ == "__main__":
    # A daemon is told which module its workers run, and a worker is told nothing.
    if len(sys.argv) > 1:
        serve_forks()
    else:
        serve_one()
