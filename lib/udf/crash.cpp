// SPDX-License-Identifier: Apache-2.0
#include "crash.h"

#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "forebay/spark/rendezvous.h"

namespace forebay::udf {

namespace {

constexpr int kFramesMax = 64;
constexpr std::size_t kStackBytes = std::size_t{64} << 10;

// Filled before a fault, and only read in one.
std::string file_path;
std::vector<std::byte> stack;
const char* volatile crash_note = nullptr;

void write_text(int to, const char* text) noexcept {
  // Nothing can be done about a failure here.
  if (::write(to, text, std::strlen(text)) < 0) return;
}

void write_report(int to, const char* signal_name, void* const* frames, int count) noexcept {
  write_text(to, "forebay worker: fatal signal ");
  write_text(to, signal_name);
  if (crash_note != nullptr) {
    write_text(to, " in ");
    write_text(to, crash_note);
  }
  write_text(to, "\n");
  ::backtrace_symbols_fd(frames, count, to);
}

const char* name_of(int signal) noexcept {
  switch (signal) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGFPE:
      return "SIGFPE";
    case SIGILL:
      return "SIGILL";
    default:
      return "SIGABRT";
  }
}

// Only calls that are allowed in a signal handler: signal-safety(7), and backtrace() after its
// first call.
void on_fault(int signal) noexcept {
  void* frames[kFramesMax];
  const int count = ::backtrace(frames, kFramesMax);
  write_report(STDERR_FILENO, name_of(signal), frames, count);
  if (!file_path.empty()) {
    const int file = ::open(file_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file >= 0) write_report(file, name_of(signal), frames, count);
  }
  // The handler was for once: the fault comes again, and ends the process as it should.
  ::raise(signal);
}

}  // namespace

void report_crashes() {
  const auto directory = spark::Environment::get("PYTHON_FAULTHANDLER_DIR");
  file_path = directory ? *directory + "/" + std::to_string(::getpid()) : "";
  void* frame = nullptr;
  ::backtrace(&frame, 1);  // Loads what it needs, which a handler must not.
  stack.resize(kStackBytes);
  stack_t alternative{};
  alternative.ss_sp = stack.data();
  alternative.ss_size = stack.size();
  ::sigaltstack(&alternative, nullptr);
  struct sigaction action {};
  action.sa_handler = on_fault;
  action.sa_flags = static_cast<int>(SA_ONSTACK | SA_RESETHAND | SA_NODEFER);
  ::sigemptyset(&action.sa_mask);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) {
    ::sigaction(signal, &action, nullptr);
  }
}

void set_crash_note(const char* note) noexcept { crash_note = note; }

}  // namespace forebay::udf
