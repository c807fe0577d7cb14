// A command that prints: numbered lines as long as those of a build, each with
// a write of its own.
//
//   bench_printer LINES LINES_PER_SECOND
//
// Steadily; 0 a second means without a pause. If it is late it prints without
// a pause until it is not.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: bench_printer LINES LINES_PER_SECOND\n", stderr);
    return 2;
  }
  using namespace std::chrono;
  auto lines = std::atol(argv[1]);
  auto rate = std::atol(argv[2]);
  auto start = steady_clock::now();
  for (long i = 0; i < lines; ++i) {
    if (rate > 0)
      std::this_thread::sleep_until(start
                                    + nanoseconds{1'000'000'000 / rate} * i);
    char line[80];
    auto size =
      std::snprintf(line, sizeof line,
                    "[%7ld] Building CXX object src/part_%ld.cpp.o\n", i, i);
    if (::write(STDOUT_FILENO, line, static_cast<std::size_t>(size)) != size)
      return 1;
  }
}
