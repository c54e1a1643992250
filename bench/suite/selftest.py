# SPDX-License-Identifier: Apache-2.0
"""Checks the arithmetic of the reports with figures that were made up."""

import io
import pathlib
import tempfile
import unittest
import unittest.mock

import rich.console

import report  # First: it says where the shared modules are.
import plots
import promises
import results
import run
import tables

QUIET = {"cpu": "made up", "cores": 2, "memory_gb": 1.0, "system": "none", "kernel": "0",
         "compiler": "g++ (made up 1-2) 12.2.0, -O3", "commit": "0123456789ab",
         "date": "2000-01-01 00:00 UTC", "others_cores": 0.0}


def raw(series, unit="ns", calibrations=None):
    """As Google Benchmark would report rounds of real times, or of dictionaries of counters."""
    rounds = len(next(iter(series.values())))
    runs = []
    for name, values in series.items():
        for place, value in enumerate(values):
            one = {"name": name, "run_name": f"{name}/iterations:1/manual_time",
                   "run_type": "iteration", "repetitions": rounds, "repetition_index": place,
                   "iterations": 1, "threads": 1, "cpu_time": 1.0, "time_unit": unit}
            one |= {"real_time": 1.0, **value} if isinstance(value, dict) else {"real_time": value}
            runs.append(one)
    return {"context": {"rounds": str(rounds),
                        "calibration_ms": calibrations or "1.0 " * rounds},
            "benchmarks": runs}


def stored(series, layer="queue", machine=None, **more):
    return {"layer": layer, "machine": machine or QUIET, **results.condensed(raw(series, **more))}


def result(*arguments, **more):
    return results.Result(stored(*arguments, **more))


class Condensed(unittest.TestCase):
    def test_a_series_has_one_figure_a_round_without_what_the_name_says_of_the_timer(self):
        kept = results.condensed(raw({"Forebay/a/b:1": [1.0, 2.0]}, unit="us"))
        self.assertEqual(kept["series"]["Forebay/a/b:1"]["real_ns"], [1000.0, 2000.0])

    def test_counters_are_kept_beside_the_times(self):
        kept = results.condensed(raw({"P/a": [{"ns_per_item": 3.14159}]}))
        self.assertEqual(kept["series"]["P/a"]["ns_per_item"], [3.142])

    def test_a_round_that_failed_is_an_error_and_no_figure(self):
        failing = raw({"P/a": [1.0, 2.0]})
        failing["benchmarks"][1] |= {"error_occurred": True, "error_message": "lost"}
        kept = results.condensed(failing)
        self.assertEqual(kept["series"]["P/a"]["real_ns"], [1.0, None])
        self.assertEqual(kept["errors"], {"P/a": "lost"})


class Ratios(unittest.TestCase):
    def test_are_taken_inside_a_round(self):
        # Round two was slow for both; the ratio does not notice.
        one = result({"Forebay/a": [1.0, 10.0, 1.0], "Peer/a": [2.0, 20.0, 2.0]})
        self.assertEqual(one.ratios("a", "Peer", "Forebay"), [2.0, 2.0, 2.0])

    def test_of_rates_say_how_much_more_a_peer_costs(self):
        one = result({"Forebay/a": [{"bytes_per_second": 4e9}],
                      "Peer/a": [{"bytes_per_second": 1e9}]})
        self.assertEqual(one.ratios("a", "Peer", "Forebay"), [4.0])

    def test_leave_out_a_round_that_one_side_lacks(self):
        kept = stored({"Forebay/a": [1.0, 1.0], "Peer/a": [3.0, 5.0]})
        kept["series"]["Peer/a"]["real_ns"][0] = None
        self.assertEqual(results.Result(kept).ratios("a", "Peer", "Forebay"), [5.0])

    def test_a_case_takes_the_first_figure_that_every_peer_has(self):
        one = result({"Forebay/a": [{"ns_per_item": 1.0}], "Peer/a": [{"other": 2.0}]})
        self.assertEqual(one.measure("a").key, "real_ns")

    def test_long_times_are_shown_in_a_longer_unit(self):
        comparison = results.compare([result({"Forebay/a": [2e4], "Peer/a": [3e4]})], "a")
        self.assertEqual([(one.unit, one.median) for one in comparison],
                         [("us", 20.0), ("us", 30.0)])


class Verdicts(unittest.TestCase):
    def test_quartiles_on_both_sides_of_one_are_a_draw(self):
        self.assertEqual(results.verdict([0.9] * 10 + [1.1] * 10, noisy=False), "draw")

    def test_three_quarters_of_the_rounds_make_an_order(self):
        self.assertEqual(results.verdict([0.9] * 4 + [1.5] * 16, noisy=False), "slower")
        self.assertEqual(results.verdict([0.8] * 16 + [1.5] * 4, noisy=False), "faster")

    def test_a_noisy_machine_needs_nine_rounds_in_ten(self):
        self.assertEqual(results.verdict([0.9] * 4 + [1.5] * 16, noisy=True), "draw")
        self.assertEqual(results.verdict([0.9] + [1.5] * 19, noisy=True), "slower")

    def test_few_rounds_must_all_agree(self):
        self.assertEqual(results.verdict([0.99, 2.0, 2.0, 2.0, 2.0], noisy=False), "draw")
        self.assertEqual(results.verdict([1.03, 2.0, 2.0, 2.0, 2.0], noisy=False), "slower")
        self.assertEqual(results.verdict([2.0] * 4, noisy=False), "")

    def test_two_hundredths_are_no_order(self):
        self.assertEqual(results.verdict([1.01] * 25, noisy=False), "draw")
        self.assertEqual(results.verdict([0.99] * 25, noisy=False), "draw")

    def test_others_and_a_slow_calibration_make_a_machine_noisy(self):
        series = {"Forebay/a": [1.0] * 4}
        self.assertEqual(result(series).noise(), [])
        busy = result(series, machine={**QUIET, "others_cores": 0.5})
        self.assertEqual(busy.noise(), ["others kept 0.50 cores busy"])
        slow = result(series, calibrations="1.0 1.0 1.2 1.2")
        self.assertEqual(len(slow.noise()), 1)

    def test_a_limit_is_neither_lost_to_nor_the_best_peer(self):
        series = {"Forebay/a": [2.0] * 9, "PingPong/a": [1.0] * 9, "Peer/a": [1.5] * 9}
        lost, drawn = report.losing({"queue": [result(series)]})
        self.assertEqual([(layer, one.peer) for layer, one in lost], [("queue", "Peer")])
        self.assertEqual(drawn, [])
        self.assertEqual(promises.Term("a", promises.BEST).value(result(series)), 1.5)


class Promises(unittest.TestCase):
    twice = promises.times_faster("queue", "twice", "a", promises.BEST, 2)

    def runs(self, *costs_of_peer):
        return {"queue": [result({"Forebay/a": [1.0] * 4, "Peer/a": [cost] * 4,
                                  "Slow/a": [9.0] * 4}) for cost in costs_of_peer]}

    def test_two_of_three_runs_are_enough(self):
        (found,) = promises.find(self.runs(2.5, 1.5, 2.0), [self.twice])
        self.assertEqual((found.values, found.held, found.kept), ([2.5, 1.5, 2.0], 2, True))

    def test_a_noisy_run_is_named(self):
        layers = {"queue": [result({"Forebay/a": [1.0] * 4, "Peer/a": [3.0] * 4},
                                   machine={**QUIET, "others_cores": 1.0})]}
        rows = report.promise_grid(promises.find(layers, [self.twice]))[1]
        self.assertEqual(rows[0][-1], "[green]kept[/green], noisy")

    def test_one_of_three_is_not(self):
        (found,) = promises.find(self.runs(2.5, 1.5, 1.9), [self.twice])
        self.assertFalse(found.kept)

    def test_a_single_run_has_to_hold(self):
        self.assertFalse(promises.find(self.runs(1.5), [self.twice])[0].kept)
        self.assertTrue(promises.find(self.runs(2.5), [self.twice])[0].kept)

    def test_what_nobody_measured_is_neither_kept_nor_missed(self):
        absent = promises.times_faster("queue", "absent", "a", "Absent", 2)
        (found,) = promises.find(self.runs(3.0), [absent])
        self.assertIsNone(found.kept)
        self.assertIn("not measured", report.promise_grid([found])[1][0])

    def test_bounds_of_differences_and_counters(self):
        layers = {"queue": [result({"Forebay/a": [{"ns_per_item": 1.7, "held": 5.0}],
                                    "BareLoad/a": [{"ns_per_item": 1.0}]})]}
        near = promises.Promise("queue", "near", promises.Term("a"),
                                promises.Term("a", "BareLoad"), at_most=0.75, difference=True)
        held = promises.Promise("queue", "held", promises.Term("a", key="held"), at_most=4)
        self.assertEqual([one.kept for one in promises.find(layers, [near, held])], [True, False])

    def test_every_promise_has_one_bound(self):
        for promise in promises.PROMISES:
            self.assertNotEqual(promise.at_least is None, promise.at_most is None, promise.what)


class Documents(unittest.TestCase):
    layers = {"queue": [result({"Forebay/a/ring:64": [1.0] * 9, "Peer/a/ring:64": [3.0] * 9,
                                "Forebay/a/ring:1024": [1.0] * 9, "Peer/a/ring:1024": [0.5] * 9})]}

    def test_tables_say_what_was_measured_and_what_was_lost(self):
        text = report.document(self.layers)
        self.assertIn("| a/ring:64 | 1.00 ns | 3.00 ns (3.00x) |", text)
        self.assertIn("| queue: a/ring:1024 | Peer | 0.500 | 0.500 | 0.500 |", text)
        self.assertLess(text.index("a/ring:64 |"), text.index("| a/ring:1024 |"))

    def test_a_terminal_is_told_of_noise_and_failures(self):
        kept = stored({"Forebay/a": [1.0]}, machine={**QUIET, "others_cores": 1.0})
        kept["errors"] = {"Peer/a": "lost"}
        screen = io.StringIO()
        report.print_all(rich.console.Console(file=screen, width=200), results.load([file_of(kept)]))
        self.assertIn("NOISY", screen.getvalue())
        self.assertIn("Peer/a: lost", screen.getvalue())

    def test_only_what_stands_between_the_markers_is_replaced(self):
        text = "x\n<!-- a: begin -->\nold\n<!-- a: end -->\ny"
        new = tables.between_markers(text, "a", "new")
        self.assertEqual(new, "x\n<!-- a: begin -->\nnew\n<!-- a: end -->\ny")
        self.assertEqual(tables.between_markers(new, "a", "new"), new)
        with self.assertRaises(ValueError):
            tables.between_markers(text, "b", "new")

    def test_the_same_figures_are_drawn_the_same(self):
        with tempfile.TemporaryDirectory() as folder:
            drawn = []
            for name in ("one", "two"):
                plots.draw("queue", self.layers["queue"], ["made up"], pathlib.Path(folder) / name)
                drawn.append((pathlib.Path(folder) / name / "queue.svg").read_text())
            self.assertEqual(*drawn)

    def test_runs_are_kept_beside_each_other_and_everyday_ones_are_not(self):
        with tempfile.TemporaryDirectory() as folder:
            place = run.folder_of(pathlib.Path(folder), QUIET)
            self.assertEqual(place.name, "0123456789ab_made-up_g++-12.2.0")
            kept = stored({"Forebay/a": [1.0]})
            files = [run.store(place, kept, keep=True) for _ in range(3)]
            self.assertEqual([file.name for file in files],
                             ["queue-1.json", "queue-2.json", "queue-3.json"])
            self.assertEqual(run.store(place, kept, keep=False), files[0])
            with unittest.mock.patch.object(report, "PUBLISHED", pathlib.Path(folder)):
                self.assertEqual(len(report.published()["queue"]), 3)


def file_of(kept):
    """Something with the content of a file of results."""
    return run.store(pathlib.Path(FOLDER.name), kept, keep=False)


FOLDER = tempfile.TemporaryDirectory()

if __name__ == "__main__":
    unittest.main()
